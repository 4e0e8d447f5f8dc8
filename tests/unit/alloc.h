/* Makes allocations of this program fail: of the C library's heap, of OpenSSL's secure heap, of
 * pages, locked and secret ones, and of threads. A program that links alloc.c has the functions
 * that do so in the place of the C library's, for the libraries that it uses too. */
#ifndef SKRFS_TESTS_ALLOC_H
#define SKRFS_TESTS_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* False where a sanitizer has functions of its own that are not to be replaced. */
bool alloc_possible(void);

/* From now on one allocation fails: the first that was reached in a way (by the functions that
 * called each other) in which none failed before. With SKRFS_ALLOC_ALL in the environment it is the
 * n-th of all, one further each time. */
void alloc_arm(void);
/* No more; returns whether one failed. */
bool alloc_disarm(void);
/* Whether it was one that OpenSSL takes from its secure heap itself, and not through the functions
 * that it was given. */
bool alloc_was_hidden(void);
/* Where it failed, on standard error. */
void alloc_print(void);

/* What the calling thread allocates meanwhile does not fail: the test's own work. */
void alloc_exempt(void);
void alloc_subject(void);

/* How many allocations were seen while armed, and how many failed, in all. */
size_t alloc_seen(void);
size_t alloc_failed(void);

#endif
