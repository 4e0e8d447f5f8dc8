/* "Did you mean ...?" Thread safe: no state. */
#ifndef SKRFS_BASE_NEAREST_H
#define SKRFS_BASE_NEAREST_H

#include <stddef.h>

/* The nearest of `names` to `word` by Damerau-Levenshtein distance, NULL when none is near enough
 * to be a slip of the hand. Words and names of more than 64 characters have no neighbours. */
const char *skrfs_nearest(const char *word, const char *const *names, size_t count);
/* The same with at most `most` insertions, deletions, substitutions and swaps. */
const char *skrfs_nearest_within(
        const char *word, const char *const *names, size_t count, size_t most);

#endif
