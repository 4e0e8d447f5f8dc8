#include "internal.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

/* Linux 6.9; an alias of O_EXCL. */
#define PIDFD_OF_THREAD O_EXCL

struct skrfs_describer {
    char **paths;
    size_t path_count;
    uint64_t host[SKRFS_NS_COUNT];
    struct caller_mounts mounts;
    struct caller_digests digests;
    struct caller_glimpse first, second;
};

void caller_lack(struct skrfs_caller *caller, const char *format, ...) {
    va_list args;
    if (caller->lack[0])
        return;
    va_start(args, format);
    (void)vsnprintf(caller->lack, sizeof caller->lack, format, args);
    va_end(args);
}

static int open_folder(pid_t pid) {
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/%d", (int)pid);
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int copy_paths(struct skrfs_describer *describer, const char *const *paths, size_t count,
        struct skrfs_error *err) {
    describer->paths = calloc(count ? count : 1, sizeof *describer->paths);
    if (!describer->paths)
        return skrfs_fail_memory(err);
    for (; describer->path_count < count; describer->path_count++) {
        char *copy = strdup(paths[describer->path_count]);
        if (!copy)
            return skrfs_fail_memory(err);
        describer->paths[describer->path_count] = copy;
    }
    return 0;
}

int skrfs_describer_new(const char *const *paths, size_t count, pid_t host,
        struct skrfs_describer **ret_describer, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_describer_free_p)
    struct skrfs_describer *describer = calloc(1, sizeof *describer);
    if (!describer)
        return skrfs_fail_memory(err);
    caller_mounts_init(&describer->mounts, host);
    if (caller_digests_init(&describer->digests, err) || copy_paths(describer, paths, count, err))
        return -1;
    skrfs_autoclose int folder = open_folder(host ? host : getpid());
    if (folder < 0 || !caller_look_spaces(folder, describer->host))
        return skrfs_fail_errno(err, errno, "look at the namespaces of process %d below /proc",
                (int)(host ? host : getpid()));
    (void)caller_mounts_find(&describer->mounts, 0);
    *ret_describer = skrfs_take(describer);
    return 0;
}

void skrfs_describer_free(struct skrfs_describer *describer) {
    if (!describer)
        return;
    for (size_t i = 0; i < describer->path_count; i++)
        free(describer->paths[i]);
    free(describer->paths);
    caller_mounts_done(&describer->mounts);
    caller_digests_done(&describer->digests);
    free(describer);
}

bool skrfs_describer_work(struct skrfs_describer *describer) {
    return caller_digests_work(&describer->digests);
}

/* What a thread that works for another does (io_uring's personalities, a file system mounted over
 * this one) is done with ids that are not its own: then its groups are not the request's either. */
static void tell_groups(const struct caller_glimpse *glimpse, struct skrfs_caller *caller) {
    if (!(glimpse->known & CALLER_IDS)) {
        caller_lack(caller, "/proc/%d/status cannot be read", (int)caller->pid);
    } else if (glimpse->uid != caller->uid || glimpse->gid != caller->gid) {
        caller_lack(caller, "its own user and group are %u and %u, not those it reads with",
                glimpse->uid, glimpse->gid);
    } else if (glimpse->group_count > SKRFS_GROUPS_MAX) {
        /* A group that is not looked at could be one that a rule denies. */
        caller_lack(caller, "it is in more than %d groups", SKRFS_GROUPS_MAX);
    } else {
        caller->group_count = glimpse->group_count;
        memcpy(caller->groups, glimpse->groups, sizeof caller->groups);
        caller->known |= SKRFS_FACT_GROUPS;
    }
}

static void tell_cgroup(const struct caller_glimpse *glimpse, struct skrfs_caller *caller) {
    if (!(glimpse->known & CALLER_CGROUP)) {
        caller_lack(caller,
                "/proc/%d/cgroup cannot be read, or is outside of this mount's control group "
                "namespace",
                (int)caller->pid);
        return;
    }
    memcpy(caller->cgroup, glimpse->cgroup, sizeof caller->cgroup);
    skrfs_cgroup_unit(caller->cgroup, caller->unit);
    skrfs_cgroup_container(caller->cgroup, caller->container);
    caller->known |= SKRFS_FACT_CGROUP;
}

static void tell_spaces(const struct skrfs_describer *describer,
        const struct caller_glimpse *glimpse, struct skrfs_caller *caller) {
    if (!(glimpse->known & CALLER_SPACES)) {
        caller_lack(caller, "/proc/%d/ns cannot be read", (int)caller->pid);
        return;
    }
    for (size_t i = 0; i < SKRFS_NS_COUNT; i++) {
        caller->spaces[i].inode = glimpse->spaces[i];
        caller->spaces[i].host = glimpse->spaces[i] == describer->host[i];
    }
    caller->known |= SKRFS_FACT_NAMESPACES;
}

static void tell_label(const struct caller_glimpse *glimpse, struct skrfs_caller *caller) {
    if (!(glimpse->known & CALLER_LABEL)) {
        caller_lack(caller, "no security module labels it");
        return;
    }
    memcpy(caller->label, glimpse->label, sizeof caller->label);
    caller->known |= SKRFS_FACT_LABEL;
}

static bool is_named(const struct skrfs_describer *describer, const char *exe) {
    for (size_t i = 0; i < describer->path_count; i++)
        if (skrfs_path_matches(describer->paths[i], exe))
            return true;
    return false;
}

static bool is_deleted(const char *exe) {
    static const char gone[] = " (deleted)";
    size_t len = strlen(exe), end = sizeof gone - 1;
    return len >= end && !strcmp(exe + len - end, gone);
}

/* Anybody can make a mount namespace in which any program is at the path of another, and run it
 * from outside by /proc/PID/root or a descriptor. A path is what it says only for a file on a mount
 * of the host's namespace; elsewhere, when a rule names it, where the same file is at that path
 * there too.
 */
static void tell_exe(struct skrfs_describer *describer, const struct caller_glimpse *glimpse,
        struct skrfs_caller *caller) {
    /* The path of a deleted file may be somebody else's by now. */
    if (glimpse->exe[0] != '/' || is_deleted(glimpse->exe))
        caller_lack(caller, "its executable is at no path (any more): %.100s", glimpse->exe);
    else if (caller_mounts_find(&describer->mounts, glimpse->exe_mount) ||
             (is_named(describer, glimpse->exe) &&
                     caller_is_file_at(&describer->mounts, glimpse->exe, glimpse)))
        caller->known |= SKRFS_FACT_EXE;
    else
        caller_lack(caller, "its executable %.100s is another mount namespace's", glimpse->exe);
    if (caller->known & SKRFS_FACT_EXE)
        memcpy(caller->exe, glimpse->exe, sizeof caller->exe);
}

static bool is_local(struct skrfs_describer *describer, int folder, uint64_t mount) {
    const struct caller_mount *own = caller_mounts_find(&describer->mounts, mount);
    return own ? own->local : caller_mount_is_local(folder, mount);
}

/* Opening a file on a file system that somebody serves would wait for him. */
static void tell_digests(struct skrfs_describer *describer, int folder, unsigned facts,
        const struct caller_glimpse *glimpse, struct skrfs_caller *caller) {
    const unsigned user = SKRFS_NS_USER;
    if (!(glimpse->known & CALLER_SPACES) || glimpse->spaces[user] != describer->host[user]) {
        caller_lack(caller, "it is in another user namespace, where anybody may mount anything");
        return;
    }
    if (!is_local(describer, folder, glimpse->exe_mount)) {
        caller_lack(caller, "its executable is on a file system that is not this machine's own");
        return;
    }
    int fd = openat(folder, "exe", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        caller_lack(caller, "its executable cannot be opened: %s", strerror(errno));
        return;
    }
    caller_digests_fill(&describer->digests, fd, facts, describer->mounts.readings, caller);
}

/* What a traced thread does is its tracer's doing, whatever program it runs. */
static void tell_program(struct skrfs_describer *describer, int folder, unsigned facts,
        const struct caller_glimpse *glimpse, struct skrfs_caller *caller) {
    if (!(glimpse->known & CALLER_EXE) || !(glimpse->known & CALLER_IDS)) {
        caller_lack(caller, "/proc/%d/exe cannot be read", (int)caller->pid);
        return;
    }
    if (glimpse->tracer) {
        caller_lack(caller, "it is traced by process %d", (int)glimpse->tracer);
        return;
    }
    if (facts & SKRFS_FACT_EXE)
        tell_exe(describer, glimpse, caller);
    if (facts & CALLER_DIGEST_FACTS)
        tell_digests(describer, folder, facts & CALLER_DIGEST_FACTS, glimpse, caller);
}

/* The caller's number in the kernel's request is its thread's. Before 6.9 only a leader's can be
 * pinned; there the folder below /proc stays bound to the thread all the same, and says ESRCH when
 * it is gone. */
static int pin(pid_t tid) {
    int fd = (int)syscall(SYS_pidfd_open, tid, PIDFD_OF_THREAD);
    if (fd < 0 && errno == EINVAL)
        fd = (int)syscall(SYS_pidfd_open, tid, 0);
    return fd;
}

static bool lives(int pidfd) {
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    return pidfd < 0 || poll(&end, 1, 0) == 0;
}

static void describe_in(struct skrfs_describer *describer, int folder, unsigned facts,
        struct skrfs_caller *caller) {
    const struct caller_glimpse *first = &describer->first;
    if (!caller_look(folder, facts, &describer->first)) {
        caller_lack(caller, "it is gone");
        return;
    }
    if (facts & SKRFS_FACT_GROUPS && caller->uid == (uid_t)-1 && first->known & CALLER_IDS) {
        caller->uid = first->uid;
        caller->gid = first->gid;
    }
    if (facts & SKRFS_FACT_GROUPS)
        tell_groups(first, caller);
    if (facts & CALLER_EXE_FACTS)
        tell_program(describer, folder, facts, first, caller);
    if (facts & SKRFS_FACT_CGROUP)
        tell_cgroup(first, caller);
    if (facts & SKRFS_FACT_NAMESPACES)
        tell_spaces(describer, first, caller);
    if (facts & SKRFS_FACT_LABEL)
        tell_label(first, caller);
    if (caller_look(folder, facts, &describer->second) && caller_same(first, &describer->second))
        return;
    caller->known = 0;
    caller->lack[0] = 0;
    caller_lack(caller, "it changed while it was looked at");
}

static void reset(struct skrfs_caller *caller) {
    *caller = (struct skrfs_caller){.uid = caller->uid, .gid = caller->gid, .pid = caller->pid};
}

void skrfs_describe(
        struct skrfs_describer *describer, unsigned facts, struct skrfs_caller *caller) {
    reset(caller);
    if (caller->pid <= 0) {
        caller_lack(caller, "it has no number in this mount's process namespace");
        return;
    }
    skrfs_autoclose int pidfd = pin(caller->pid);
    skrfs_autoclose int folder = pidfd < 0 && errno == ESRCH ? -1 : open_folder(caller->pid);
    if (folder < 0) {
        caller_lack(caller, "it is gone");
        return;
    }
    describe_in(describer, folder, facts, caller);
    if (lives(pidfd))
        return;
    caller->known = 0;
    caller->lack[0] = 0;
    caller_lack(caller, "it ended while it was looked at");
}

void skrfs_describe_file(const char *path, struct skrfs_caller *caller) {
    struct caller_digests digests;
    struct skrfs_error err;
    caller->known &= ~CALLER_DIGEST_FACTS;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        caller_lack(caller, "%.100s cannot be opened: %s", path, strerror(errno));
        return;
    }
    if (caller_digests_init(&digests, &err)) {
        caller_lack(caller, "%.150s", err.message);
        skrfs_close_p(&fd);
    } else {
        digests.patient = true;
        caller_digests_fill(&digests, fd, CALLER_DIGEST_FACTS, 0, caller);
    }
    caller_digests_done(&digests);
}
