/* /dev/sev-guest, Linux 5.19 and later: include/uapi/linux/sev-guest.h. */
#include "internal.h"

#include <string.h>
#include <sys/ioctl.h>

#define CERTIFICATES_LEN ((size_t)0x4000) /* SEV_FW_BLOB_MAX_SIZE */
#define PAGE_LEN ((size_t)4096)
#define RESPONSE_LEN 4000
#define VMM_INVALID_LEN 1

struct guest_request {
    uint8_t version; /* of the messages: 1 */
    uint8_t padding[7];
    uint64_t request, response;
    uint64_t error; /* firmware's below, hypervisor's above; set by the kernel when not 0 */
};
_Static_assert(sizeof(struct guest_request) == 32, "struct snp_guest_request_ioctl");

struct ext_request {
    uint8_t report[SKRFS_SEV_REQUEST_LEN];
    uint64_t certificates;
    uint32_t certificates_len; /* whole pages; the length needed when it was too small */
    uint32_t padding;
};
_Static_assert(sizeof(struct ext_request) == 112, "struct snp_ext_report_req");

#define GET_REPORT _IOWR('S', 0x0, struct guest_request)
#define GET_EXT_REPORT _IOWR('S', 0x2, struct guest_request)

static const unsigned long ioctls[] = {GET_REPORT, GET_EXT_REPORT};

struct sev_guest {
    struct skrfs_source base;
    int fd;
    uint8_t response[RESPONSE_LEN];
    uint8_t *certificates; /* CERTIFICATES_LEN octets at a page's beginning */
};

static int call(
        struct sev_guest *guest, unsigned long command, const void *request, uint64_t *ret_error) {
    struct guest_request arguments = {.version = 1,
            .request = (uint64_t)(uintptr_t)request,
            .response = (uint64_t)(uintptr_t)guest->response};
    memset(guest->response, 0, sizeof(guest->response));
    int result = ioctl(guest->fd, command, &arguments);
    int errnum = errno;
    *ret_error = arguments.error;
    return result < 0 ? errnum : 0;
}

/* The whole table, without the pages behind it that are zero: all of them when the host has no
 * certificates to give. */
static int put_certificates(
        const struct sev_guest *guest, struct skrfs_evidence *evidence, struct skrfs_error *err) {
    static const uint8_t zeros[PAGE_LEN];
    size_t len = CERTIFICATES_LEN;
    while (len > 0 && memcmp(guest->certificates + len - PAGE_LEN, zeros, PAGE_LEN) == 0)
        len -= PAGE_LEN;
    return skrfs_buf_append(
            &evidence->certificates[SKRFS_CERTS_REPORT], guest->certificates, len, err);
}

/* With certificates, and without when the host has more of them than the kernel takes: that is no
 * error of the firmware, and the only one after which it is asked again at once. */
static int sev_guest_ask(struct skrfs_source *source, const uint8_t report_data[64],
        struct skrfs_evidence *evidence, struct skrfs_error *err) {
    struct sev_guest *guest = (struct sev_guest *)source;
    struct ext_request request = {.certificates = (uint64_t)(uintptr_t)guest->certificates,
            .certificates_len = CERTIFICATES_LEN};
    uint64_t code;
    skrfs_sev_request(report_data, request.report);
    memset(guest->certificates, 0, CERTIFICATES_LEN);
    int errnum = call(guest, GET_EXT_REPORT, &request, &code);
    bool too_many = errnum == EIO && code >> 32 == VMM_INVALID_LEN;
    if (too_many)
        errnum = call(guest, GET_REPORT, request.report, &code);
    if (errnum)
        return skrfs_sev_failed(err, errnum, code);
    struct skrfs_bytes response = {guest->response, sizeof(guest->response)};
    if (skrfs_sev_response(response, &evidence->report, err) < 0)
        return -1;
    return too_many ? 0 : put_certificates(guest, evidence, err);
}

static void sev_guest_close(struct skrfs_source *source) {
    struct sev_guest *guest = (struct sev_guest *)source;
    skrfs_close_p(&guest->fd);
    free(guest->certificates);
    free(guest);
}

static const struct skrfs_source_ops sev_guest_ops = {
        .name = "/dev/sev-guest", .ask = sev_guest_ask, .close = sev_guest_close};

int skrfs_sev_guest_open(const struct skrfs_tee_options *options, const char *path,
        struct skrfs_source **ret_source, struct skrfs_error *err) {
    skrfs_autoclose int fd = -1;
    if (skrfs_sev_node(options, path, &fd, err) < 0)
        return -1;
    struct sev_guest *guest = calloc(1, sizeof(*guest));
    if (!guest)
        return skrfs_fail_memory(err);
    guest->base = (struct skrfs_source){
            .ops = &sev_guest_ops, .ioctls = ioctls, .ioctl_count = SKRFS_ARRAY_LEN(ioctls)};
    guest->fd = skrfs_take_fd(&fd);
    guest->certificates = aligned_alloc(PAGE_LEN, CERTIFICATES_LEN);
    if (!guest->certificates) {
        sev_guest_close(&guest->base);
        return skrfs_fail_memory(err);
    }
    skrfs_tee_look(options, path, true, "the device of an SEV-SNP guest");
    *ret_source = &guest->base;
    return 0;
}
