/* A software TPM of its own for a test program: fresh state in a temporary folder, two free
 * loopback ports, a child process that goes with the test. */
#ifndef SKRFS_TESTS_SWTPM_H
#define SKRFS_TESTS_SWTPM_H

#include <sys/types.h>

struct swtpm {
    char dir[64];
    char tcti[64]; /* "swtpm:host=127.0.0.1,port=..." */
    unsigned short port;
    pid_t pid;
};

/* Makes the state and starts it. 0, or -1 when it does not come up within 20 seconds. */
int swtpm_start(struct swtpm *tpm);
/* Ends the process and removes the folder. */
void swtpm_stop(struct swtpm *tpm);
/* Ends it and starts it again over the same state: a reset, as at boot. */
int swtpm_restart(struct swtpm *tpm);
/* Starts a program with standard output and error on /dev/null; it dies with the caller. */
pid_t swtpm_spawn(const char *const *argv);
/* Two neighbouring free ports; the first. */
unsigned short swtpm_free_port(void);
/* A proxy (tests/tools/tpm_proxy.py) in front of it, see there what it can do. */
struct swtpm_proxy {
    pid_t pid;
    char tcti[64];
    char faults[96]; /* file of JSON lines */
    char log[96];    /* gets a line a command */
};
/* Starts one; `index` (may be NULL) is the file that the report index is answered from. */
int swtpm_proxy_start(struct swtpm_proxy *proxy, const struct swtpm *tpm, const char *index);
void swtpm_proxy_stop(struct swtpm_proxy *proxy);
/* Waits until somebody listens there. */
int swtpm_wait_port(unsigned short port);

#endif
