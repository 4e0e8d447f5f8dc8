/* Bringing the lab up and down. */
#include <skrfs/lab/lab.h>

#include "files.h"
#include "server.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <skrfs/base/file.h>
#include <skrfs/base/log.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#define DOWN_MS 8000

/* A lab that runs in this process. */
struct running {
    char dir[PATH_MAX];
    int lock;
    struct skrfs_lab *lab;
    struct skrfs_lab_machine machine;
    struct skrfs_lab_server *server;
};

static int up_already(const char *dir, pid_t holder, struct skrfs_error *err) {
    return skrfs_fail(err, SKRFS_CLASS_CONFIG,
            "the lab in %s is up already (process %d); use it, or end it with 'skrfs lab down "
            "--dir %s'",
            dir, (int)holder, dir);
}

static int take_lock(struct running *running, struct skrfs_error *err) {
    pid_t holder = 0;
    if (skrfs_lab_dir_lock(running->dir, &running->lock, &holder, err) < 0)
        return -1;
    if (running->lock < 0)
        return up_already(running->dir, holder, err);
    return 0;
}

static int make_lab(struct running *running, const struct skrfs_lab_options *options,
        const struct skrfs_lab_ports *ports, bool tdx, struct skrfs_error *err) {
    if (skrfs_lab_new(ports, tdx, options->throttle, &running->lab, err) < 0)
        return -1;
    (void)snprintf(running->lab->dir, sizeof(running->lab->dir), "%s", running->dir);
    return 0;
}

static int bring_up(
        struct running *running, const struct skrfs_lab_options *options, struct skrfs_error *err) {
    struct skrfs_lab_sockets sockets;
    bool tdx = options->tee && strcmp(options->tee, "tdx") == 0;
    if (take_lock(running, err) < 0 || skrfs_crypto_setup(err) < 0 ||
            skrfs_lab_listen(&sockets, err) < 0)
        return -1;
    if (make_lab(running, options, &sockets.ports, tdx, err) < 0 ||
            skrfs_lab_machine_start(
                    running->lab, running->dir, options->tcti, &running->machine, err) < 0 ||
            skrfs_lab_dir_fill(running->dir, running->lab, &running->machine, err) < 0 ||
            skrfs_lab_server_start(running->lab, &sockets, &running->server, err) < 0) {
        if (sockets.imds >= 0)
            close(sockets.imds);
        if (sockets.https >= 0)
            close(sockets.https);
        return -1;
    }
    skrfs_log_info("the lab is up in %s", running->dir);
    return 0;
}

static void bring_down(struct running *running) {
    skrfs_lab_server_stop(running->server);
    skrfs_lab_machine_stop(&running->machine);
    skrfs_lab_free(running->lab);
    if (running->lock >= 0)
        close(running->lock);
}

/* Until a signal asks for the end. The federated token is renewed long before it expires. */
static void wait_for_end(const struct running *running, const sigset_t *signals) {
    const struct timespec renewal = {.tv_sec = SKRFS_LAB_FEDERATED_LIFE_S / 4};
    struct skrfs_error err;
    while (sigtimedwait(signals, NULL, &renewal) < 0) {
        if (errno == EAGAIN && skrfs_lab_dir_renew(running->dir, running->lab, &err) < 0)
            skrfs_log_warning("%s", err.message);
    }
}

static void block_signals(sigset_t *ret_signals, sigset_t *ret_before) {
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGTERM);
    sigaddset(ret_signals, SIGINT);
    sigaddset(ret_signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, ret_signals, ret_before);
}

/* What the lab's process tells the one that started it. */
struct report {
    bool up;
    struct skrfs_error err;
};

static int run(const struct running *prepared, const struct skrfs_lab_options *options,
        int report_fd, struct skrfs_error *err) {
    struct running running = *prepared;
    struct report report = {0};
    sigset_t signals;
    sigset_t before;
    block_signals(&signals, &before);
    int rc = bring_up(&running, options, err);
    report.up = rc == 0;
    if (rc < 0)
        report.err = *err;
    if (report_fd >= 0) {
        struct skrfs_error lost;
        (void)!skrfs_fd_write(report_fd, &report, sizeof(report), &lost);
        close(report_fd);
    }
    if (rc == 0)
        wait_for_end(&running, &signals);
    bring_down(&running);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

/* In the child: away from the terminal and from the parent's descriptors. */
static int detach(const char *dir, struct skrfs_error *err) {
    char path[PATH_MAX + 16];
    (void)snprintf(path, sizeof(path), "%s/lab.log", dir);
    skrfs_autoclose int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    skrfs_autoclose int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (log < 0 || null < 0)
        return skrfs_fail_errno(err, errno, "open %s", path);
    if (setsid() < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 ||
            dup2(log, STDERR_FILENO) < 0)
        return skrfs_fail_errno(err, errno, "leave the terminal");
    return 0;
}

/* Descriptors of the starting process are none of the lab's business: one kept open would keep that
 * process's readers waiting. */
static int close_others(int *report_fd) {
    int kept = dup2(*report_fd, 3);
    if (kept < 0)
        return -1;
    if (*report_fd != kept)
        close(*report_fd);
    *report_fd = kept;
    (void)fcntl(kept, F_SETFD, FD_CLOEXEC);
    return close_range(4, UINT_MAX, 0);
}

static void child(
        const struct running *prepared, const struct skrfs_lab_options *options, int report_fd) {
    struct skrfs_error err = {0};
    struct report report = {0};
    skrfs_log_set_name("lab");
    if (detach(prepared->dir, &err) < 0 || close_others(&report_fd) < 0) {
        report.err = err;
        (void)!skrfs_fd_write(report_fd, &report, sizeof(report), &err);
        _exit(1);
    }
    _exit(run(prepared, options, report_fd, &err) < 0 ? 1 : 0);
}

/* Reads what the child has to say; one that ended before is a failure too. */
static int hear(pid_t pid, int fd, struct skrfs_error *err) {
    struct report report;
    struct skrfs_error lost;
    int status = 0;
    bool heard = skrfs_fd_read(fd, &report, sizeof(report), &lost) == 0;
    if (heard && report.up)
        return 0;
    (void)waitpid(pid, &status, 0);
    if (!heard)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "the lab's process ended before it was up");
    *err = report.err;
    return -1;
}

static int start_child(const struct running *prepared, const struct skrfs_lab_options *options,
        struct skrfs_error *err) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return skrfs_fail_errno(err, errno, "make a pipe");
    skrfs_autoclose int hearing = ends[0];
    skrfs_autoclose int telling = ends[1];
    pid_t pid = fork();
    if (pid < 0)
        return skrfs_fail_errno(err, errno, "start the lab's process");
    if (pid == 0) {
        close(hearing);
        child(prepared, options, telling);
    }
    close(skrfs_take_fd(&telling));
    return hear(pid, hearing, err);
}

/* Whoever holds the lock is the lab's process. */
static int holder_of(const char *dir, pid_t *ret_pid, struct skrfs_error *err) {
    int fd = -1;
    if (skrfs_lab_dir_lock(dir, &fd, ret_pid, err) < 0)
        return -1;
    if (fd >= 0)
        close(fd);
    return 0;
}

static int prepare(
        const struct skrfs_lab_options *options, struct running *running, struct skrfs_error *err) {
    pid_t holder = 0;
    if (options->tee && strcmp(options->tee, "snp") != 0 && strcmp(options->tee, "tdx") != 0)
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "the lab has no TEE '%s': snp or tdx", options->tee);
    if (skrfs_lab_dir_resolve(options->dir, running->dir, sizeof(running->dir), err) < 0)
        return -1;
    if (skrfs_lab_dir_is_lab(running->dir) && holder_of(running->dir, &holder, err) < 0)
        return -1;
    if (holder != 0)
        return up_already(running->dir, holder, err);
    return skrfs_lab_dir_make(running->dir, err);
}

int skrfs_lab_up(const struct skrfs_lab_options *options, struct skrfs_error *err) {
    struct running running = {.lock = -1};
    if (prepare(options, &running, err) < 0)
        return -1;
    int rc = options->foreground ? run(&running, options, -1, err)
                                 : start_child(&running, options, err);
    if (rc < 0)
        return skrfs_wrap(err, "bring the lab up");
    return 0;
}

/* True when the process of a pidfd has ended within so many milliseconds. */
static bool has_ended(int pidfd, int ms) {
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    return poll(&ended, 1, ms) == 1;
}

static int end_process(const char *dir, pid_t pid, struct skrfs_error *err) {
    pid_t holder = 0;
    skrfs_autoclose int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0 && errno != ESRCH)
        return skrfs_fail_errno(err, errno, "look at the lab's process %d", (int)pid);
    /* Still the holder: then the pidfd is that process, and not one that got its number since. */
    if (holder_of(dir, &holder, err) < 0)
        return -1;
    if (pidfd < 0 || holder != pid)
        return 0;
    if (pidfd_send_signal(pidfd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
        return skrfs_fail_errno(err, errno, "end the lab's process %d", (int)pid);
    if (!has_ended(pidfd, DOWN_MS)) {
        (void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
        if (!has_ended(pidfd, DOWN_MS))
            return skrfs_fail(
                    err, SKRFS_CLASS_TIMEOUT, "the lab's process %d does not end", (int)pid);
    }
    (void)waitpid(pid, NULL, WNOHANG); /* in case it is our own child */
    return 0;
}

int skrfs_lab_down(const char *dir, struct skrfs_error *err) {
    char path[PATH_MAX];
    pid_t holder = 0;
    if (skrfs_lab_dir_resolve(dir, path, sizeof(path), err) < 0)
        return -1;
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    if (!skrfs_lab_dir_is_lab(path))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "%s is no lab's folder: it is left alone", path);
    if (skrfs_lab_dir_check_unmounted(path, err) < 0 || holder_of(path, &holder, err) < 0)
        return -1;
    if (holder > 0 && end_process(path, holder, err) < 0)
        return -1;
    return skrfs_lab_dir_remove(path, err);
}
