/* What the SEV guest devices of all kernels have in common: the firmware's messages (AMD 56860,
 * MSG_REPORT_REQ and MSG_REPORT_RSP) and its errors (GHCB, SNP Guest Request). */
#include "internal.h"

#include <fcntl.h>
#include <skrfs/base/clock.h>
#include <skrfs/evidence/snp.h>
#include <string.h>

enum { REPORT_AT = 32, VMM_BUSY = 2, NOT_REACHED = 0xff };
enum { STATUS_INVALID_PARAMETERS = 0x16, STATUS_INVALID_KEY = 0x27 };

void skrfs_sev_request(const uint8_t report_data[64], uint8_t ret_request[SKRFS_SEV_REQUEST_LEN]) {
    memset(ret_request, 0, SKRFS_SEV_REQUEST_LEN);
    memcpy(ret_request, report_data, 64);
}

static uint32_t get32(const uint8_t *at) {
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static int refused(uint32_t status, struct skrfs_error *err) {
    const char *why = "";
    if (status == STATUS_INVALID_PARAMETERS)
        why = ": invalid parameters; a guest below VMPL 0 (an SVSM's) needs configfs-tsm";
    if (status == STATUS_INVALID_KEY)
        why = ": the chosen signing key cannot be used";
    return skrfs_fail(err, SKRFS_CLASS_SYSTEM, "the firmware refused the report (status 0x%x%s)",
            status, why);
}

int skrfs_sev_response(
        struct skrfs_bytes response, struct skrfs_buf *out, struct skrfs_error *err) {
    if (response.len < REPORT_AT + SKRFS_SNP_REPORT_LEN)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "the buffer for a report is too small");
    uint32_t status = get32(response.data), size = get32(response.data + 4);
    if (status != 0)
        return refused(status, err);
    if (size != SKRFS_SNP_REPORT_LEN)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the firmware's report has %u octets, not %d", size, SKRFS_SNP_REPORT_LEN);
    return skrfs_buf_append(out, response.data + REPORT_AT, size, err);
}

int skrfs_sev_failed(struct skrfs_error *err, int errnum, uint64_t code) {
    uint32_t firmware = (uint32_t)code, vmm = (uint32_t)(code >> 32);
    if (errnum == ENOTTY)
        return skrfs_fail_errno(err, errnum,
                "the kernel wiped its key to the firmware after an earlier error (its log says "
                "'VMPCK'); only a restart of the guest gives it back");
    /* The kernel has tried for a minute itself. */
    if (errnum == EBUSY || errnum == EAGAIN || errnum == ETIMEDOUT || vmm == VMM_BUSY) {
        skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "the firmware is busy with other guests");
        return skrfs_fail_retryable(err, skrfs_now_ns() + 5 * SKRFS_SECOND_NS);
    }
    if (vmm != 0)
        return skrfs_fail_errno(err, errnum, "the hypervisor refused the report (error %u)", vmm);
    if (firmware != 0 && firmware != NOT_REACHED)
        return skrfs_fail_errno(
                err, errnum, "the firmware refused the report (error 0x%x)", firmware);
    return skrfs_fail_errno(
            err, errnum, "the kernel refused the request; the firmware was not reached");
}

int skrfs_sev_node(const struct skrfs_tee_options *options, const char *path, int *ret_fd,
        struct skrfs_error *err) {
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
    int errnum = errno;
    if (fd >= 0) {
        *ret_fd = fd;
        return 0;
    }
    bool there = errnum != ENOENT && errnum != ENOTDIR && errnum != ENXIO && errnum != ENODEV;
    skrfs_fail_errno(err, errnum, "%s cannot be opened", path);
    if (!there)
        skrfs_fail(err, SKRFS_CLASS_NO_TEE, "%s is not there", path);
    skrfs_tee_look_failed(options, path, err);
    return -1;
}
