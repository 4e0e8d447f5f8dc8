/* Locked pages, for the arena and for stages. Private to base. */
#ifndef SKRFS_SRC_BASE_LOCK_H
#define SKRFS_SRC_BASE_LOCK_H

#include <skrfs/base/error.h>

/* The size rounded up to whole pages. */
size_t skrfs_pages_round(size_t size);
/* Zeroed locked pages between guard pages, not dumped, not inherited. NO_MEMORY names
 * RLIMIT_MEMLOCK. */
int skrfs_pages_map(size_t size, uint8_t **ret_pages, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The same of a memfd_secret, without guards. *ret_missing says that the kernel has no such thing.
 */
int skrfs_pages_map_memfd(size_t size, uint8_t **ret_pages, bool *ret_missing,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Puts the second kind in the place of locked pages of whatever origin, with their content; 0 with
 * nothing done where the kernel has no such thing. */
int skrfs_pages_hide(void *pages, size_t size, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Releases pages of skrfs_pages_map. */
void skrfs_pages_unmap(uint8_t *pages, size_t size);

#endif
