/* A guest's /dev/sev of the 5.15 kernels of older confidential containers: a driver that was never
 * merged, with numbers of its own. On a host the same node is the security processor's. */
#include "internal.h"

#include <skrfs/evidence/snp.h>
#include <string.h>
#include <sys/ioctl.h>

#define RESPONSE_LEN 1280

struct legacy_request {
    uint8_t request_type, response_type, version, padding1;
    uint16_t request_len, padding2;
    uint64_t request;
    uint16_t response_len, padding3[3];
    uint64_t response;
    uint32_t error, padding4; /* of the firmware */
};
_Static_assert(sizeof(struct legacy_request) == 40, "the guest request of Linux 5.15");

enum { MSG_REPORT_REQ = 5, MSG_REPORT_RSP = 6 };
#define GET_REPORT _IOWR('S', 0x1, struct legacy_request)

static const unsigned long ioctls[] = {GET_REPORT};

struct sev_legacy {
    struct skrfs_source base;
    int fd;
    uint8_t response[RESPONSE_LEN];
};

static int call(struct sev_legacy *legacy, const uint8_t report_data[64], uint32_t *ret_error) {
    uint8_t request[SKRFS_SEV_REQUEST_LEN];
    struct legacy_request arguments = {.request_type = MSG_REPORT_REQ,
            .response_type = MSG_REPORT_RSP,
            .version = 1,
            .request_len = sizeof(request),
            .request = (uint64_t)(uintptr_t)request,
            .response_len = RESPONSE_LEN,
            .response = (uint64_t)(uintptr_t)legacy->response};
    skrfs_sev_request(report_data, request);
    memset(legacy->response, 0, sizeof(legacy->response));
    int result = ioctl(legacy->fd, GET_REPORT, &arguments);
    int errnum = errno;
    *ret_error = arguments.error;
    return result < 0 ? errnum : 0;
}

static int sev_legacy_ask(struct skrfs_source *source, const uint8_t report_data[64],
        struct skrfs_evidence *evidence, struct skrfs_error *err) {
    struct sev_legacy *legacy = (struct sev_legacy *)source;
    uint32_t code;
    int errnum = call(legacy, report_data, &code);
    if (errnum)
        return skrfs_sev_failed(err, errnum, code);
    struct skrfs_bytes response = {legacy->response, sizeof(legacy->response)};
    return skrfs_sev_response(response, &evidence->report, err);
}

static void sev_legacy_close(struct skrfs_source *source) {
    struct sev_legacy *legacy = (struct sev_legacy *)source;
    skrfs_close_p(&legacy->fd);
    free(legacy);
}

static const struct skrfs_source_ops sev_legacy_ops = {
        .name = "/dev/sev", .ask = sev_legacy_ask, .close = sev_legacy_close};

/* A host's driver knows one number, which is another (drivers/crypto/ccp/sev-dev.c): the request
 * does not reach its firmware. */
static int tell_from_host(struct sev_legacy *legacy, const char *path, struct skrfs_error *err) {
    static const uint8_t nothing[64];
    uint32_t code;
    int errnum = call(legacy, nothing, &code);
    if (code == 0 && (errnum == ENOTTY || errnum == EINVAL || errnum == ENODEV))
        return skrfs_fail(err, SKRFS_CLASS_NO_TEE,
                "%s is not a guest's device but the security processor of a host", path);
    return errnum ? skrfs_sev_failed(err, errnum, code) : 0;
}

int skrfs_sev_legacy_open(const struct skrfs_tee_options *options, const char *path,
        struct skrfs_source **ret_source, struct skrfs_error *err) {
    skrfs_autoclose int fd = -1;
    if (skrfs_sev_node(options, path, &fd, err) < 0)
        return -1;
    struct sev_legacy *legacy = calloc(1, sizeof(*legacy));
    if (!legacy)
        return skrfs_fail_memory(err);
    legacy->base = (struct skrfs_source){
            .ops = &sev_legacy_ops, .ioctls = ioctls, .ioctl_count = SKRFS_ARRAY_LEN(ioctls)};
    legacy->fd = skrfs_take_fd(&fd);
    if (tell_from_host(legacy, path, err) < 0) {
        skrfs_tee_look_failed(options, path, err);
        sev_legacy_close(&legacy->base);
        return -1;
    }
    skrfs_tee_look(options, path, true, "the device of an SEV-SNP guest, of Linux 5.15");
    *ret_source = &legacy->base;
    return 0;
}
