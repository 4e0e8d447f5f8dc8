/* What a taken-over keeper sends to the relay of a TPM, and what the TPM's simulator says to it:
 * how many commands (and in bit 7 whether the simulator's is a stream), then messages, each behind
 * its length in two octets: the commands, then the responses. */
#include "../../../src/tpm/internal.h"

#include <skrfs/tpm/relay.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int __wrap_skrfs_tpm_load_tcti(
        const char *tcti, TSS2_TCTI_CONTEXT **ret_tcti, struct skrfs_error *err);
void __wrap_Tss2_TctiLdr_Finalize(TSS2_TCTI_CONTEXT **tcti);

struct input {
    const uint8_t *at, *end;
};

static struct input input;
static bool stream;
static int device = -1; /* the TPM's end */

/* False at the input's end. */
static bool next(struct skrfs_bytes *ret_message) {
    size_t left = (size_t)(input.end - input.at);
    if (left < 2)
        return false;
    size_t len = input.at[0] | (size_t)input.at[1] << 8;
    ret_message->data = input.at + 2;
    ret_message->len = len < left - 2 ? len : left - 2;
    input.at += 2 + ret_message->len;
    return true;
}

enum { AT_ONCE = 4 }; /* responses that lie there when the TPM is opened, anew after each failure */

/* The keeper's way to a TPM through a socket, which a relay may have to its own one just as well.
 */
int __wrap_skrfs_tpm_load_tcti(
        const char *tcti, TSS2_TCTI_CONTEXT **ret_tcti, struct skrfs_error *err) {
    struct skrfs_bytes response;
    (void)tcti;
    if (device >= 0)
        close(device);
    device = -1;
    int ends[2];
    if (input.at == input.end)
        return skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "the TPM is not there");
    if (socketpair(AF_UNIX, (stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0, ends) < 0)
        abort();
    device = ends[0];
    for (unsigned i = 0; i < AT_ONCE && next(&response); i++)
        if (response.len)
            (void)send(device, response.data, response.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)shutdown(device, SHUT_WR);
    return skrfs_tcti_fd_new(ends[1], ret_tcti, err);
}

void __wrap_Tss2_TctiLdr_Finalize(TSS2_TCTI_CONTEXT **tcti) {
    skrfs_tcti_fd_free(*tcti);
    *tcti = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int ends[2];
    struct skrfs_bytes command;
    struct skrfs_error err;
    uint8_t heard[4096];
    if (size < 1 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return 0;
    input = (struct input){data + 1, data + size};
    stream = data[0] & 0x80;
    for (unsigned i = 0; i < data[0] % 16 && next(&command); i++)
        if (command.len)
            (void)send(ends[0], command.data, command.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)shutdown(ends[0], SHUT_WR);
    (void)!skrfs_tpm_relay("fuzz", ends[1], &err);
    close(ends[1]);
    /* Whatever the TPM said, each answer is one. */
    for (ssize_t len; (len = recv(ends[0], heard, sizeof(heard), 0)) > 0;)
        if (len < 10)
            abort();
    close(ends[0]);
    if (device >= 0)
        close(device);
    device = -1;
    return 0;
}
