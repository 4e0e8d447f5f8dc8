/* Memory that processes share and that outlives them: a file without a name (memfd) of a sealed
 * size, so that whoever holds its descriptor cannot have the others die of SIGBUS. Never for
 * secrets. Thread safe: no state. */
#ifndef SKRFS_BASE_SHARED_H
#define SKRFS_BASE_SHARED_H

#include <skrfs/base/error.h>

/* `size` octets, all zero; `name` is seen in /proc alone. SYSTEM. */
int skrfs_shared_create(
        const char *name, size_t size, int *ret_fd, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Maps them all for reading and writing, to be unmapped with munmap(2); `fd` stays the caller's.
 * CONFIG when it is not such a file, of this very size. */
int skrfs_shared_map(
        int fd, size_t size, void **ret_memory, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
