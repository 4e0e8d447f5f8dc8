/* The processes of a mount.
 *
 * parent: mounts, keeps the FUSE descriptor and the handover page, starts the others and restarts
 * them when they die; reads nothing, decides nothing.
 *
 * keeper: fs, access, store, TEE, unwrap; no socket, no path, no file after its sandbox closed.
 *
 * courier: TLS, HTTP, JSON; no key, no TPM, no FUSE.
 *
 * witness: tells the keeper who a caller is; reads /proc, nothing else (a Landlock domain, as the
 * keeper's, may not look at processes outside it: security/landlock/task.c).
 *
 * scribe: writes the audit, where there is one; no key, no network.
 *
 * relay: only for a TCTI that cannot be opened before the sandbox (swtpm): see tpm/relay.h.
 */
#ifndef SKRFS_DAEMON_DAEMON_H
#define SKRFS_DAEMON_DAEMON_H

#include <skrfs/conf/conf.h>

/* A mount that somebody else made and holds: a service manager, whose service may only serve it.
 * systemd keeps the descriptors of the FUSE device and of the handover pages in the unit's store
 * (FileDescriptorStoreMax=3, sd_pid_notify(3)), both by the name "skrfs", over the service's
 * restarts. */
struct skrfs_handed {
    int fuse;
    struct skrfs_fs_handover *handover;
    int ledger;  /* of the service's earlier process, by the name "skrfs-ledger"; -1: none */
    dev_t below; /* device of the mount point before it was mounted over */
    uid_t owner; /* who mounted */
    gid_t group;
};
void skrfs_handed_done(struct skrfs_handed *handed);

struct skrfs_mount_options {
    const char *path;            /* absolute */
    const char *options;         /* comma separated, may be NULL */
    bool foreground;             /* stay; otherwise return (in the caller) when the mount answers */
    bool lab;                    /* the configuration is a lab's */
    struct skrfs_handed *handed; /* NULL: mount and unmount it; its descriptors are taken over */
};

/* Runs a mount until it is unmounted or told to stop (SIGTERM, SIGINT, SIGHUP). In the background
 * form the calling process returns 0 once the mount answers, or the reason why it does not; its log
 * then goes to the journal, or to standard error where that is a regular file. Must be called while
 * the process has one thread. CONFIG, SYSTEM, TIMEOUT (the mount does not answer), and what a
 * process failed with at its start. */
int skrfs_mount_run(const struct skrfs_conf *conf, const struct skrfs_mount_options *options,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* A mount under systemd in three steps, so that only the middle one lives on, with next to no
 * rights and in a mount namespace of its own (skrfs.service(5) in contrib/systemd).
 *
 * prepare: mounts and puts the descriptors into the unit's store; nothing when that was done before
 * and both live. A mount whose server is gone is cleared away. To be called as root in the host's
 * mount namespace by a process of the unit (NotifyAccess=exec). CONFIG when something else is
 * served at the path or when the store does not take the descriptors; SYSTEM.
 * receive: what the store has. CONFIG when it has nothing, or pages of another version of skrfs:
 * these it has the store forget.
 * finish: after the service ended: unmounts, unless the service is about to be started again, since
 * it is restarted by an operator or was killed, and unless the mount is somebody else's. SYSTEM.
 */
int skrfs_service_prepare(const struct skrfs_conf *conf, const struct skrfs_mount_options *options,
        bool mounted, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_service_receive(
        struct skrfs_handed *ret_handed, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Has the store keep a ledger instead of the one that it has, for a process that takes over from
 * this one; an operator's restart begins a new one, as a new mount does. */
int skrfs_service_keep_ledger(int fd, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_service_finish(const char *path, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Not dumpable, no core file, dies with its parent, no new privileges, no capabilities but those in
 * `keep` (a mask of 1 << CAP_...). */
int skrfs_process_harden(const char *name, uint64_t keep, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* A path that stays reachable in a sandbox, for reading. */
struct skrfs_sandbox_path {
    const char *path;
};
/* What a TEE needs while it works, as struct skrfs_tee says it. All zero: nothing. */
struct skrfs_sandbox_tee {
    const char *dir; /* folders are made and removed below it, files read and written; NULL: none */
    const unsigned long *ioctls; /* numbers, on descriptors that are open */
    size_t ioctl_count;
};
/* Landlock: nothing of the file system but these paths (read only; one that does not exist is left
 * out); without Landlock in the kernel a warning is logged. seccomp: only the system calls that
 * this process needs, others fail with EPERM. Both hold for every thread that starts afterwards:
 * call them first. SYSTEM when a sandbox cannot be closed. */
int skrfs_sandbox_keeper(
        const struct skrfs_sandbox_tee *tee, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* `ports`: TCP connections may be made to these alone (where the kernel's Landlock can tell, Linux
 * 6.7). */
int skrfs_sandbox_courier(const struct skrfs_sandbox_path *paths, size_t count,
        const uint16_t *ports, size_t port_count, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The same for the relay to a software TPM. */
int skrfs_sandbox_relay(const struct skrfs_sandbox_path *paths, size_t count, const uint16_t *ports,
        size_t port_count, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Files may be made, renamed and written in `folder` alone (NULL: none; what is open stays so). */
int skrfs_sandbox_scribe(const char *folder, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* seccomp alone, for the reason above: reading opens, no seeking (so that no other process's memory
 * can be read through /proc), no socket. */
int skrfs_sandbox_witness(struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The same for one that is connected to the system bus: messages of any form on what is open. */
int skrfs_sandbox_witness_bus(struct skrfs_error *err) SKRFS_MUST_CHECK;
/* For a parent that is root, and so for all its children: none of the calls that look into other
 * processes, execute programs, make mounts and namespaces, or rule the machine. No list of what it
 * may, since its children need other things than it does. */
int skrfs_sandbox_parent(struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
