#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <skrfs/base/log.h>
#include <skrfs/daemon/process.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static const char *const role_names[SKRFS_ROLE_COUNT] = {
        "keeper", "courier", "witness", "relay", "scribe", "probe"};

const char *skrfs_role_name(enum skrfs_role role) {
    return role < SKRFS_ROLE_COUNT ? role_names[role] : "unknown";
}

_Static_assert(sizeof(struct skrfs_notice) <= PIPE_BUF, "a notice must be written in one piece");

static void notice_send(const struct skrfs_child *child, const struct skrfs_notice *notice) {
    ssize_t sent;

    do
        sent = write(child->notices, notice, sizeof(*notice));
    while (sent < 0 && errno == EINTR);
}

void skrfs_notice_ready(const struct skrfs_child *child, enum skrfs_role role) {
    struct skrfs_notice notice = {.role = role, .ready = 1};

    notice_send(child, &notice);
}

int skrfs_notice_failed(
        const struct skrfs_child *child, enum skrfs_role role, const struct skrfs_error *err) {
    struct skrfs_notice notice = {.role = role, .err = *err};

    skrfs_log_error("%s", err->message);
    notice_send(child, &notice);
    return 1;
}

static void signals_reset(void) {
    static const int ignored[] = {SIGINT, SIGHUP, SIGQUIT, SIGPIPE};
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        if (number != SIGKILL && number != SIGSTOP)
            signal(number, SIG_DFL);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(ignored); i++)
        signal(ignored[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int compare_fds(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

/* The terminal, pipe or file that skrfs was started with is no child's to read, to write to or to
 * set flags of. What it has to say goes to standard error. */
static void forget_standard(void) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0) {
        skrfs_log_error("cannot put /dev/null in the place of standard input and output: %m");
        _exit(1);
    }
}

/* Closes what lies between the child's own descriptors and above them. */
static void close_others(const struct skrfs_child *child) {
    int own[] = {2, child->fuse, child->courier, child->witness, child->relay, child->scribe,
            child->notices};
    size_t count = SKRFS_ARRAY_LEN(own);

    qsort(own, count, sizeof(own[0]), compare_fds);
    for (size_t i = 0; i < count; i++) {
        if (own[i] < 2)
            continue;
        unsigned first = (unsigned)own[i] + 1;
        unsigned last = i + 1 < count ? (unsigned)own[i + 1] - 1 : UINT_MAX;
        if (last >= first && syscall(SYS_close_range, first, last, 0) < 0) {
            skrfs_log_error(
                    "cannot close the descriptors of others: %m (Linux 5.9 or later is needed)");
            _exit(1);
        }
    }
}

void skrfs_child_begin(const struct skrfs_child *child) {
    signals_reset();
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != child->parent)
        _exit(1);
    forget_standard();
    close_others(child);
}
