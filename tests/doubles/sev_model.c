#include "sev_model.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

struct sev_settings sev_settings;
struct sev_counts sev_counts;

#define SNP_GET_REPORT 0xC0205300UL
#define SNP_GET_EXT_REPORT 0xC0205302UL
#define LEGACY_GET_REPORT 0xC0285301UL
#define NOT_REACHED 0xff
#define TABLE_MAX 0x4000U
#define RESPONSE_MAX 4000U
#define STATUS_INVALID_PARAMETERS 0x16

static atomic_uint inside;

static uint64_t get(const uint8_t *at, size_t len) {
    uint64_t value = 0;
    for (size_t i = len; i > 0; i--)
        value = value << 8 | at[i - 1];
    return value;
}

static void put(uint8_t *at, size_t len, uint64_t value) {
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static void *pointer(uint64_t value) {
    return (void *)(uintptr_t)value;
}

static bool is_zero(const uint8_t *at, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (at[i])
            return false;
    return true;
}

/* The firmware, behind the driver: it refuses requests whose reserved octets are set. */
static void ask_firmware(const uint8_t *request, uint8_t *response) {
    skrfs_autobuf report = SKRFS_BUF(2048);
    uint32_t status;
    sev_counts.firmware++;
    if (is_zero(request + 68, 28)) {
        status = sev_settings.firmware(
                sev_settings.context, request, (uint32_t)get(request + 64, 4), &report);
    } else {
        sev_counts.unclean = true;
        status = STATUS_INVALID_PARAMETERS;
    }
    put(response, 4, status);
    put(response + 4, 4, status ? 0 : report.len);
    if (status == 0)
        memcpy(response + 32, report.data, report.len);
}

static int take_failure(uint64_t *ret_code) {
    int errnum = sev_settings.fail;
    *ret_code = sev_settings.fail_code;
    sev_settings.fail = 0;
    if (errnum && sev_settings.hang_up && (uint32_t)*ret_code)
        sev_settings.wiped = true;
    return errnum;
}

/* The host gives no more than it was given room for. */
static int give_table(uint8_t *ext, uint64_t *ret_code) {
    uint32_t room = (uint32_t)get(ext + 104, 4);
    uint8_t *out = pointer(get(ext + 96, 8));
    if (room == 0 || !out)
        return 0;
    if (room % 4096 || room > TABLE_MAX)
        return EINVAL;
    if (sev_settings.table.len > room) {
        put(ext + 104, 4, (sev_settings.table.len + 4095) / 4096 * 4096);
        *ret_code = UINT64_C(1) << 32;
        return EIO;
    }
    if (sev_settings.table.len)
        memcpy(out, sev_settings.table.data, sev_settings.table.len);
    return 0;
}

static int guest_request(bool extended, uint8_t *argument, uint64_t *code) {
    uint8_t *request = pointer(get(argument + 8, 8));
    if (argument[0] != 1)
        return EINVAL;
    if (!is_zero(argument + 1, 7) || get(argument + 24, 8) != 0)
        sev_counts.unclean = true;
    if (sev_settings.wiped)
        return ENOTTY;
    *code = NOT_REACHED;
    if (extended) {
        uint64_t refused = 0;
        int errnum = give_table(request, &refused);
        if (errnum) {
            *code = refused ? refused : *code;
            return errnum;
        }
    }
    int errnum = take_failure(code);
    if (errnum)
        return errnum;
    ask_firmware(request, pointer(get(argument + 16, 8)));
    *code = 0;
    return 0;
}

static int legacy_request(uint8_t *argument) {
    uint64_t code = 0;
    if (argument[0] != 5 || argument[1] != 6 || argument[2] != 1 || get(argument + 4, 2) != 96 ||
            get(argument + 16, 2) != 1280)
        return EINVAL;
    if (sev_settings.wiped)
        return ENOTTY;
    int errnum = take_failure(&code);
    put(argument + 32, 4, code);
    if (errnum)
        return errnum;
    ask_firmware(pointer(get(argument + 8, 8)), pointer(get(argument + 24, 8)));
    return 0;
}

static int dispatch(unsigned long request, uint8_t *argument) {
    if (sev_settings.driver == SEV_HOST)
        return EINVAL; /* drivers/crypto/ccp/sev-dev.c: another number than SEV_ISSUE_CMD */
    if (sev_settings.driver == SEV_GUEST_5_15)
        return request == LEGACY_GET_REPORT ? legacy_request(argument) : ENOTTY;
    if (request != SNP_GET_REPORT && request != SNP_GET_EXT_REPORT)
        return ENOTTY;
    uint64_t code = 0;
    int errnum = guest_request(request == SNP_GET_EXT_REPORT, argument, &code);
    if (code)
        put(argument + 24, 8, code);
    return errnum;
}

int sev_ioctl(unsigned long request, void *argument) {
    unsigned now = atomic_fetch_add(&inside, 1) + 1;
    if (now > sev_counts.most)
        sev_counts.most = now;
    sev_counts.requests++;
    struct timespec delay = {
            sev_settings.delay_ms / 1000, (long)(sev_settings.delay_ms % 1000) * 1000000};
    nanosleep(&delay, NULL);
    int errnum = dispatch(request, argument);
    atomic_fetch_sub(&inside, 1);
    return -errnum;
}
