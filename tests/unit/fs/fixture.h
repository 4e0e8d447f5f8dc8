/* A file system mounted for a test, kept by a child process over a key source that this process
 * steers through shared memory. Tests that use it need /dev/fuse and root; elsewhere they end as
 * skipped (77). */
#ifndef SKRFS_TESTS_FS_FIXTURE_H
#define SKRFS_TESTS_FS_FIXTURE_H

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <skrfs/fs/fs.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

/* The keys: ALPHA is root's, BETA all may read, GAMMA no program may, DELTA is looked for anew at
 * each open. */
enum { ALPHA, BETA, GAMMA, DELTA, KEY_COUNT };
#define NOBODY 65534

/* What the audit answers. */
enum { AUDIT_TAKES, AUDIT_CALLS_BACK, AUDIT_CALLS_BACK_LATE, AUDIT_FAILS_LATE, AUDIT_REFUSES };
#define EVENTS_MAX 64

struct control {
    atomic_bool held;      /* fetches wait */
    atomic_int failure;    /* a class to fail with, -1: succeed */
    atomic_int generation; /* goes into the version and the bytes */
    atomic_uint fetches, running, publics;
    atomic_bool wipe; /* the keeper wipes all and clears it */
    atomic_int audit;
    atomic_uint events; /* told to the audit: "open keys/alpha granted 0 v1 7 mode 0400" */
    char event[EVENTS_MAX][256];
};

struct fixture {
    char path[64];
    int fd;
    struct skrfs_fs_handover *handover;
    struct control *control;
    pid_t keeper;
    unsigned workers;
    bool audited; /* set before the start */
};

/* Ends the program with 77 where nothing can be mounted. */
void fixture_require(void);
void fixture_start(struct fixture *fixture, unsigned workers);
/* Unmounts; the keeper must end by itself and well. */
void fixture_stop(struct fixture *fixture);
void keeper_start(struct fixture *fixture);
void keeper_kill(struct fixture *fixture);

/* "keys/alpha" below the mount. The text is overwritten by the eighth call after. */
const char *at(const struct fixture *fixture, const char *name);
/* Opens for reading, a failure is the test's. */
int open_ok(const struct fixture *fixture, const char *name);
/* The errno of an open that must fail. */
int open_errno(const struct fixture *fixture, const char *name, int flags);
/* Opens, reads to the end, closes and compares. */
void assert_content(const struct fixture *fixture, const char *name, const char *wanted);
off_t size_of(const struct fixture *fixture, const char *name);
/* Runs `work` in a child as another user; returns its exit status. */
int as_user(uid_t uid, int (*work)(const struct fixture *fixture, int argument),
        const struct fixture *fixture, int argument);
void wait_until_running(const struct fixture *fixture, unsigned count);
uint64_t milliseconds(void);

#endif
