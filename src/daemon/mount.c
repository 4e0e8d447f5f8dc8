#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <skrfs/base/log.h>
#include <skrfs/daemon/process.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

#define CAP(name) (UINT64_C(1) << (name))

/* What a mount needs before it exists. */
struct plan {
    const struct skrfs_conf *conf;
    const struct skrfs_mount_options *options;
    struct skrfs_network network;
    dev_t below;
    struct skrfs_fs_handover *handover;
    struct skrfs_ledger *ledger;
    int fuse;
    int answer; /* where the caller waits; -1 in the foreground */
};

/* The root's attributes may be in the kernel's cache: statfs asks the server, whoever that is. */
static int look_at(const char *path, struct stat *ret_status) {
    struct statfs ignored;

    return stat(path, ret_status) < 0 || statfs(path, &ignored) < 0 ? -1 : 0;
}

/* A mount whose server was killed answers ENOTCONN: it is cleared away, as whoever mounts there
 * again would. */
int skrfs_mount_point_check(const char *path, dev_t *ret_device, struct skrfs_error *err) {
    struct stat status;
    int result = look_at(path, &status);

    if (result < 0 && errno == ENOTCONN) {
        skrfs_log_warning("a mount without a server is at %s: unmounting it", path);
        if (skrfs_fs_unmount(path, err) < 0)
            return -1;
        result = look_at(path, &status);
    }
    if (result < 0)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "mount point %s: %s", path, strerror(errno));
    if (!S_ISDIR(status.st_mode))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "mount point %s: not a directory", path);
    *ret_device = status.st_dev;
    return 0;
}

/* Nobody serves a mount that was handed over, yet: looking at it would not end. */
static int find_below(
        const struct skrfs_mount_options *options, dev_t *ret_below, struct skrfs_error *err) {
    if (!options->handed)
        return skrfs_mount_point_check(options->path, ret_below, err);
    *ret_below = options->handed->below;
    return 0;
}

/* As root: what unmounting, starting a courier that is nobody and a witness that sees everybody's
 * executable takes; of a service, as much of it as its unit gave. Another user's mount is unmounted
 * by fusermount3, whose set-user-ID bit must keep its meaning. */
static int seal_parent(const struct plan *plan, struct skrfs_error *err) {
    const uint64_t keep = CAP(CAP_SYS_ADMIN) | CAP(CAP_KILL) | CAP(CAP_SETUID) | CAP(CAP_SETGID) |
                          CAP(CAP_SETPCAP) | CAP(CAP_SYS_PTRACE) | CAP(CAP_DAC_READ_SEARCH) |
                          CAP(CAP_DAC_OVERRIDE) | CAP(CAP_IPC_LOCK);

    if (geteuid() == 0 || plan->options->handed) {
        if (skrfs_process_drop(keep, err) < 0)
            return -1;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
            return skrfs_fail_errno(err, errno, "forbid new privileges");
        if (skrfs_sandbox_parent(err) < 0)
            return -1;
    }
    return skrfs_process_seal("skrfs", err);
}

static void answer_caller(const struct plan *plan, const struct skrfs_error *err) {
    struct skrfs_notice notice = {.ready = err == NULL};

    if (err)
        notice.err = *err;
    if (plan->answer >= 0 && write(plan->answer, &notice, sizeof(notice)) < 0)
        skrfs_log_warning("whoever mounted did not wait for the answer");
}

static void ready(void *context) {
    struct plan *plan = context;

    skrfs_log_info("mounted at %s%s%s", plan->options->path, plan->conf->lab_dir ? ", a lab: " : "",
            plan->conf->lab_dir ? plan->conf->lab_dir : "");
    answer_caller(plan, NULL);
    skrfs_close_p(&plan->answer);
    plan->answer = -1;
    sd_notify(0, "READY=1");
}

/* What was taken back stays so when this process is killed and another comes. */
static int begin_handed(struct plan *plan, struct skrfs_error *err) {
    struct skrfs_handed *handed = plan->options->handed;
    const struct skrfs_conf *conf = plan->conf;
    skrfs_autoclose int fd = -1;

    plan->fuse = skrfs_take_fd(&handed->fuse);
    plan->handover = skrfs_take(handed->handover);
    if (handed->ledger >= 0 && skrfs_ledger_open(handed->ledger, conf->key_count, conf->digest,
                                       &plan->ledger, err) == 0)
        return 0;
    if (handed->ledger >= 0)
        skrfs_log_warning("%s: all keys begin anew", err->message);
    if (skrfs_ledger_create(conf->key_count, conf->digest, &fd, err) < 0 ||
            skrfs_ledger_open(fd, conf->key_count, conf->digest, &plan->ledger, err) < 0)
        return -1;
    return skrfs_service_keep_ledger(fd, err);
}

static int begin(struct plan *plan, struct skrfs_error *err) {
    if (plan->options->handed)
        return begin_handed(plan, err);
    if (skrfs_ledger_new(plan->conf->key_count, &plan->ledger, err) < 0 ||
            skrfs_fs_handover_new(&plan->handover, err) < 0)
        return -1;
    return skrfs_fs_mount(
            plan->options->path, plan->options->options, plan->conf->allow_other, &plan->fuse, err);
}

static void undo(const struct plan *plan) {
    struct skrfs_error ignored;

    if (!plan->options->handed)
        (void)!skrfs_fs_unmount(plan->options->path, &ignored);
}

static int serve(struct plan *plan, struct skrfs_error *err) {
    if (seal_parent(plan, err) < 0) {
        undo(plan);
        return -1;
    }
    struct skrfs_parent_options options = {.conf = plan->conf,
            .mount = plan->options,
            .network = &plan->network,
            .handover = plan->handover,
            .ledger = plan->ledger,
            .fuse = plan->fuse,
            .below = plan->below,
            .ready = ready,
            .context = plan};
    return skrfs_parent_run(&options, err);
}

static int run(struct plan *plan, struct skrfs_error *err) {
    return begin(plan, err) < 0 || serve(plan, err) < 0 ? -1 : 0;
}

static void plan_done(struct plan *plan) {
    skrfs_network_done(&plan->network);
    skrfs_close_p(&plan->fuse);
    if (plan->handover)
        skrfs_fs_handover_free(plan->handover);
    skrfs_ledger_free(plan->ledger);
}

/* The journal, or standard error when that is a file, or a lab's own log: anything but a terminal
 * or a pipe, whose other end would wait for this process. */
static int open_log(const struct skrfs_conf *conf) {
    char path[PATH_MAX];
    struct stat status;
    int fd = sd_journal_stream_fd("skrfs", 6, 1);

    if (fd >= 0 && fstat(fd, &status) == 0) {
        char id[48];
        (void)snprintf(id, sizeof(id), "%llu:%llu", (unsigned long long)status.st_dev,
                (unsigned long long)status.st_ino);
        setenv("JOURNAL_STREAM", id, 1);
        return fd;
    }
    if (fstat(2, &status) == 0 && S_ISREG(status.st_mode))
        return dup(2);
    if (conf->lab_dir &&
            (size_t)snprintf(path, sizeof(path), "%s/mount.log", conf->lab_dir) < sizeof(path))
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return fd >= 0 ? fd : open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static int detach(const struct skrfs_conf *conf, struct skrfs_error *err) {
    skrfs_autoclose int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    skrfs_autoclose int log = open_log(conf);

    if (null < 0 || log < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(log, 2) < 0)
        return skrfs_fail_errno(err, errno, "leave the terminal");
    setsid();
    if (chdir("/") < 0)
        return skrfs_fail_errno(err, errno, "leave the working directory");
    return 0;
}

/* The mount's own process in the background. Mounting comes before leaving the terminal:
 * fusermount3 says its reasons on standard error. */
static void live(struct plan *plan) {
    struct skrfs_error err;
    bool away = false;
    int result = begin(plan, &err);

    if (result == 0) {
        away = detach(plan->conf, &err) == 0;
        if (!away)
            undo(plan);
        result = away ? serve(plan, &err) : -1;
    }
    if (result < 0) {
        if (away)
            skrfs_log_error("%s", err.message);
        answer_caller(plan, &err);
    }
    _exit(result < 0 ? skrfs_class_exit_code(err.kind) : 0);
}

static int hear_answer(int fd, const char *path, struct skrfs_error *err) {
    struct skrfs_notice notice;
    ssize_t len;

    do
        len = read(fd, &notice, sizeof(notice));
    while (len < 0 && errno == EINTR);
    if (len != (ssize_t)sizeof(notice))
        return skrfs_fail(err, SKRFS_CLASS_SYSTEM,
                "the process of the mount %s ended before it answered", path);
    if (notice.ready)
        return 0;
    *err = notice.err;
    return -1;
}

static int run_background(struct plan *plan, struct skrfs_error *err) {
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0)
        return skrfs_fail_errno(err, errno, "make a pipe");
    skrfs_autoclose int from = pair[0];
    skrfs_autoclose int to = pair[1];
    pid_t pid = fork();
    if (pid < 0)
        return skrfs_fail_errno(err, errno, "go to the background");
    if (pid == 0) {
        close(skrfs_take_fd(&from));
        plan->answer = skrfs_take_fd(&to);
        live(plan);
    }
    close(skrfs_take_fd(&to));
    return hear_answer(from, plan->options->path, err);
}

int skrfs_mount_run(const struct skrfs_conf *conf, const struct skrfs_mount_options *options,
        struct skrfs_error *err) {
    struct plan plan = {.conf = conf, .options = options, .fuse = -1, .answer = -1};

    if (options->path[0] != '/')
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "mount point %s: not an absolute path", options->path);
    if (find_below(options, &plan.below, err) < 0 ||
            skrfs_network_prepare(conf, &plan.network, err) < 0)
        return -1;
    skrfs_environment_wipe();
    int result = options->foreground ? run(&plan, err) : run_background(&plan, err);
    plan_done(&plan);
    if (result < 0)
        return skrfs_wrap(err, "mount %s", options->path);
    return 0;
}
