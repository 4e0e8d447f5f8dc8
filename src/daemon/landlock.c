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

/* struct landlock_ruleset_attr as of version 6; an older kernel takes it while what it lacks is
 * zero. */
struct ruleset {
    uint64_t fs, net, scoped;
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

static int allow_path(int ruleset, const char *path, struct skrfs_error *err) {
    skrfs_autoclose int fd = open(path, O_PATH | O_CLOEXEC);
    struct landlock_path_beneath_attr rule = {
            .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
            .parent_fd = fd};

    if (fd < 0)
        return errno == ENOENT || errno == EACCES || errno == ENOTDIR
                       ? 0
                       : skrfs_fail_errno(err, errno, "open %s for the sandbox", path);
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0)
        return 0;
    /* A rule for a file may not speak of folders. */
    rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0)
        return 0;
    return skrfs_fail_errno(err, errno, "allow %s in the sandbox", path);
}

static int restrict_self(int ruleset, const struct skrfs_sandbox_path *paths, size_t count,
        struct skrfs_error *err) {
    for (size_t i = 0; i < count; i++)
        if (allow_path(ruleset, paths[i].path, err) < 0)
            return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return skrfs_fail_errno(err, errno, "forbid new privileges");
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return skrfs_fail_errno(err, errno, "close the Landlock sandbox");
    return 0;
}

int skrfs_landlock_close(bool network, const struct skrfs_sandbox_path *paths, size_t count,
        struct skrfs_error *err) {
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct ruleset attr = {0};

    if (abi < 1) {
        skrfs_log_warning("this kernel has no Landlock (%m): files are kept away by seccomp alone");
        return 0;
    }
    attr.fs = fs_rights(abi);
    if (abi >= 4)
        attr.net = NET_BIND_TCP | (network ? 0 : NET_CONNECT_TCP);
    if (abi >= 6)
        attr.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
    skrfs_autoclose int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    if (ruleset < 0)
        return skrfs_fail_errno(err, errno, "make a Landlock sandbox");
    return restrict_self(ruleset, paths, count, err);
}
