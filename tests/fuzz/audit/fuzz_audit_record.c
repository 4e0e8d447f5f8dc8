/* Lines of an audit file, which somebody may have been at: read, told and checked. */
#include <skrfs/audit/audit.h>
#include <skrfs/base/encode.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int ignore_field(
        void *context, const char *name, const char *value, struct skrfs_error *err) {
    (void)context, (void)name, (void)value, (void)err;
    return 0;
}

/* What a record says of itself as a receipt's proof. */
static void print_receipt(const struct skrfs_audit_record *record) {
    const char *key = skrfs_json_string(skrfs_json_get(record->json, "key"));
    const struct skrfs_proof proof = {.vault = "prod", .measurement = "ab"};
    const struct skrfs_audit_head head = {.seq = record->seq, .chain = "0123456789abcdef"};
    skrfs_autobuf out = SKRFS_BUF((size_t)1 << 20);
    struct skrfs_error err;

    (void)!skrfs_receipt_print(key ? key : "", &proof, &head, &out, &err);
}

static void read_line(const char *line, size_t len) {
    skrfs_autorecord record = {0};
    skrfs_autobuf out = SKRFS_BUF((size_t)1 << 20);
    struct skrfs_error err;

    if (skrfs_audit_parse(line, len, &record, &err) < 0)
        return;
    (void)!skrfs_audit_tell(record.json, &out, &err);
    (void)!skrfs_receipt_tell(record.json, &out, &err);
    print_receipt(&record);
    (void)!skrfs_audit_fields(record.json, ignore_field, NULL, &err);
}

/* In front: "j" for a journal, or "h", an octet and 64 digits for the record that is known. */
static size_t read_options(
        const uint8_t *data, size_t size, struct skrfs_audit_check_options *options) {
    char digits[SKRFS_AUDIT_HEX] = "";
    struct skrfs_error ignored;

    if (size > 0 && data[0] == 'j') {
        options->journal = true;
        return 1;
    }
    if (size < 2 + SKRFS_AUDIT_HEX || data[0] != 'h')
        return 0;
    options->head.seq = data[1];
    memcpy(digits, data + 2, SKRFS_AUDIT_HEX - 1);
    (void)!skrfs_hex_decode(digits, options->head.digest, SKRFS_AUDIT_DIGEST, &ignored);
    return 2 + SKRFS_AUDIT_HEX;
}

/* A line "%" begins another file. */
static void check_all(struct skrfs_audit_check *check, const uint8_t *data, size_t size) {
    static const char *const names[] = {"one", "other"};
    struct skrfs_error err;
    size_t files = 0;

    if (skrfs_audit_check_file(check, names[0], &err) < 0)
        return;
    for (size_t at = 0; at < size;) {
        const uint8_t *newline = memchr(data + at, '\n', size - at);
        size_t end = newline ? (size_t)(newline - data) : size;
        read_line((const char *)data + at, end - at);
        if (end - at == 1 && data[at] == '%' && files == 0) {
            files++;
            (void)!skrfs_audit_check_file(check, names[1], &err);
        } else if (skrfs_audit_check_line(
                           check, (const char *)data + at, end - at, newline != NULL, &err) < 0) {
            return;
        }
        at = end + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    skrfs_autobuf out = SKRFS_BUF((size_t)1 << 24);
    struct skrfs_audit_check_options options = {.journal = false};
    struct skrfs_audit_check *check = NULL;
    struct skrfs_error err;
    size_t findings, records, begin = read_options(data, size, &options);

    if (skrfs_audit_check_new(&options, &check, &err) < 0)
        return 0;
    check_all(check, data + begin, size - begin);
    (void)!skrfs_audit_check_end(check, &out, &findings, &records, &err);
    skrfs_audit_check_free(check);
    return 0;
}
