/* Lines of an audit file, which somebody may have been at: read, told and checked. */
#include <skrfs/audit/audit.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int ignore_field(
        void *context, const char *name, const char *value, struct skrfs_error *err) {
    (void)context, (void)name, (void)value, (void)err;
    return 0;
}

static void read_line(const char *line, size_t len) {
    skrfs_autorecord record = {0};
    skrfs_autobuf out = SKRFS_BUF((size_t)1 << 20);
    struct skrfs_error err;

    if (skrfs_audit_parse(line, len, &record, &err) < 0)
        return;
    (void)!skrfs_audit_tell(record.json, &out, &err);
    (void)!skrfs_receipt_tell(record.json, &out, &err);
    (void)!skrfs_audit_fields(record.json, ignore_field, NULL, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    skrfs_autobuf out = SKRFS_BUF((size_t)1 << 24);
    struct skrfs_audit_check_options options = {.journal = size && data[0] == 'j'};
    struct skrfs_audit_check *check = NULL;
    struct skrfs_error err;
    size_t findings, records;

    if (skrfs_audit_check_new(&options, &check, &err) < 0)
        return 0;
    for (size_t at = options.journal; at < size;) {
        const uint8_t *newline = memchr(data + at, '\n', size - at);
        size_t end = newline ? (size_t)(newline - data) : size;
        if (at <= options.journal && skrfs_audit_check_file(check, "file", &err) < 0)
            break;
        read_line((const char *)data + at, end - at);
        if (skrfs_audit_check_line(
                    check, (const char *)data + at, end - at, newline != NULL, &err) < 0)
            break;
        at = end + 1;
    }
    (void)!skrfs_audit_check_end(check, &out, &findings, &records, &err);
    skrfs_audit_check_free(check);
    return 0;
}
