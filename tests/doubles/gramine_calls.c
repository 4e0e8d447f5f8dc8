/* Runs a program among the system calls that Gramine lacks: gramine_calls PROGRAM [ARG...]
 *
 * They answer ENOSYS, as libos/src/arch/x86_64/libos_table.c leaves them out, and so do the advices
 * that libos/src/sys/libos_mmap.c does not follow. */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef __NR_memfd_secret
#define __NR_memfd_secret 447
#endif

static const int absent[] = {SCMP_SYS(prctl), SCMP_SYS(mremap), SCMP_SYS(flock), SCMP_SYS(link),
        SCMP_SYS(symlink), SCMP_SYS(getrusage), SCMP_SYS(times), SCMP_SYS(setresuid),
        SCMP_SYS(getresuid), SCMP_SYS(setresgid), SCMP_SYS(getresgid), SCMP_SYS(mount),
        SCMP_SYS(statx), SCMP_SYS(rseq), SCMP_SYS(clone3), SCMP_SYS(close_range), SCMP_SYS(openat2),
        SCMP_SYS(faccessat2), SCMP_SYS(membarrier), __NR_memfd_secret};
static const int advices[] = {MADV_DONTDUMP, MADV_DONTFORK, MADV_WIPEONFORK};

int main(int argc, char **argv) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int result = filter && argc > 1 ? 0 : -EINVAL;

    for (size_t i = 0; result == 0 && i < sizeof(absent) / sizeof(absent[0]); i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), absent[i], 0);
    for (size_t i = 0; result == 0 && i < sizeof(advices) / sizeof(advices[0]); i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(madvise), 1,
                SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t)advices[i]));
    if (result == 0)
        result = seccomp_load(filter);
    if (result == 0)
        execv(argv[1], argv + 1);
    fprintf(stderr, "gramine_calls: %d, errno %d\n", result, errno);
    return 125;
}
