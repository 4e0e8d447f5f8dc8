/* Runs a program on a kernel that lacks memfd_secret(2), as far as it can see:
 *
 *     without_memfd_secret PROGRAM ARGUMENT...
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (argc < 2 || !filter ||
            seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(memfd_secret), 0) < 0 ||
            seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) < 0 || seccomp_load(filter) < 0) {
        fprintf(stderr, "without_memfd_secret: the filter cannot be put in place\n");
        return 125;
    }
    seccomp_release(filter);
    execvp(argv[1], argv + 1);
    fprintf(stderr, "without_memfd_secret: %s: %s\n", argv[1], strerror(errno));
    return 126;
}
