/* The software TPM's process. */
#include "provision.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <skrfs/base/clock.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define PORT_FIRST 20000U /* below the range that the system hands out by itself */
#define PORT_COUNT 12000U
#define PORT_TRIES 16
#define ANSWER_NS (10 * SKRFS_SECOND_NS)
#define SETUP_NS (60 * SKRFS_SECOND_NS)

/* In the child: messages go where the lab's own go, and it does not outlive the lab. */
static void become(const char *dir, pid_t parent, char *const *argv) {
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent &&
            dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 && chdir(dir) == 0)
        (void)execvp(argv[0], argv);
    _exit(127);
}

static int spawn(const char *dir, char *const *argv, pid_t *ret_pid, struct skrfs_error *err) {
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return skrfs_fail_errno(err, errno, "start %s", argv[0]);
    if (pid == 0)
        become(dir, parent, argv);
    *ret_pid = pid;
    return 0;
}

/* Waits for a child's end; false when it goes on past the deadline. */
static bool wait_end(pid_t pid, uint64_t deadline_ns, int *ret_status) {
    for (;;) {
        pid_t ended = waitpid(pid, ret_status, WNOHANG);
        if (ended == pid || (ended < 0 && errno != EINTR))
            return true;
        if (skrfs_until_ns(deadline_ns) == 0)
            return false;
        (void)poll(NULL, 0, 10);
    }
}

static void end_child(pid_t pid) {
    int status = 0;
    (void)kill(pid, SIGTERM);
    if (!wait_end(pid, skrfs_now_ns() + 2 * SKRFS_SECOND_NS, &status)) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, &status, 0);
    }
}

static int make_state(const char *dir, struct skrfs_error *err) {
    /* Paths are relative to `dir`: swtpm's options have no way to write a comma. */
    static char *const argv[] = {(char *)"swtpm_setup", (char *)"--tpm2", (char *)"--tpmstate",
            (char *)"tpm", (char *)"--overwrite", (char *)"--pcr-banks", (char *)"sha256,sha384",
            NULL};
    pid_t pid = 0;
    int status = 0;
    if (spawn(dir, argv, &pid, err) < 0)
        return -1;
    if (!wait_end(pid, skrfs_now_ns() + SETUP_NS, &status)) {
        end_child(pid);
        return skrfs_fail(err, SKRFS_CLASS_TIMEOUT, "swtpm_setup does not come to an end");
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "swtpm_setup is not installed: the lab needs the packages swtpm and swtpm-tools");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return skrfs_fail(
                err, SKRFS_CLASS_SYSTEM, "swtpm_setup failed; what it says is in %s/lab.log", dir);
    return 0;
}

static bool port_is_free(unsigned port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
            .sin_port = htons((uint16_t)port),
            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    skrfs_autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    return fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
           bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static int pick_port(unsigned *ret_port, struct skrfs_error *err) {
    for (unsigned i = 0; i < 1000; i++) {
        uint32_t number = 0;
        if (skrfs_random(&number, sizeof(number), err) < 0)
            return -1;
        unsigned port = PORT_FIRST + number % (PORT_COUNT / 2) * 2;
        if (port_is_free(port) && port_is_free(port + 1)) {
            *ret_port = port;
            return 0;
        }
    }
    return skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "no two free ports for the software TPM");
}

static bool answers(unsigned port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
            .sin_port = htons((uint16_t)port),
            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    skrfs_autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

/* True once it listens; false when it ended, as it does when somebody else got the port first. */
static bool wait_listening(pid_t pid, unsigned port) {
    uint64_t deadline = skrfs_now_ns() + ANSWER_NS;
    while (skrfs_until_ns(deadline) > 0) {
        int status = 0;
        if (waitpid(pid, &status, WNOHANG) == pid)
            return false;
        if (answers(port))
            return true;
        (void)poll(NULL, 0, 5);
    }
    end_child(pid);
    return false;
}

static int start_once(
        const char *dir, struct skrfs_lab_machine *machine, bool *ret_up, struct skrfs_error *err) {
    char server[80];
    char control[80];
    if (pick_port(&machine->port, err) < 0)
        return -1;
    (void)snprintf(server, sizeof(server), "type=tcp,port=%u,bindaddr=127.0.0.1", machine->port);
    (void)snprintf(
            control, sizeof(control), "type=tcp,port=%u,bindaddr=127.0.0.1", machine->port + 1);
    char *const argv[] = {(char *)"swtpm", (char *)"socket", (char *)"--tpm2", (char *)"--tpmstate",
            (char *)"dir=tpm", (char *)"--server", server, (char *)"--ctrl", control,
            (char *)"--flags", (char *)"not-need-init,startup-clear", (char *)"--log",
            (char *)"file=swtpm.log,level=1", NULL};
    if (spawn(dir, argv, &machine->swtpm, err) < 0)
        return -1;
    *ret_up = wait_listening(machine->swtpm, machine->port);
    return 0;
}

int skrfs_lab_swtpm_start(
        const char *dir, struct skrfs_lab_machine *machine, struct skrfs_error *err) {
    if (make_state(dir, err) < 0)
        return -1;
    for (unsigned i = 0; i < PORT_TRIES; i++) {
        bool up = false;
        if (start_once(dir, machine, &up, err) < 0)
            return -1;
        if (up) {
            (void)snprintf(machine->tcti, sizeof(machine->tcti), "swtpm:host=127.0.0.1,port=%u",
                    machine->port);
            return 0;
        }
    }
    return skrfs_fail(
            err, SKRFS_CLASS_SYSTEM, "swtpm does not start; what it says is in %s/swtpm.log", dir);
}

void skrfs_lab_machine_stop(struct skrfs_lab_machine *machine) {
    if (machine->swtpm > 0)
        end_child(machine->swtpm);
    machine->swtpm = 0;
}
