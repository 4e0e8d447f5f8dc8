/* The relay: commands pass, what a client leaves loaded is flushed, and a TPM that goes comes back.
 */
#include "handles.h"
#include "support.h"
#include "swtpm.h"

#include <signal.h>
#include <skrfs/crypto/hash.h>
#include <skrfs/tpm/provision.h>
#include <skrfs/tpm/relay.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct swtpm soft;

static int start(void **state) {
    struct skrfs_error err = {0};
    (void)state;
    return skrfs_crypto_setup(&err) < 0 ? -1 : swtpm_start(&soft);
}

static int stop(void **state) {
    (void)state;
    swtpm_stop(&soft);
    return 0;
}

/* The relay in a child; the descriptor to speak to it. */
static int start_relay(const char *tcti, pid_t *ret_pid) {
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    *ret_pid = fork();
    assert_true(*ret_pid >= 0);
    if (*ret_pid == 0) {
        struct skrfs_error err = {0};
        /* Also the other relays' ends that it inherited: they would never see their clients go. */
        for (int fd = 3; fd < 64; fd++)
            if (fd != ends[1])
                close(fd);
        _exit(skrfs_tpm_relay(tcti, ends[1], &err) == 0 ? 0 : 1);
    }
    close(ends[1]);
    return ends[0];
}

static int wait_for(pid_t pid) {
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void commands_pass(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tpm *tpm = NULL;
    static struct skrfs_tpm_ephemeral key;
    static struct skrfs_tpm_attestation certified;
    struct skrfs_tpm_blob public;
    uint8_t modulus[256], pcrs[8][32], data[1500] = {1, 2, 3};
    skrfs_autobuf got = SKRFS_BUF(4096);
    pid_t pid;
    (void)state;
    int fd = start_relay(soft.tcti, &pid);
    assert_ok(skrfs_tpm_open_fd(fd, &tpm, &err), err);
    assert_ok(skrfs_tpm_make_ak(tpm, &public, modulus, &err), err);
    assert_ok(skrfs_tpm_nv_define(tpm, 0x01400001, (struct skrfs_bytes){data, sizeof(data)},
                      sizeof(data), &err),
            err);
    assert_ok(skrfs_tpm_nv_read(tpm, 0x01400001, &got, &err), err);
    assert_int_equal(got.len, sizeof(data));
    assert_memory_equal(got.data, data, sizeof(data));
    assert_ok(skrfs_tpm_pcr_read(tpm, pcrs, &err), err);
    assert_ok(skrfs_tpm_ephemeral(tpm, SKRFS_TPM_AK, pcrs, NULL, &key, &certified, &err), err);
    assert_int_equal(handles_loaded(soft.tcti), 0);
    skrfs_tpm_close(tpm);
    assert_int_equal(wait_for(pid), 0);
    assert_int_equal(handles_loaded(soft.tcti), 0);
}

/* TPM2_StartAuthSession of a policy session, and TPM2_HashSequenceStart: two things that stay
 * loaded. */
static void leave_things(int fd) {
    static const uint8_t session[] = {0x80, 0x01, 0, 0, 0, 43, 0, 0, 0x01, 0x76, 0x40, 0, 0, 7,
            0x40, 0, 0, 7, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0, 0, 1, 0,
            0x10, 0, 0x0B};
    static const uint8_t sequence[] = {0x80, 0x01, 0, 0, 0, 14, 0, 0, 0x01, 0x86, 0, 0, 0, 0x0B};
    uint8_t response[4096];
    assert_int_equal(send(fd, session, sizeof(session), 0), sizeof(session));
    assert_true(recv(fd, response, sizeof(response), 0) > 14);
    assert_memory_equal(response + 6, "\0\0\0\0", 4);
    assert_int_equal(send(fd, sequence, sizeof(sequence), 0), sizeof(sequence));
    assert_true(recv(fd, response, sizeof(response), 0) >= 14);
    assert_memory_equal(response + 6, "\0\0\0\0", 4);
}

static void what_a_killed_client_left_is_flushed(void **state) {
    pid_t relay;
    int told[2];
    char done;
    (void)state;
    int fd = start_relay(soft.tcti, &relay);
    assert_int_equal(pipe(told), 0);
    pid_t client = fork();
    assert_true(client >= 0);
    if (client == 0) {
        leave_things(fd);
        (void)!write(told[1], "x", 1);
        pause();
        _exit(1);
    }
    close(fd);
    assert_int_equal(read(told[0], &done, 1), 1);
    assert_true(handles_loaded(soft.tcti) >= 2);
    kill(client, SIGKILL);
    assert_int_equal(waitpid(client, NULL, 0), client);
    assert_int_equal(wait_for(relay), 0);
    assert_int_equal(handles_loaded(soft.tcti), 0);
    close(told[0]);
    close(told[1]);
}

static void what_was_flushed_is_not_flushed_again(void **state) {
    static const uint8_t sequence[] = {0x80, 0x01, 0, 0, 0, 14, 0, 0, 0x01, 0x86, 0, 0, 0, 0x0B};
    uint8_t flush[] = {0x80, 0x01, 0, 0, 0, 14, 0, 0, 0x01, 0x65, 0, 0, 0, 0};
    uint8_t response[4096];
    pid_t relay, other;
    (void)state;
    int fd = start_relay(soft.tcti, &relay);
    assert_int_equal(send(fd, sequence, sizeof(sequence), 0), sizeof(sequence));
    assert_int_equal(recv(fd, response, sizeof(response), 0), 14);
    memcpy(flush + 10, response + 10, 4);
    assert_int_equal(send(fd, flush, sizeof(flush), 0), sizeof(flush));
    assert_int_equal(recv(fd, response, sizeof(response), 0), 10);
    /* The TPM gives the same handle to the next client, whose object must survive the first one's
     * end. */
    int second = start_relay(soft.tcti, &other);
    assert_int_equal(send(second, sequence, sizeof(sequence), 0), sizeof(sequence));
    assert_int_equal(recv(second, response, sizeof(response), 0), 14);
    assert_memory_equal(response + 10, flush + 10, 4);
    close(fd);
    assert_int_equal(wait_for(relay), 0);
    assert_int_equal(handles_loaded(soft.tcti), 1);
    close(second);
    assert_int_equal(wait_for(other), 0);
    assert_int_equal(handles_loaded(soft.tcti), 0);
}

static void a_malformed_command_ends_the_relay(void **state) {
    pid_t relay;
    (void)state;
    int fd = start_relay(soft.tcti, &relay);
    assert_int_equal(send(fd, "\x80\x01\0\0\0\x0c\0\0\x01\x44", 10, 0), 10);
    assert_int_equal(wait_for(relay), 1);
    close(fd);
}

static void a_tpm_that_comes_back_is_used_again(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tpm *tpm = NULL;
    uint8_t pcrs[8][32];
    pid_t pid;
    (void)state;
    int fd = start_relay(soft.tcti, &pid);
    assert_ok(skrfs_tpm_open_fd(fd, &tpm, &err), err);
    kill(soft.pid, SIGKILL);
    assert_int_equal(waitpid(soft.pid, NULL, 0), soft.pid);
    soft.pid = 0;
    assert_fails(skrfs_tpm_pcr_read(tpm, pcrs, &err), err, SKRFS_CLASS_UNAVAILABLE, "no answer");
    assert_true(err.retryable);
    assert_fails(skrfs_tpm_pcr_read(tpm, pcrs, &err), err, SKRFS_CLASS_UNAVAILABLE, "no answer");
    assert_int_equal(swtpm_restart(&soft), 0);
    assert_ok(skrfs_tpm_pcr_read(tpm, pcrs, &err), err);
    /* A relay that goes is told, and nothing hangs. */
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_fails(skrfs_tpm_pcr_read(tpm, pcrs, &err), err, SKRFS_CLASS_UNAVAILABLE, "no answer");
    skrfs_tpm_close(tpm);
}

static void a_relay_may_begin_before_its_tpm(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = NULL;
    uint8_t pcrs[8][32];
    pid_t pid;
    (void)state;
    kill(soft.pid, SIGKILL);
    assert_int_equal(waitpid(soft.pid, NULL, 0), soft.pid);
    soft.pid = 0;
    int fd = start_relay(soft.tcti, &pid);
    assert_fails(skrfs_tpm_open_fd(fd, &tpm, &err), err, SKRFS_CLASS_UNAVAILABLE, "no answer");
    assert_int_equal(swtpm_restart(&soft), 0);
    assert_ok(skrfs_tpm_open_fd(fd, &tpm, &err), err);
    assert_ok(skrfs_tpm_pcr_read(tpm, pcrs, &err), err);
    skrfs_tpm_close(skrfs_take(tpm));
    assert_int_equal(wait_for(pid), 0);
}

static void only_devices_need_no_relay(void **state) {
    (void)state;
    assert_true(skrfs_tpm_tcti_is_device("device:/dev/tpmrm0"));
    assert_true(skrfs_tpm_tcti_is_device("device"));
    assert_false(skrfs_tpm_tcti_is_device("swtpm:host=127.0.0.1,port=1"));
    assert_false(skrfs_tpm_tcti_is_device("devices:x"));
}

static void a_relay_that_is_gone_is_told(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tpm *tpm = NULL;
    int ends[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    close(ends[1]);
    assert_fails(skrfs_tpm_open_fd(ends[0], &tpm, &err), err, SKRFS_CLASS_UNAVAILABLE, "no answer");
    /* It stays the caller's when it fails. */
    assert_int_equal(close(ends[0]), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(commands_pass),
            cmocka_unit_test(what_a_killed_client_left_is_flushed),
            cmocka_unit_test(what_was_flushed_is_not_flushed_again),
            cmocka_unit_test(a_malformed_command_ends_the_relay),
            cmocka_unit_test(a_tpm_that_comes_back_is_used_again),
            cmocka_unit_test(a_relay_may_begin_before_its_tpm),
            cmocka_unit_test(only_devices_need_no_relay),
            cmocka_unit_test(a_relay_that_is_gone_is_told),
    };
    return cmocka_run_group_tests_name("relay", tests, start, stop);
}
