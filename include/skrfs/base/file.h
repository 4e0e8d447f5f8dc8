/* Whole files and whole transfers. Thread safe: no state. */
#ifndef SKRFS_BASE_FILE_H
#define SKRFS_BASE_FILE_H

#include <skrfs/base/buf.h>

/* Reads a file to its end into `out`, which must be empty. A file longer than out->max is an error.
 */
int skrfs_file_read(
        const char *path, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The same from a descriptor's present position. */
int skrfs_fd_read_all(int fd, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Reads exactly `len` octets; end of file before that is BAD_ANSWER. EINTR is retried. */
int skrfs_fd_read(int fd, void *data, size_t len, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_fd_write(int fd, const void *data, size_t len, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Writes a file whole or not at all: a new file beside it, synced and renamed over it. */
int skrfs_file_write(const char *path, const void *data, size_t len, unsigned mode,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
