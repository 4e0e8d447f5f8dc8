/* A TCTI over a connected descriptor (TCG TSS 2.0 TCTI specification): how a process whose sandbox
 * can open nothing talks to a TPM through one that can. Responses go straight into the caller's
 * buffer: nothing that the TPM decrypted stays here. */
#include "internal.h"

#include <poll.h>
#include <sys/socket.h>
#include <tss2/tss2_tcti.h>

enum { RESPONSE_MAX = 4096, HEADER_LEN = 10, AT_SIZE = 2 };

#define TCTI_FD_MAGIC UINT64_C(0x736b726673666420) /* "skrfsfd " */

struct tcti_fd {
    TSS2_TCTI_CONTEXT_COMMON_V2 common;
    int fd;
    bool packets; /* SOCK_SEQPACKET: one packet a message; otherwise a stream */
    bool waiting; /* a command was sent and its response not read */
};

static struct tcti_fd *cast(TSS2_TCTI_CONTEXT *tcti) {
    return (struct tcti_fd *)tcti;
}

static TSS2_RC fd_transmit(TSS2_TCTI_CONTEXT *tcti, size_t size, const uint8_t *command) {
    struct tcti_fd *self = cast(tcti);
    if (!command)
        return TSS2_TCTI_RC_BAD_REFERENCE;
    if (self->waiting)
        return TSS2_TCTI_RC_BAD_SEQUENCE;
    for (size_t done = 0; done < size;) {
        ssize_t sent = send(self->fd, command + done, size - done, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return TSS2_TCTI_RC_IO_ERROR;
        done += (size_t)sent;
    }
    self->waiting = true;
    return TSS2_RC_SUCCESS;
}

static bool receive_all(int fd, uint8_t *data, size_t len) {
    while (len > 0) {
        ssize_t got = recv(fd, data, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        data += got;
        len -= (size_t)got;
    }
    return true;
}

static size_t message_size(const uint8_t *message) {
    const uint8_t *at = message + AT_SIZE;
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

static TSS2_RC receive_packet(struct tcti_fd *self, size_t *size, uint8_t *response) {
    ssize_t got;
    do
        got = recv(self->fd, response, *size, MSG_TRUNC);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return TSS2_TCTI_RC_IO_ERROR;
    if (got < HEADER_LEN || (size_t)got > *size || message_size(response) != (size_t)got)
        return TSS2_TCTI_RC_MALFORMED_RESPONSE;
    *size = (size_t)got;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC receive_stream(struct tcti_fd *self, size_t *size, uint8_t *response) {
    if (*size < HEADER_LEN)
        return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
    if (!receive_all(self->fd, response, HEADER_LEN))
        return TSS2_TCTI_RC_IO_ERROR;
    size_t len = message_size(response);
    if (len < HEADER_LEN || len > *size)
        return TSS2_TCTI_RC_MALFORMED_RESPONSE;
    if (!receive_all(self->fd, response + HEADER_LEN, len - HEADER_LEN))
        return TSS2_TCTI_RC_IO_ERROR;
    *size = len;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC fd_receive(
        TSS2_TCTI_CONTEXT *tcti, size_t *size, uint8_t *response, int32_t timeout) {
    struct tcti_fd *self = cast(tcti);
    if (!size)
        return TSS2_TCTI_RC_BAD_REFERENCE;
    if (!self->waiting)
        return TSS2_TCTI_RC_BAD_SEQUENCE;
    if (!response) {
        *size = RESPONSE_MAX;
        return TSS2_RC_SUCCESS;
    }
    struct pollfd ready = {.fd = self->fd, .events = POLLIN};
    if (timeout >= 0 && poll(&ready, 1, timeout) == 0)
        return TSS2_TCTI_RC_TRY_AGAIN;
    self->waiting = false;
    return self->packets ? receive_packet(self, size, response)
                         : receive_stream(self, size, response);
}

static void fd_finalize(TSS2_TCTI_CONTEXT *tcti) {
    struct tcti_fd *self = cast(tcti);
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
}

static TSS2_RC fd_locality(TSS2_TCTI_CONTEXT *tcti, uint8_t locality) {
    (void)tcti;
    return locality == 0 ? TSS2_RC_SUCCESS : TSS2_TCTI_RC_NOT_SUPPORTED;
}

int skrfs_tcti_fd_new(int fd, TSS2_TCTI_CONTEXT **ret_tcti, struct skrfs_error *err) {
    int type = 0;
    socklen_t len = sizeof(type);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0)
        return skrfs_fail_errno(err, errno, "the TPM's descriptor");
    struct tcti_fd *self = calloc(1, sizeof(*self));
    if (!self)
        return skrfs_fail_memory(err);
    self->common.v1.magic = TCTI_FD_MAGIC;
    self->common.v1.version = 2;
    self->common.v1.transmit = fd_transmit;
    self->common.v1.receive = fd_receive;
    self->common.v1.finalize = fd_finalize;
    self->common.v1.setLocality = fd_locality;
    self->fd = fd;
    self->packets = type == SOCK_SEQPACKET;
    *ret_tcti = (TSS2_TCTI_CONTEXT *)self;
    return 0;
}

void skrfs_tcti_fd_free(TSS2_TCTI_CONTEXT *tcti) {
    fd_finalize(tcti);
    free(cast(tcti));
}
