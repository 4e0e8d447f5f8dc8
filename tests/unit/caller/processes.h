/* Processes to be described, and describing them. */
#ifndef SKRFS_TEST_CALLER_PROCESSES_H
#define SKRFS_TEST_CALLER_PROCESSES_H

#include <skrfs/caller/caller.h>

/* By a describer of these paths. */
void describe_named(
        const char *const *paths, size_t count, unsigned facts, struct skrfs_caller *caller);
/* By one of paths that nothing has. */
void describe(unsigned facts, struct skrfs_caller *caller);
/* A child that did this and waits to be killed. */
pid_t fork_waiting(int (*prepare)(void));
void end(pid_t pid);
/* Whether a child can. */
bool can(int (*prepare)(void));

#endif
