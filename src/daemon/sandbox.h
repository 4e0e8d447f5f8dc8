#ifndef SKRFS_SRC_DAEMON_SANDBOX_H
#define SKRFS_SRC_DAEMON_SANDBOX_H

#include <seccomp.h>
#include <skrfs/daemon/process.h>

/* A system call that a process may make, when all of its conditions hold. A call with several rules
 * is allowed when one of them fits. `when` says the conditions in words, for whoever reads the
 * list. */
struct sandbox_rule {
    int call;
    const char *name, *when; /* when NULL: always */
    struct scmp_arg_cmp args[3];
    unsigned count;
    bool own_process; /* argument 0 is this process's id */
};
struct sandbox_list {
    const struct sandbox_rule *rules;
    size_t count;
};
/* What a role may do: lists end with one of no rules. The first is what every role may. NULL for a
 * role that has no list. */
const struct sandbox_list *sandbox_lists(enum skrfs_role role);
/* What a keeper may in addition: by a folder, and by the numbers of its TEE's device. */
extern const struct sandbox_list sandbox_tee_folder, sandbox_tee_device;
/* What a witness may in addition when it is connected to the system bus. */
extern const struct sandbox_list sandbox_witness_bus;
/* What a scribe may in addition when it puts its file aside. */
extern const struct sandbox_list sandbox_scribe_folder;
/* What the parent, and with it all others, may not: everything else is its children's business. */
extern const struct sandbox_list sandbox_parent_denied;
/* In builds with sanitizers alone, whose runtimes want more; not told to readers of the lists. */
extern const struct sandbox_list sandbox_sanitizers;

/* What stays of the file system. */
struct skrfs_landlock {
    const uint16_t *ports; /* TCP connections may be made to them */
    size_t port_count;
    const struct skrfs_sandbox_path *readable;
    size_t count;
    const char *tree; /* below it everything but execution may be done; NULL: none */
    const char *logs; /* in it files may be made, renamed, read and written; NULL: none */
};
/* Landlock around this thread and those it starts. */
int skrfs_landlock_close(
        const struct skrfs_landlock *leave, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
