#ifndef SKRFS_SRC_DAEMON_SANDBOX_H
#define SKRFS_SRC_DAEMON_SANDBOX_H

#include <skrfs/daemon/daemon.h>

/* Landlock around this thread and those it starts. `network`: TCP connections may be made. */
int skrfs_landlock_close(bool network, const struct skrfs_sandbox_path *paths, size_t count,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
