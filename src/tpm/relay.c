#include "internal.h"

#include <skrfs/tpm/relay.h>
#include <sys/socket.h>
#include <tss2/tss2_tctildr.h>

enum {
    MESSAGE_MAX = 4096,
    HEADER_LEN = 10,
    AT_SIZE = 2,
    AT_CODE = 6,
    AT_HANDLE = 10,
    HANDLES_MAX = 128
};

struct relay {
    const char *config;
    TSS2_TCTI_CONTEXT *tcti; /* NULL until the next command, after a failure */
    uint32_t handles[HANDLES_MAX];
    size_t count;
};

static uint32_t get32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put32(uint8_t *at, uint32_t value) {
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Commands whose response begins with the handle of something that was loaded. */
static bool loads(uint32_t code) {
    switch (code) {
    case TPM2_CC_CreatePrimary:
    case TPM2_CC_Load:
    case TPM2_CC_LoadExternal:
    case TPM2_CC_CreateLoaded:
    case TPM2_CC_ContextLoad:
    case TPM2_CC_StartAuthSession:
    case TPM2_CC_HMAC_Start:
    case TPM2_CC_HashSequenceStart:
        return true;
    default:
        return false;
    }
}

/* Commands that take the object of their first handle away. */
static bool unloads(uint32_t code) {
    return code == TPM2_CC_FlushContext || code == TPM2_CC_SequenceComplete;
}

static void forget(struct relay *relay, uint32_t handle) {
    for (size_t i = 0; i < relay->count; i++)
        if (relay->handles[i] == handle) {
            relay->handles[i] = relay->handles[--relay->count];
            return;
        }
}

/* Keeps book of what the client has loaded. A list that is full forgets nothing that a TPM could
 * hold: the few slots of a TPM are far below its length. */
static void note(struct relay *relay, const uint8_t *command, size_t command_len,
        const uint8_t *response, size_t response_len) {
    uint32_t code = get32(command + AT_CODE);
    if (get32(response + AT_CODE) != TPM2_RC_SUCCESS)
        return;
    if (unloads(code) && command_len >= AT_HANDLE + 4)
        forget(relay, get32(command + AT_HANDLE));
    if (!loads(code) || response_len < AT_HANDLE + 4)
        return;
    uint32_t handle = get32(response + AT_HANDLE);
    forget(relay, handle);
    if (relay->count < HANDLES_MAX)
        relay->handles[relay->count++] = handle;
}

static TSS2_RC exchange(struct relay *relay, const uint8_t *command, size_t command_len,
        uint8_t response[MESSAGE_MAX], size_t *ret_len) {
    size_t len = MESSAGE_MAX;
    struct skrfs_error ignored = {0};
    if (!relay->tcti && skrfs_tpm_load_tcti(relay->config, &relay->tcti, &ignored) < 0)
        return TSS2_TCTI_RC_NO_CONNECTION;
    TSS2_RC rc = Tss2_Tcti_Transmit(relay->tcti, command_len, command);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_Tcti_Receive(relay->tcti, &len, response, TSS2_TCTI_TIMEOUT_BLOCK);
    if (rc == TSS2_RC_SUCCESS && (len < HEADER_LEN || len > MESSAGE_MAX))
        rc = TSS2_TCTI_RC_MALFORMED_RESPONSE;
    if (rc != TSS2_RC_SUCCESS) {
        /* Its state is unknown now. */
        Tss2_TctiLdr_Finalize(&relay->tcti);
        return rc;
    }
    *ret_len = len;
    return TSS2_RC_SUCCESS;
}

/* A TPM that cannot be reached is told to the client in a response of its own, as resource managers
 * do: it may come back, and the client's connection should outlive that. */
static size_t make_header(uint8_t *message, size_t len, uint32_t code) {
    message[0] = TPM2_ST_NO_SESSIONS >> 8;
    message[1] = TPM2_ST_NO_SESSIONS & 0xFF;
    put32(message + AT_SIZE, (uint32_t)len);
    put32(message + AT_CODE, code);
    return len;
}

/* Reads one command; 0 octets when the client is gone. */
static int read_command(
        int fd, uint8_t command[MESSAGE_MAX], size_t *ret_len, struct skrfs_error *err) {
    ssize_t got;
    do
        got = recv(fd, command, MESSAGE_MAX, MSG_TRUNC);
    while (got < 0 && errno == EINTR);
    if (got < 0 && errno != ECONNRESET)
        return skrfs_fail_errno(err, errno, "read a command for the TPM");
    if (got > 0 &&
            (got < HEADER_LEN || got > MESSAGE_MAX || get32(command + AT_SIZE) != (size_t)got))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the TPM relay got a malformed command");
    *ret_len = got > 0 ? (size_t)got : 0;
    return 0;
}

static int serve_one(struct relay *relay, int fd, const uint8_t *command, size_t command_len,
        struct skrfs_error *err) {
    uint8_t response[MESSAGE_MAX];
    size_t len = 0;
    TSS2_RC rc = exchange(relay, command, command_len, response, &len);
    if (rc == TSS2_RC_SUCCESS)
        note(relay, command, command_len, response, len);
    else /* as resource managers do: the TPM may come back, and the connection outlives that */
        len = make_header(response, HEADER_LEN, rc);
    ssize_t sent;
    do
        sent = send(fd, response, len, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    int saved = errno;
    skrfs_wipe(response, len);
    if (sent < 0 && saved != EPIPE && saved != ECONNRESET)
        return skrfs_fail_errno(err, saved, "answer the TPM's client");
    return 0;
}

static void flush_left(struct relay *relay) {
    while (relay->count > 0) {
        uint8_t command[AT_HANDLE + 4], response[MESSAGE_MAX];
        size_t len = 0;
        make_header(command, sizeof(command), TPM2_CC_FlushContext);
        put32(command + AT_HANDLE, relay->handles[--relay->count]);
        (void)exchange(relay, command, sizeof(command), response, &len);
    }
}

int skrfs_tpm_relay(const char *tcti, int fd, struct skrfs_error *err) {
    struct relay relay = {.config = tcti};
    struct skrfs_error ignored;
    uint8_t command[MESSAGE_MAX];
    size_t len = 0;
    /* A TPM that is not there yet is tried again at each command. */
    int result = 0;
    if (skrfs_tpm_load_tcti(tcti, &relay.tcti, &ignored) < 0)
        relay.tcti = NULL;
    while (result == 0) {
        result = read_command(fd, command, &len, err);
        if (result < 0 || len == 0)
            break;
        result = serve_one(&relay, fd, command, len, err);
    }
    flush_left(&relay);
    if (relay.tcti)
        Tss2_TctiLdr_Finalize(&relay.tcti);
    return result;
}
