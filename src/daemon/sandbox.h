#ifndef SKRFS_SRC_DAEMON_SANDBOX_H
#define SKRFS_SRC_DAEMON_SANDBOX_H

#include <skrfs/daemon/daemon.h>

/* What stays of the file system. */
struct skrfs_landlock {
    bool network; /* TCP connections may be made */
    const struct skrfs_sandbox_path *readable;
    size_t count;
    const char *tree; /* below it everything but execution may be done; NULL: none */
};
/* Landlock around this thread and those it starts. */
int skrfs_landlock_close(
        const struct skrfs_landlock *leave, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
