/* Landlock by its system calls (Documentation/userspace-api/landlock.rst): what the kernel at hand
 * cannot restrict is left out, and the headers of the build may be older than that kernel. */
#include "sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <skrfs/base/log.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* Rights by the version of the interface that brought them. */
#define FS_ABI_1 (((uint64_t)1 << 13) - 1)     /* EXECUTE to MAKE_SYM */
#define FS_REFER ((uint64_t)1 << 13)           /* 2 */
#define FS_TRUNCATE ((uint64_t)1 << 14)        /* 3 */
#define FS_IOCTL_DEV ((uint64_t)1 << 15)       /* 5 */
#define NET_BIND_TCP ((uint64_t)1 << 0)        /* 4 */
#define NET_CONNECT_TCP ((uint64_t)1 << 1)     /* 4 */
#define SCOPE_ABSTRACT_UNIX ((uint64_t)1 << 0) /* 6 */
#define SCOPE_SIGNAL ((uint64_t)1 << 1)        /* 6 */
#define RULE_NET_PORT 2                        /* 4 */

/* struct landlock_ruleset_attr as of version 6; an older kernel takes it while what it lacks is
 * zero. */
struct ruleset {
    uint64_t fs, net, scoped;
};
/* struct landlock_net_port_attr, as of version 4. */
struct net_port {
    uint64_t allowed, port;
};

static uint64_t fs_rights(long abi) {
    uint64_t rights = FS_ABI_1;

    if (abi >= 2)
        rights |= FS_REFER;
    if (abi >= 3)
        rights |= FS_TRUNCATE;
    if (abi >= 5)
        rights |= FS_IOCTL_DEV;
    return rights;
}

static int add_rule(int ruleset, int fd, uint64_t rights) {
    struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};

    return (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

static int allow_path(int ruleset, const char *path, struct skrfs_error *err) {
    skrfs_autoclose int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT || errno == EACCES || errno == ENOTDIR
                       ? 0
                       : skrfs_fail_errno(err, errno, "open %s for the sandbox", path);
    /* A rule for a file may not speak of folders. */
    if (add_rule(ruleset, fd, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR) == 0 ||
            add_rule(ruleset, fd, LANDLOCK_ACCESS_FS_READ_FILE) == 0)
        return 0;
    return skrfs_fail_errno(err, errno, "allow %s in the sandbox", path);
}

/* A TEE's folder: reports are made by making folders in it and writing their files. */
static int allow_tree(int ruleset, const char *path, struct skrfs_error *err) {
    const uint64_t rights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                            LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR |
                            LANDLOCK_ACCESS_FS_REMOVE_DIR;
    skrfs_autoclose int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return skrfs_fail_errno(err, errno, "open %s for the sandbox", path);
    if (add_rule(ruleset, fd, rights) < 0)
        return skrfs_fail_errno(err, errno, "allow %s in the sandbox", path);
    return 0;
}

/* The audit's file is put aside by new names, and begun anew. */
static int allow_logs(int ruleset, const char *path, struct skrfs_error *err) {
    const uint64_t rights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                            LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE;
    skrfs_autoclose int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return skrfs_fail_errno(err, errno, "open %s for the sandbox", path);
    if (add_rule(ruleset, fd, rights | FS_TRUNCATE) == 0 || add_rule(ruleset, fd, rights) == 0)
        return 0;
    return skrfs_fail_errno(err, errno, "allow %s in the sandbox", path);
}

static int allow_port(int ruleset, uint16_t port, struct skrfs_error *err) {
    struct net_port rule = {.allowed = NET_CONNECT_TCP, .port = port};

    if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) == 0)
        return 0;
    return skrfs_fail_errno(err, errno, "allow TCP port %u in the sandbox", port);
}

static int restrict_self(
        int ruleset, const struct skrfs_landlock *leave, bool net, struct skrfs_error *err) {
    for (size_t i = 0; i < leave->count; i++)
        if (allow_path(ruleset, leave->readable[i].path, err) < 0)
            return -1;
    if (leave->tree && allow_tree(ruleset, leave->tree, err) < 0)
        return -1;
    if (leave->logs && allow_logs(ruleset, leave->logs, err) < 0)
        return -1;
    for (size_t i = 0; net && i < leave->port_count; i++)
        if (allow_port(ruleset, leave->ports[i], err) < 0)
            return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return skrfs_fail_errno(err, errno, "forbid new privileges");
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return skrfs_fail_errno(err, errno, "close the Landlock sandbox");
    return 0;
}

static void warn_absent(const struct skrfs_landlock *leave) {
    if (leave->tree)
        skrfs_log_warning("this kernel has no Landlock (%m): the process that asks for reports in "
                          "%s can open other files too",
                leave->tree);
    else
        skrfs_log_warning("this kernel has no Landlock (%m): files are kept away by seccomp alone");
}

int skrfs_landlock_close(const struct skrfs_landlock *leave, struct skrfs_error *err) {
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct ruleset attr = {0};

    if (abi < 1) {
        warn_absent(leave);
        return 0;
    }
    attr.fs = fs_rights(abi);
    if (abi >= 4)
        attr.net = NET_BIND_TCP | NET_CONNECT_TCP;
    if (abi >= 6)
        attr.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
    skrfs_autoclose int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    if (ruleset < 0)
        return skrfs_fail_errno(err, errno, "make a Landlock sandbox");
    return restrict_self(ruleset, leave, attr.net != 0, err);
}
