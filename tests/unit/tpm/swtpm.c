#include "swtpm.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WAITS = 1000, WAIT_MS = 20 };

static int port_socket(unsigned short port, int (*use)(int, const struct sockaddr *, socklen_t)) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && use(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

unsigned short swtpm_free_port(void) {
    for (unsigned i = 0; i < 1000; i++) {
        /* At random: test programs that start together must not try the same ones. */
        unsigned short random = 0;
        if (getrandom(&random, sizeof(random), 0) != sizeof(random))
            return 0;
        unsigned short port = (unsigned short)(20000 + random % 12000);
        int first = port_socket(port, bind), second = port_socket((unsigned short)(port + 1), bind);
        if (first >= 0)
            close(first);
        if (second >= 0)
            close(second);
        if (first >= 0 && second >= 0)
            return port;
    }
    return 0;
}

int swtpm_wait_port(unsigned short port) {
    for (unsigned i = 0; i < WAITS; i++) {
        int fd = port_socket(port, connect);
        if (fd >= 0) {
            close(fd);
            return 0;
        }
        nanosleep(&(struct timespec){.tv_nsec = WAIT_MS * 1000000L}, NULL);
    }
    return -1;
}

pid_t swtpm_spawn(const char *const *argv) {
    pid_t parent = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    int null = open("/dev/null", O_RDWR);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent || null < 0)
        _exit(126);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    execvp(argv[0], (char *const *)argv);
    _exit(127);
}

static int run(const char *const *argv) {
    int status = 0;
    pid_t pid = swtpm_spawn(argv);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static int launch(struct swtpm *tpm) {
    char state[96], server[96], control[96];
    if (tpm->port == 0)
        tpm->port = swtpm_free_port();
    snprintf(state, sizeof(state), "dir=%s", tpm->dir);
    snprintf(server, sizeof(server), "type=tcp,port=%d,bindaddr=127.0.0.1", tpm->port);
    snprintf(control, sizeof(control), "type=tcp,port=%d,bindaddr=127.0.0.1", tpm->port + 1);
    snprintf(tpm->tcti, sizeof(tpm->tcti), "swtpm:host=127.0.0.1,port=%d", tpm->port);
    const char *argv[] = {"swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", server,
            "--ctrl", control, "--flags", "not-need-init,startup-clear", NULL};
    tpm->pid = swtpm_spawn(argv);
    return tpm->pid > 0 ? swtpm_wait_port(tpm->port) : -1;
}

int swtpm_start(struct swtpm *tpm) {
    *tpm = (struct swtpm){.dir = "/tmp/skrfs-swtpm-XXXXXX"};
    if (!mkdtemp(tpm->dir))
        return -1;
    const char *argv[] = {"swtpm_setup", "--tpm2", "--tpmstate", tpm->dir, "--overwrite",
            "--pcr-banks", "sha256", NULL};
    if (run(argv) == 0 && launch(tpm) == 0)
        return 0;
    swtpm_stop(tpm);
    return -1;
}

static void end(pid_t *pid) {
    if (*pid > 0) {
        kill(*pid, SIGKILL);
        waitpid(*pid, NULL, 0);
    }
    *pid = 0;
}

int swtpm_restart(struct swtpm *tpm) {
    end(&tpm->pid);
    return launch(tpm);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where) {
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

void swtpm_stop(struct swtpm *tpm) {
    end(&tpm->pid);
    if (tpm->dir[0])
        nftw(tpm->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    tpm->dir[0] = '\0';
}

int swtpm_proxy_start(struct swtpm_proxy *proxy, const struct swtpm *tpm, const char *index) {
    const char *source = getenv("SKRFS_SOURCE");
    char script[512], port[16], upstream[32];
    unsigned short listening = swtpm_free_port();
    snprintf(script, sizeof(script), "%s/tests/tools/tpm_proxy.py", source ? source : ".");
    snprintf(port, sizeof(port), "%d", listening);
    snprintf(upstream, sizeof(upstream), "127.0.0.1:%d", tpm->port);
    snprintf(proxy->tcti, sizeof(proxy->tcti), "swtpm:host=127.0.0.1,port=%d", listening);
    snprintf(proxy->faults, sizeof(proxy->faults), "%s/faults", tpm->dir);
    snprintf(proxy->log, sizeof(proxy->log), "%s/commands", tpm->dir);
    const char *argv[] = {"python3", script, "--listen", port, "--swtpm", upstream, "--faults",
            proxy->faults, "--log", proxy->log, index ? "--index-file" : NULL, index, NULL};
    proxy->pid = swtpm_spawn(argv);
    return proxy->pid > 0 ? swtpm_wait_port(listening) : -1;
}

void swtpm_proxy_stop(struct swtpm_proxy *proxy) {
    end(&proxy->pid);
}
