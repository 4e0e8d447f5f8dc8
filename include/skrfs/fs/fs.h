/* The file system: FUSE operations, names and inodes, the caller's description, errno at the edge. */
#ifndef SKRFS_FS_FS_H
#define SKRFS_FS_FS_H

#include <skrfs/access/access.h>
#include <skrfs/store/store.h>

struct skrfs_fs;

/* A key as the tree shows it; strings borrowed. */
struct skrfs_fs_key {
    const char *file;
    enum skrfs_format format;
    struct skrfs_guard guard;
};

/* Describes a caller by its thread id: groups and executable as `needs` says. Asked of the witness
 * process in the daemon, since the keeper's sandbox sees no /proc. Never fails: what could not be read is
 * said to be unknown in *caller. */
typedef void skrfs_describe_fn(void *context, struct skrfs_access_needs needs, struct skrfs_caller *caller);

/* What the parent keeps for a keeper that comes after: shared memory, made by skrfs_fs_handover_new before
 * the first fork. Holds the kernel's FUSE_INIT request and the requests in flight; no key, no name. */
struct skrfs_fs_handover;
int skrfs_fs_handover_new(struct skrfs_fs_handover **ret_handover, struct skrfs_error *err) SKRFS_MUST_CHECK;

struct skrfs_fs_options {
    const struct skrfs_fs_key *keys;
    size_t key_count;
    struct skrfs_store *store;
    skrfs_describe_fn *describe;
    void *describe_context;
    uid_t owner;               /* who mounted: may use status/ and, without allow_other, all there is */
    bool lab;                  /* status says that this is a lab */
    unsigned threads;          /* that read the device (0: 2) */
};

/* Mounts: opens /dev/fuse and mounts it at `path` with these comma separated options (those of mount.fuse3(8)
 * that make sense for a read-only tree; unknown ones are CONFIG), by mount(2) as root, by fusermount3 otherwise.
 * `ro,nosuid,nodev,noexec` always. *ret_fd is the device. Called by the parent. */
int skrfs_fs_mount(const char *path, const char *options, bool allow_other, int *ret_fd,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Unmounts (lazily when busy). */
int skrfs_fs_unmount(const char *path, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Serves the device until the file system is unmounted (0) or `fd` fails. `handover` may hold an earlier
 * keeper's state, which is then replayed. New: takes the options by pointer for its life. */
int skrfs_fs_new(const struct skrfs_fs_options *options, int fd, struct skrfs_fs_handover *handover,
        struct skrfs_fs **ret_fs, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_fs_serve(struct skrfs_fs *fs, struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_fs_free(struct skrfs_fs *fs);
SKRFS_DEFINE_CLEANUP(struct skrfs_fs, skrfs_fs_free)

/* Reads /proc for a caller: the witness's work. */
void skrfs_caller_describe(struct skrfs_access_needs needs, struct skrfs_caller *caller);

#endif
