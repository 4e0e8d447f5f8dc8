/* Measured boot logs: TCG PC Client Platform Firmware Profile Specification, section 10. Little
 * endian. */
#include "platform.h"

#include <string.h>

#define EV_NO_ACTION 0x00000003U
#define EV_SEPARATOR 0x00000004U
#define EV_S_CRTM_VERSION 0x00000008U
#define EV_EFI_VARIABLE_DRIVER_CONFIG 0x80000001U
#define EV_EFI_BOOT_SERVICES_APPLICATION 0x80000003U
#define EV_EFI_ACTION 0x80000007U
#define EV_EFI_PLATFORM_FIRMWARE_BLOB 0x80000008U
#define ALG_SHA256 0x000bU
#define ALGS_MAX 8

struct reader {
    const uint8_t *data;
    size_t left;
};

/* The next `len` octets, NULL when there are not as many. */
static const uint8_t *take(struct reader *reader, size_t len) {
    if (len > reader->left)
        return NULL;
    const uint8_t *start = reader->data;
    reader->data += len;
    reader->left -= len;
    return start;
}

static bool take_number(struct reader *reader, size_t size, uint32_t *ret_value) {
    const uint8_t *octets = take(reader, size);
    if (!octets)
        return false;
    uint32_t value = 0;
    for (size_t i = size; i-- > 0;)
        value = value << 8 | octets[i];
    *ret_value = value;
    return true;
}

static int malformed(struct skrfs_error *err) {
    return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the boot log is malformed");
}

/* Digest sizes that the log's first event declares. */
struct algorithms {
    size_t count;
    uint32_t id[ALGS_MAX], size[ALGS_MAX];
};

static int read_spec_id(struct reader *log, struct algorithms *ret_algs, struct skrfs_error *err) {
    uint32_t pcr = 0;
    uint32_t type = 0;
    uint32_t size = 0;
    if (!take_number(log, 4, &pcr) || !take_number(log, 4, &type) || !take(log, 20) ||
            !take_number(log, 4, &size) || type != EV_NO_ACTION)
        return malformed(err);
    struct reader event = {take(log, size), size};
    const uint8_t *signature = event.data ? take(&event, 16) : NULL;
    uint32_t count = 0;
    if (!signature || memcmp(signature, "Spec ID Event03", 16) != 0 || !take(&event, 8) ||
            !take_number(&event, 4, &count) || count == 0 || count > ALGS_MAX)
        return malformed(err);
    ret_algs->count = count;
    for (size_t i = 0; i < count; i++)
        if (!take_number(&event, 2, &ret_algs->id[i]) ||
                !take_number(&event, 2, &ret_algs->size[i]))
            return malformed(err);
    return 0;
}

/* One TCG_PCR_EVENT2. */
struct event {
    uint32_t pcr, type;
    const uint8_t *sha256; /* NULL when that bank was not measured */
    struct skrfs_bytes data;
};

static int read_digest(struct reader *log, const struct algorithms *algs, struct event *event,
        struct skrfs_error *err) {
    uint32_t id = 0;
    if (!take_number(log, 2, &id))
        return malformed(err);
    for (size_t i = 0; i < algs->count; i++) {
        if (algs->id[i] != id)
            continue;
        const uint8_t *digest = take(log, algs->size[i]);
        if (!digest || (id == ALG_SHA256 && algs->size[i] != 32))
            return malformed(err);
        if (id == ALG_SHA256)
            event->sha256 = digest;
        return 0;
    }
    return malformed(err);
}

static int read_event(struct reader *log, const struct algorithms *algs, struct event *ret_event,
        struct skrfs_error *err) {
    struct event event = {0};
    uint32_t count = 0;
    uint32_t size = 0;
    if (!take_number(log, 4, &event.pcr) || !take_number(log, 4, &event.type) ||
            !take_number(log, 4, &count) || count > ALGS_MAX)
        return malformed(err);
    for (uint32_t i = 0; i < count; i++)
        if (read_digest(log, algs, &event, err) < 0)
            return -1;
    if (!take_number(log, 4, &size))
        return malformed(err);
    event.data = (struct skrfs_bytes){take(log, size), size};
    if (!event.data.data)
        return malformed(err);
    *ret_event = event;
    return 0;
}

/* Section 10.4.5.3: an EV_NO_ACTION event names the locality that PCR 0 begins with. */
static void note_locality(const struct event *event, uint8_t *locality) {
    static const char signature[16] = "StartupLocality";
    if (event->type == EV_NO_ACTION && event->data.len == 17 &&
            memcmp(event->data.data, signature, sizeof(signature)) == 0)
        *locality = event->data.data[16];
}

int skrfs_lab_event_log_walk(struct skrfs_bytes bytes, skrfs_lab_measure_fn *measure, void *context,
        uint8_t *ret_locality, struct skrfs_error *err) {
    struct reader log = {bytes.data, bytes.len};
    struct algorithms algs = {0};
    uint8_t locality = 0;
    if (bytes.len > SKRFS_LAB_EVENT_LOG_MAX)
        return malformed(err);
    if (read_spec_id(&log, &algs, err) < 0)
        return -1;
    while (log.left > 0) {
        struct event event;
        if (read_event(&log, &algs, &event, err) < 0)
            return -1;
        note_locality(&event, &locality);
        if (event.type != EV_NO_ACTION && event.sha256 &&
                measure(context, event.pcr, event.sha256, err) < 0)
            return -1;
    }
    *ret_locality = locality;
    return 0;
}

static int extend(void *context, unsigned pcr, const uint8_t digest[32], struct skrfs_error *err) {
    uint8_t(*pcrs)[32] = context;
    uint8_t both[64];
    if (pcr >= 8)
        return 0;
    memcpy(both, pcrs[pcr], 32);
    memcpy(both + 32, digest, 32);
    return skrfs_hash(SKRFS_SHA256, both, sizeof(both), pcrs[pcr], err);
}

static int ignore(void *context, unsigned pcr, const uint8_t digest[32], struct skrfs_error *err) {
    (void)context;
    (void)pcr;
    (void)digest;
    (void)err;
    return 0;
}

int skrfs_lab_event_log_replay(
        struct skrfs_bytes log, uint8_t ret_pcrs[8][32], struct skrfs_error *err) {
    uint8_t pcrs[8][32] = {{0}};
    uint8_t locality = 0;
    /* The locality event may come at any place of the log, and decides what PCR 0 begins with. */
    if (skrfs_lab_event_log_walk(log, ignore, NULL, &locality, err) < 0)
        return -1;
    pcrs[0][31] = locality;
    if (skrfs_lab_event_log_walk(log, extend, pcrs, &locality, err) < 0)
        return -1;
    memcpy(ret_pcrs, pcrs, sizeof(pcrs));
    return 0;
}

static int put(struct skrfs_buf *out, uint32_t value, size_t size, struct skrfs_error *err) {
    uint8_t octets[4];
    for (size_t i = 0; i < size; i++)
        octets[i] = (uint8_t)(value >> (8 * i));
    return skrfs_buf_append(out, octets, size, err);
}

static int put_spec_id(struct skrfs_buf *out, struct skrfs_error *err) {
    static const uint8_t no_digest[20];
    static const uint8_t spec[] = "Spec ID Event03\0" /* signature */
                                  "\0\0\0\0"          /* platform class: client */
                                  "\0\2\0\2"          /* version 2.0, errata 0, 8-octet UINTN */
                                  "\1\0\0\0"          /* one algorithm */
                                  "\x0b\0\x20\0"      /* SHA-256 */
                                  "\0";               /* no vendor information */
    size_t len = sizeof(spec) - 1;
    if (put(out, 0, 4, err) < 0 || put(out, EV_NO_ACTION, 4, err) < 0 ||
            skrfs_buf_append(out, no_digest, sizeof(no_digest), err) < 0 ||
            put(out, (uint32_t)len, 4, err) < 0)
        return -1;
    return skrfs_buf_append(out, spec, len, err);
}

static int put_event(struct skrfs_buf *out, uint32_t pcr, uint32_t type, const void *data,
        size_t len, struct skrfs_error *err) {
    uint8_t digest[32];
    if (skrfs_hash(SKRFS_SHA256, data, len, digest, err) < 0 || put(out, pcr, 4, err) < 0 ||
            put(out, type, 4, err) < 0 || put(out, 1, 4, err) < 0 ||
            put(out, ALG_SHA256, 2, err) < 0 ||
            skrfs_buf_append(out, digest, sizeof(digest), err) < 0 ||
            put(out, (uint32_t)len, 4, err) < 0)
        return -1;
    return skrfs_buf_append(out, data, len, err);
}

int skrfs_lab_event_log(struct skrfs_buf *out, struct skrfs_error *err) {
    static const struct {
        uint32_t pcr, type;
        const char *text;
    } events[] = {
            {0, EV_S_CRTM_VERSION, "skrfs lab firmware 1.0"},
            {0, EV_EFI_PLATFORM_FIRMWARE_BLOB, "firmware volume"},
            {7, EV_EFI_VARIABLE_DRIVER_CONFIG, "SecureBoot=1"},
            {7, EV_EFI_VARIABLE_DRIVER_CONFIG, "PK"},
            {7, EV_EFI_VARIABLE_DRIVER_CONFIG, "KEK"},
            {7, EV_EFI_VARIABLE_DRIVER_CONFIG, "db"},
            {7, EV_EFI_VARIABLE_DRIVER_CONFIG, "dbx"},
            {4, EV_EFI_ACTION, "Calling EFI Application from Boot Option"},
            {4, EV_EFI_BOOT_SERVICES_APPLICATION, "shimx64.efi"},
            {5, EV_EFI_ACTION, "Exit Boot Services Invocation"},
    };
    static const uint8_t separator[4];
    if (put_spec_id(out, err) < 0)
        return -1;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(events); i++)
        if (put_event(out, events[i].pcr, events[i].type, events[i].text, strlen(events[i].text),
                    err) < 0)
            return -1;
    for (uint32_t pcr = 0; pcr < 8; pcr++)
        if (put_event(out, pcr, EV_SEPARATOR, separator, sizeof(separator), err) < 0)
            return -1;
    return 0;
}
