/* What the FUSE trees have in common: one file, .control, through which a test tells and asks. */
#ifndef SKRFS_TESTS_TREE_H
#define SKRFS_TESTS_TREE_H

#define FUSE_USE_VERSION 31

#include <fuse3/fuse.h>
#include <skrfs/base/buf.h>
#include <skrfs/lab/hardware.h>
#include <sys/types.h>

#define TREE_CONTROL "/.control"

/* A file or folder of the tree, for getattr: 0. */
int tree_describe(struct stat *about, bool folder, unsigned mode);
/* A read of a small text at an offset. */
int tree_copy(const char *text, size_t text_len, char *out, size_t len, off_t offset);
/* Takes "word number" out of what was written to .control; -EINVAL when it is none. */
int tree_parse(const char *text, size_t len, char word[32], long *ret_number);
/* Nothing is remembered of names and sizes: what is there changes by itself. */
void *tree_init(struct fuse_conn_info *connection, struct fuse_config *config);
/* Serves the tree in the foreground at `mountpoint` until it is unmounted. */
int tree_serve(const char *mountpoint, const struct fuse_operations *operations);
/* The lab's hardware, or the end of the process. */
struct skrfs_lab_hardware *tree_hardware(const char *lab_dir);

#endif
