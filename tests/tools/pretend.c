/* Runs a program on a kernel that is not quite as it is, as far as the program can see:
 *
 *     pretend WHAT[,WHAT...] PROGRAM ARGUMENT...
 *
 * no-memfd_secret    memfd_secret(2) is not there
 * no-landlock        Landlock is not there
 * core-limit         limits on core files are set, and nothing happens
 * dumpable           the same of the flag that a process may be dumped and traced */
#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static bool has(const char *list, const char *word) {
    return strstr(list, word) != NULL;
}

static int add(scmp_filter_ctx filter, const char *list) {
    const uint32_t done = SCMP_ACT_ERRNO(0), absent = SCMP_ACT_ERRNO(ENOSYS);
    int rc = 0;
    if (has(list, "no-memfd_secret"))
        rc |= seccomp_rule_add(filter, absent, SCMP_SYS(memfd_secret), 0);
    if (has(list, "no-landlock"))
        rc |= seccomp_rule_add(filter, absent, SCMP_SYS(landlock_create_ruleset), 0);
    if (has(list, "core-limit"))
        rc |= seccomp_rule_add(filter, done, SCMP_SYS(prlimit64), 2,
                      SCMP_A1(SCMP_CMP_EQ, RLIMIT_CORE), SCMP_A2(SCMP_CMP_NE, 0)) |
              seccomp_rule_add(
                      filter, done, SCMP_SYS(setrlimit), 1, SCMP_A0(SCMP_CMP_EQ, RLIMIT_CORE));
    if (has(list, "dumpable"))
        rc |= seccomp_rule_add(
                filter, done, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_DUMPABLE));
    return rc;
}

/* As root, a filter needs no promise that there will be no new privileges. */
int main(int argc, char **argv) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (argc < 3 || !filter || add(filter, argv[1]) < 0 ||
            seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) < 0 || seccomp_load(filter) < 0) {
        fprintf(stderr, "pretend: the filter cannot be put in place\n");
        return 125;
    }
    seccomp_release(filter);
    execvp(argv[2], argv + 2);
    fprintf(stderr, "pretend: %s: %s\n", argv[2], strerror(errno));
    return 126;
}
