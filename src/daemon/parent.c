/* The parent's loop: one thread, no key, nothing parsed. */
#include "parent.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/file.h>
#include <skrfs/base/log.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>

#define PAUSE_FIRST_NS (100 * SKRFS_MILLISECOND_NS)
#define PAUSE_LAST_NS (5 * SKRFS_SECOND_NS)
#define SETTLED_NS                                                                                 \
    (10 * SKRFS_SECOND_NS) /* who lived this long begins with the first pause again */
#define ANSWER_NS (30 * SKRFS_SECOND_NS)
#define END_NS (2 * SKRFS_SECOND_NS)
#define KEEPER_GRACE_NS (250 * SKRFS_MILLISECOND_NS)

static void give_up(struct skrfs_parent *parent, const struct skrfs_error *err) {
    if (!parent->failed)
        parent->err = *err;
    parent->failed = true;
    parent->over = true;
}

static uint64_t schedule(struct process *process) {
    uint64_t now = skrfs_now_ns(), pause = PAUSE_FIRST_NS;

    if (now - process->begun_ns >= SETTLED_NS)
        process->deaths = 0;
    for (unsigned i = 0; i < process->deaths && pause < PAUSE_LAST_NS; i++)
        pause *= 2;
    if (pause > PAUSE_LAST_NS)
        pause = PAUSE_LAST_NS;
    process->deaths++;
    process->start_at_ns = now + pause;
    return pause;
}

static void log_death(enum skrfs_role role, int status, uint64_t pause_ns) {
    unsigned pause = (unsigned)(pause_ns / SKRFS_MILLISECOND_NS);

    if (WIFSIGNALED(status))
        skrfs_log_warning("%s died of signal %d; started again in %u ms", skrfs_role_name(role),
                WTERMSIG(status), pause);
    else
        skrfs_log_warning("%s ended with status %d; started again in %u ms", skrfs_role_name(role),
                WEXITSTATUS(status), pause);
}

/* The device of a mount that is no more reports an error (Linux, fs/fuse/dev.c). What the keeper
 * says alone would end the mount. */
static bool is_unmounted(const struct skrfs_parent *parent) {
    struct pollfd device = {.fd = parent->options->fuse, .events = 0};

    return poll(&device, 1, 0) > 0 && (device.revents & (POLLERR | POLLNVAL));
}

static void keeper_ended(struct skrfs_parent *parent, int status) {
    skrfs_process_end(parent, SKRFS_ROLE_WITNESS);
    skrfs_process_end(parent, SKRFS_ROLE_RELAY);
    parent->end_by_ns = SKRFS_NEVER_NS;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && is_unmounted(parent)) {
        parent->unmounted = parent->over = true;
        return;
    }
    log_death(SKRFS_ROLE_KEEPER, status, schedule(&parent->processes[SKRFS_ROLE_KEEPER]));
}

/* The three live and die together: the keeper's ends of the pairs cannot be given to a new helper.
 */
static void helper_ended(struct skrfs_parent *parent, enum skrfs_role role, int status) {
    pid_t keeper = parent->processes[SKRFS_ROLE_KEEPER].pid;

    /* It says that it saw the keeper's end close: the keeper is about to be heard of. */
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        parent->end_by_ns = skrfs_now_ns() + END_NS;
        return;
    }
    log_death(role, status, PAUSE_FIRST_NS);
    if (keeper > 0)
        kill(keeper, SIGKILL);
}

static void probe_ended(struct skrfs_parent *parent, int status) {
    struct skrfs_error err;
    const char *path = parent->options->mount->path;

    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        parent->answered = true;
        parent->answer_by_ns = SKRFS_NEVER_NS;
        if (parent->options->ready)
            parent->options->ready(parent->options->context);
        return;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == PROBE_GONE) {
        parent->unmounted = parent->over = true;
        return;
    }
    if (WIFEXITED(status))
        skrfs_fail_errno(&err, WEXITSTATUS(status), "look at the new mount %s", path);
    else
        skrfs_fail(&err, SKRFS_CLASS_SYSTEM, "look at the new mount %s: killed by signal %d", path,
                WTERMSIG(status));
    give_up(parent, &err);
}

static void child_ended(struct skrfs_parent *parent, enum skrfs_role role, int status) {
    parent->processes[role].pid = 0;
    switch (role) {
    case SKRFS_ROLE_KEEPER:
        keeper_ended(parent, status);
        break;
    case SKRFS_ROLE_COURIER:
    case SKRFS_ROLE_SCRIBE:
        log_death(role, status, schedule(&parent->processes[role]));
        break;
    case SKRFS_ROLE_PROBE:
        probe_ended(parent, status);
        break;
    default:
        helper_ended(parent, role, status);
    }
}

static void reap(struct skrfs_parent *parent) {
    for (enum skrfs_role role = 0; role < SKRFS_ROLE_COUNT; role++) {
        pid_t pid = parent->processes[role].pid;
        int status;
        if (pid > 0 && waitpid(pid, &status, WNOHANG) == pid)
            child_ended(parent, role, status);
    }
}

static void hear_signals(struct skrfs_parent *parent) {
    struct signalfd_siginfo info;

    while (read(parent->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            continue;
        skrfs_log_info("%s: stopping", strsignal((int)info.ssi_signo));
        parent->over = true;
    }
}

/* The mount answers when its keeper does, and when what it gives can be recorded. */
static void look_at_mount(struct skrfs_parent *parent) {
    struct skrfs_error err;

    if (parent->answered || !parent->keeper_ready ||
            (!parent->scribe_ready && parent->scribes[0] >= 0) ||
            parent->processes[SKRFS_ROLE_PROBE].pid > 0)
        return;
    if (skrfs_spawn_probe(parent, &err) < 0)
        give_up(parent, &err);
}

/* A process that cannot even begin ends a mount that has not answered yet; later it is tried again.
 */
static void hear_notices(struct skrfs_parent *parent) {
    struct skrfs_notice notice;

    while (read(parent->notices[0], &notice, sizeof(notice)) == (ssize_t)sizeof(notice)) {
        notice.err.message[sizeof(notice.err.message) - 1] = 0;
        if (notice.err.kind >= SKRFS_CLASS_COUNT)
            notice.err.kind = SKRFS_CLASS_BUG;
        parent->keeper_ready |= notice.ready && notice.role == SKRFS_ROLE_KEEPER;
        parent->scribe_ready |= notice.ready && notice.role == SKRFS_ROLE_SCRIBE;
        if (notice.ready)
            look_at_mount(parent);
        else if (!notice.ready && !parent->answered)
            give_up(parent, &notice.err);
    }
}

static void start_due(struct skrfs_parent *parent) {
    struct process *keeper = &parent->processes[SKRFS_ROLE_KEEPER];
    struct process *courier = &parent->processes[SKRFS_ROLE_COURIER];
    struct process *scribe = &parent->processes[SKRFS_ROLE_SCRIBE];
    uint64_t now = skrfs_now_ns();
    struct skrfs_error err;

    if (keeper->start_at_ns <= now && skrfs_spawn_keeper_set(parent, &err) < 0) {
        skrfs_log_error("%s", err.message);
        skrfs_process_end(parent, SKRFS_ROLE_WITNESS);
        skrfs_process_end(parent, SKRFS_ROLE_RELAY);
        schedule(keeper);
    }
    if (courier->start_at_ns <= now && skrfs_spawn_courier(parent, &err) < 0) {
        skrfs_log_error("%s", err.message);
        schedule(courier);
    }
    if (parent->end_by_ns <= now) {
        parent->end_by_ns = SKRFS_NEVER_NS;
        skrfs_log_warning("the keeper has lost a process that it needs: ending it");
        if (parent->processes[SKRFS_ROLE_KEEPER].pid > 0)
            kill(parent->processes[SKRFS_ROLE_KEEPER].pid, SIGKILL);
    }
    if (scribe->start_at_ns <= now && skrfs_spawn_scribe(parent, &err) < 0) {
        skrfs_log_error("%s", err.message);
        schedule(scribe);
    }
    if (parent->answer_by_ns <= now) {
        skrfs_fail(&err, SKRFS_CLASS_TIMEOUT, "the new mount %s does not answer",
                parent->options->mount->path);
        give_up(parent, &err);
    }
}

/* Milliseconds until something is due, rounded up. */
static int patience(const struct skrfs_parent *parent) {
    uint64_t next =
            parent->answer_by_ns < parent->end_by_ns ? parent->answer_by_ns : parent->end_by_ns;

    for (enum skrfs_role role = 0; role < SKRFS_ROLE_COUNT; role++)
        if (parent->processes[role].start_at_ns < next)
            next = parent->processes[role].start_at_ns;
    if (next == SKRFS_NEVER_NS)
        return -1;
    return (int)(skrfs_until_ns(next) / SKRFS_MILLISECOND_NS) + 1;
}

static void loop(struct skrfs_parent *parent) {
    struct pollfd waiting[2] = {{.fd = parent->signals, .events = POLLIN},
            {.fd = parent->notices[0], .events = POLLIN}};

    while (!parent->over) {
        start_due(parent);
        if (parent->over)
            break;
        if (poll(waiting, 2, patience(parent)) < 0 && errno != EINTR)
            skrfs_log_error("poll: %m");
        hear_signals(parent);
        hear_notices(parent);
        if (!parent->over)
            reap(parent);
    }
}

static void stop(struct skrfs_parent *parent) {
    const bool handed = parent->options->mount->handed != NULL;
    struct skrfs_error err;

    sd_notify(0, "STOPPING=1");
    if (!parent->unmounted && !handed && skrfs_fs_unmount(parent->options->mount->path, &err) < 0)
        skrfs_log_error("%s", err.message);
    /* A keeper whose mount is gone ends by itself. */
    skrfs_processes_end(parent, parent->failed || handed ? 0 : KEEPER_GRACE_NS);
}

/* In a service the machine's identifier of the boot is read as anybody reads it. */
static void read_boot_id(char out[37]) {
    skrfs_autobuf text = SKRFS_BUF(64);
    struct skrfs_error ignored;

    if (skrfs_file_read("/proc/sys/kernel/random/boot_id", &text, &ignored) == 0 && text.len >= 36)
        (void)snprintf(out, 37, "%.36s", skrfs_buf_text(&text));
}

static int open_audit(struct skrfs_parent *parent, struct skrfs_error *err) {
    const struct skrfs_conf *conf = parent->options->conf;
    const int type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;

    parent->journal = skrfs_audit_journal(conf);
    if (!parent->journal && !conf->audit.file) {
        if (!conf->audit.required)
            return 0;
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "[audit] required: there is no journald here (%s), and no 'file' is given",
                SKRFS_JOURNAL_SOCKET);
    }
    read_boot_id(parent->boot_id);
    if (skrfs_scribe_page_new(&parent->page, err) < 0)
        return -1;
    if (socketpair(AF_UNIX, type, 0, parent->scribes) < 0)
        return skrfs_fail_errno(err, errno, "make the scribe's socket pair");
    parent->processes[SKRFS_ROLE_SCRIBE].start_at_ns = 0;
    return 0;
}

static int open_all(struct skrfs_parent *parent, const sigset_t *mine, struct skrfs_error *err) {
    parent->signals = signalfd(-1, mine, SFD_NONBLOCK | SFD_CLOEXEC);
    if (parent->signals < 0)
        return skrfs_fail_errno(err, errno, "listen to signals");
    if (pipe2(parent->notices, O_CLOEXEC) < 0 || fcntl(parent->notices[0], F_SETFL, O_NONBLOCK) < 0)
        return skrfs_fail_errno(err, errno, "make a pipe");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, parent->couriers) < 0)
        return skrfs_fail_errno(err, errno, "make the courier's socket pair");
    return open_audit(parent, err);
}

static void close_all(struct skrfs_parent *parent) {
    skrfs_close_p(&parent->signals);
    for (unsigned i = 0; i < 2; i++) {
        skrfs_close_p(&parent->notices[i]);
        skrfs_close_p(&parent->couriers[i]);
        skrfs_close_p(&parent->scribes[i]);
    }
    skrfs_scribe_page_free(parent->page);
}

static void init(struct skrfs_parent *parent, const struct skrfs_parent_options *options,
        sigset_t *ret_mine) {
    static const int heard[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT};

    *parent = (struct skrfs_parent){.options = options,
            .signals = -1,
            .notices = {-1, -1},
            .couriers = {-1, -1},
            .end_by_ns = SKRFS_NEVER_NS,
            .scribes = {-1, -1},
            .answer_by_ns = skrfs_now_ns() + ANSWER_NS};
    for (enum skrfs_role role = 0; role < SKRFS_ROLE_COUNT; role++)
        parent->processes[role].start_at_ns = SKRFS_NEVER_NS;
    parent->processes[SKRFS_ROLE_KEEPER].start_at_ns = 0;
    parent->processes[SKRFS_ROLE_COURIER].start_at_ns = 0;
    sigemptyset(ret_mine);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(heard); i++)
        sigaddset(ret_mine, heard[i]);
}

int skrfs_parent_run(const struct skrfs_parent_options *options, struct skrfs_error *err) {
    struct skrfs_parent parent;
    sigset_t mine, before;

    init(&parent, options, &mine);
    sigprocmask(SIG_BLOCK, &mine, &before);
    if (open_all(&parent, &mine, err) == 0)
        loop(&parent);
    else
        give_up(&parent, err);
    stop(&parent);
    close_all(&parent);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (!parent.failed)
        return 0;
    *err = parent.err;
    return -1;
}
