#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <skrfs/base/log.h>
#include <skrfs/daemon/process.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define NOBODY 65534

int skrfs_process_seal(const char *name, struct skrfs_error *err) {
    umask(077);
    prctl(PR_SET_NAME, name, 0, 0, 0);
    if (setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) < 0)
        return skrfs_fail_errno(err, errno, "forbid core files");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return skrfs_fail_errno(err, errno, "forbid dumps of this process");
    return 0;
}

/* What a program could still be given that is executed: nothing. It matters only without
 * no_new_privs; where CAP_SETPCAP is missing it is left as it is. */
static void drop_bounding(void) {
    int present;

    for (unsigned long cap = 0; cap < 64; cap++) {
        present = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
        if (present < 0)
            return;
        if (present)
            prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    }
}

/* By the system call: libcap would be a library more for two calls. */
int skrfs_process_drop(uint64_t keep, struct skrfs_error *err) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};

    drop_bounding();
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capget, &header, data) < 0)
        return skrfs_fail_errno(err, errno, "read this process's capabilities");
    for (unsigned half = 0; half < 2; half++) {
        data[half].permitted &= (uint32_t)(keep >> (32 * half));
        data[half].effective = data[half].permitted;
        data[half].inheritable = 0;
    }
    if (syscall(SYS_capset, &header, data) < 0)
        return skrfs_fail_errno(err, errno, "drop capabilities");
    return 0;
}

int skrfs_process_become_nobody(const gid_t *groups, size_t group_count, struct skrfs_error *err) {
    if (geteuid() != 0)
        return 0;
    if (setgroups(group_count, groups) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
            setresuid(NOBODY, NOBODY, NOBODY) < 0) {
        /* In a container that lacks CAP_SETUID, or whose user namespace does not map 65534. */
        if (errno != EPERM && errno != EINVAL)
            return skrfs_fail_errno(err, errno, "become user %d", NOBODY);
        skrfs_log_warning(
                "cannot become user %d (%m): staying user 0 without capabilities", NOBODY);
    }
    return 0;
}

/* The dumpable flag and the death signal come last: a change of credentials resets both (prctl(2)).
 */
int skrfs_process_harden(const char *name, uint64_t keep, struct skrfs_error *err) {
    if (skrfs_process_drop(keep, err) < 0)
        return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return skrfs_fail_errno(err, errno, "forbid new privileges");
    if (skrfs_process_seal(name, err) < 0)
        return -1;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return skrfs_fail_errno(err, errno, "tie this process's life to its parent's");
    return 0;
}
