#include "room.h"

#include <string.h>

#define NAMES_MAX 20

static const struct {
    const char *word;
    bool named;
    const char *names[NAMES_MAX];
} kinds[SECTION_COUNT] = {
        [SECTION_ATTESTATION] = {"attestation", false, {"url"}},
        [SECTION_VAULT] = {"vault", true, {"url", "identity", "resource", "tenant", "client"}},
        [SECTION_KEY] = {"key", true,
                {"vault", "name", "version", "format", "enc", "owner", "group", "mode", "allow",
                        "deny", "hide", "hours", "reads", "until", "refresh", "stale"}},
        [SECTION_NETWORK] = {"network", false, {"ca-file", "proxy", "connect-timeout", "deadline"}},
        [SECTION_IMDS] = {"imds", false, {"url"}},
        [SECTION_LOGIN] = {"login", false,
                {"cloud", "authority", "tenant", "client", "token-file", "managed", "arc-dir"}},
        [SECTION_TEE] = {"tee", false,
                {"kind", "tsm", "device", "attestation", "context", "certificates",
                        "certificates-file", "cache-url", "kds-url", "init-data", "allow-debug"}},
        [SECTION_TPM] = {"tpm", false, {"tcti", "event-log"}},
        [SECTION_MOUNT] = {"mount", false, {"path", "allow-other"}},
        [SECTION_LAB] = {"lab", false, {"dir"}},
        [SECTION_AUDIT] = {"audit", false, {"journal", "file", "required", "max-size", "keep"}},
};

bool conf_find_kind(const char *word, enum section_kind *ret_kind) {
    for (int i = 0; i < SECTION_COUNT; i++) {
        if (strcmp(kinds[i].word, word) == 0) {
            *ret_kind = (enum section_kind)i;
            return true;
        }
    }
    return false;
}

const char *conf_kind_word(enum section_kind kind) {
    return kinds[kind].word;
}

bool conf_kind_is_named(enum section_kind kind) {
    return kinds[kind].named;
}

const char *conf_find_name(enum section_kind kind, const char *name) {
    for (size_t i = 0; i < NAMES_MAX && kinds[kind].names[i]; i++)
        if (strcmp(kinds[kind].names[i], name) == 0)
            return kinds[kind].names[i];
    return NULL;
}

bool conf_name_is_list(const char *name) {
    static const char *const lists[] = {"allow", "deny", "certificates"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(lists); i++)
        if (strcmp(name, lists[i]) == 0)
            return true;
    return false;
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* How many letters must be changed, added, left out or swapped with their neighbour: the optimal
 * string alignment distance. */
static size_t distance(const char *a, const char *b) {
    size_t table[WORD_MAX + 1][WORD_MAX + 1] = {0};
    size_t a_len = strnlen(a, WORD_MAX);
    size_t b_len = strnlen(b, WORD_MAX);
    for (size_t i = 0; i <= a_len; i++) {
        for (size_t j = 0; j <= b_len; j++) {
            if (!i || !j) {
                table[i][j] = i + j;
                continue;
            }
            size_t best = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = least(best, table[i - 1][j] + 1);
            best = least(best, table[i][j - 1] + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = least(best, table[i - 2][j - 2] + 1);
            table[i][j] = best;
        }
    }
    return table[a_len][b_len];
}

/* The better of two guesses at what `word` was meant to be; only near ones count. */
static const char *nearer(const char *word, const char *best, const char *candidate) {
    size_t far = distance(word, candidate);
    if (far > 2 || far >= strlen(candidate))
        return best;
    return !best || far < distance(word, best) ? candidate : best;
}

const char *conf_nearest(const char *word, const char *const *candidates) {
    const char *best = NULL;
    for (; *candidates; candidates++)
        best = nearer(word, best, *candidates);
    return best;
}

int conf_fail_unknown_kind(struct skrfs_error *err, const struct place *place, const char *word) {
    const char *best = NULL;
    for (int i = 0; i < SECTION_COUNT; i++)
        best = nearer(word, best, kinds[i].word);
    if (best)
        return conf_fail_at(err, place, "unknown section [%s]; did you mean [%s]?", word, best);
    return conf_fail_at(err, place, "unknown section [%s]", word);
}

int conf_fail_unknown_name(struct skrfs_error *err, const struct place *place,
        enum section_kind kind, const char *name) {
    const char *best = NULL;
    for (size_t i = 0; i < NAMES_MAX && kinds[kind].names[i]; i++)
        best = nearer(name, best, kinds[kind].names[i]);
    if (best)
        return conf_fail_at(err, place, "unknown name '%s' in [%s]; did you mean '%s'?", name,
                kinds[kind].word, best);
    for (int i = 0; i < SECTION_COUNT; i++)
        if (conf_find_name((enum section_kind)i, name))
            return conf_fail_at(err, place, "unknown name '%s' in [%s]; it belongs into [%s]", name,
                    kinds[kind].word, kinds[i].word);
    return conf_fail_at(err, place, "unknown name '%s' in [%s]", name, kinds[kind].word);
}

int conf_fail_unknown_vault(
        struct skrfs_error *err, const struct value *value, const struct skrfs_conf *conf) {
    const char *best = NULL;
    for (size_t i = 0; i < conf->vault_count; i++)
        best = nearer(value->text, best, conf->vaults[i].name);
    if (best)
        return conf_fail_at(err, &value->place, "there is no [vault %s]; did you mean '%s'?",
                value->text, best);
    return conf_fail_at(err, &value->place, "there is no [vault %s]", value->text);
}
