/* Who a caller is: reads /proc about a thread that waits in a request of the kernel's. The work of
 * the daemon's witness process, and of the verbs that answer for a process that is there.
 *
 * The thread is pinned by a pidfd (its own from Linux 6.9, its process's before, where that is the
 * same) and everything is read through one descriptor of its folder below /proc. What decides is
 * read twice, the second time after everything else; what differs, and all of it when the thread is
 * gone by then, is unknown. */
#ifndef SKRFS_CALLER_CALLER_H
#define SKRFS_CALLER_CALLER_H

#include <skrfs/access/access.h>
#include <skrfs/base/cleanup.h>

/* Longest executable that a digest is made of, in octets. */
#define SKRFS_EXE_MAX ((uint64_t)1024 * 1024 * 1024)

/* What is compared with and what is kept between two descriptions. */
struct skrfs_describer;

/* `paths` (borrowed for its life): the texts of all exe: conditions of the configuration. A caller
 * in another mount namespace has the path that it claims only where one of them names it and the
 * same file is there in the host's namespace: no other path is ever looked up, so that nobody
 * can have this process wait at a file system of his own. "Host" are the namespaces of process
 * `host` (0: the calling process's own). */
int skrfs_describer_new(const char *const *paths, size_t count, pid_t host,
        struct skrfs_describer **ret_describer, struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_describer_free(struct skrfs_describer *describer);
SKRFS_DEFINE_CLEANUP(struct skrfs_describer, skrfs_describer_free)

/* Fills in what `facts` (of enum skrfs_fact) asks for, by caller->pid. Never fails: what could not
 * be read is left out of caller->known, with the reason in caller->lack. Digests are kept by
 * device, inode, mount, size, modification and change time; an executable on a file system that
 * its user serves (fuse, nfs, 9p and their like), or of a caller in another user namespace, has
 * none; that of one too long to be read within half a second is made while nobody asks (see below),
 * and unknown until then. Nothing is known of the program of a thread that is traced. The groups of
 * one whose own ids are not those of `caller` are unknown; a uid of -1 is filled in, with the gid,
 * for a caller that made no request (with SKRFS_FACT_GROUPS). One thread at a time. */
void skrfs_describe(struct skrfs_describer *describer, unsigned facts, struct skrfs_caller *caller);

/* Goes on with an unfinished digest for some milliseconds; false when there is none. To be called
 * while no question waits. */
bool skrfs_describer_work(struct skrfs_describer *describer);

/* The same for a program that does not run: digest and fs-verity digest of the file at `path`, for
 * `skrfs can` and `skrfs learn`. */
void skrfs_describe_file(const char *path, struct skrfs_caller *caller);

/* From the text of a cgroup path: the systemd unit (as systemd's cg_path_get_unit finds it: the
 * first part behind the slices; what users make below their user@UID.service is that unit's) and
 * the container (docker, podman, cri-o, containerd, nspawn as they name their groups; none is
 * believed below user.slice, where any user may make groups of any name). "" when there is none.
 * Pure. */
void skrfs_cgroup_unit(const char *path, char out[SKRFS_UNIT_MAX]);
void skrfs_cgroup_container(const char *path, char out[SKRFS_CONTAINER_MAX]);

#endif
