#include <skrfs/base/nearest.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define WORD_MAX 64 /* longer words get no suggestion */

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static bool same(char a, char b) {
    return strncasecmp(&a, &b, 1) == 0;
}

/* Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
 */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len) {
    size_t rows[3][WORD_MAX + 1];
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t *now = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t cost = same(a[i - 1], b[j - 1]) ? 0 : 1;
            now[j] = least(least(above[j] + 1, now[j - 1] + 1), above[j - 1] + cost);
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1])) {
                now[j] = least(now[j], before[j - 2] + 1);
            }
        }
    }
    return rows[a_len % 3][b_len];
}

const char *skrfs_nearest_within(
        const char *word, const char *const *names, size_t count, size_t most) {
    size_t len = strlen(word);
    if (len == 0 || len > WORD_MAX)
        return NULL;
    const char *nearest = NULL;
    size_t best = most + 1;
    for (size_t i = 0; i < count; i++) {
        size_t name_len = strlen(names[i]);
        if (name_len > WORD_MAX)
            continue;
        size_t far = distance(word, len, names[i], name_len);
        if (far < best) {
            best = far;
            nearest = names[i];
        }
    }
    return nearest;
}

const char *skrfs_nearest(const char *word, const char *const *names, size_t count) {
    size_t len = strlen(word);
    return skrfs_nearest_within(word, names, count, len < 4 ? 1 : len / 3 + 1);
}
