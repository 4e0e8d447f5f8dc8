/* The audit in systemd's journal. */
#include "scribe.h"

#include <skrfs/base/clock.h>
#include <skrfs/base/log.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#define FIELDS_MAX 64
#define TEXT_MAX ((size_t)64 * 1024)

bool skrfs_audit_journal(const struct skrfs_conf *conf) {
    if (conf->audit.journal != SKRFS_CONF_JOURNAL_AUTO)
        return conf->audit.journal == SKRFS_CONF_JOURNAL_YES;
    return access(SKRFS_JOURNAL_SOCKET, F_OK) == 0;
}

/* Fields, one behind the other in `text`. */
struct fields {
    struct skrfs_buf text;
    size_t begins[FIELDS_MAX + 1];
    size_t count;
};

static int add_field(void *context, const char *name, const char *value, struct skrfs_error *err) {
    struct fields *fields = context;

    /* What does not fit is in SKRFS_RECORD all the same. */
    if (fields->count == FIELDS_MAX)
        return 0;
    if (skrfs_buf_printf(&fields->text, err, "%s=%s", name, value) < 0)
        return -1;
    fields->begins[++fields->count] = fields->text.len;
    return 0;
}

static int add_message(
        struct fields *fields, const struct skrfs_json *record, struct skrfs_error *err) {
    skrfs_autobuf message = SKRFS_BUF(TEXT_MAX);

    if (skrfs_audit_tell(record, &message, err) < 0)
        return -1;
    return add_field(fields, "MESSAGE", skrfs_buf_text(&message), err);
}

/* syslog's numbers: a notice, and a warning for what was refused or is missing. */
static const char *priority(const struct skrfs_audit_record *record) {
    const char *verdict = skrfs_json_string(skrfs_json_get(record->json, "verdict"));
    bool odd = record->kind == SKRFS_AUDIT_LOST || skrfs_json_get(record->json, "torn") ||
               skrfs_json_get(record->json, "cut");

    return odd || (verdict && (strcmp(verdict, "refused") == 0 || strcmp(verdict, "failed") == 0))
                   ? "4"
                   : "5";
}

static int fill(struct fields *fields, const struct skrfs_audit_record *record, const char *line,
        size_t len, struct skrfs_error *err) {
    char text[SKRFS_AUDIT_LINE_MAX + 1];

    memcpy(text, line, len);
    text[len] = 0;
    if (add_message(fields, record->json, err) < 0 ||
            add_field(fields, "MESSAGE_ID", SKRFS_AUDIT_MESSAGE_ID, err) < 0 ||
            add_field(fields, "PRIORITY", priority(record), err) < 0 ||
            add_field(fields, "SYSLOG_IDENTIFIER", "skrfs", err) < 0 ||
            add_field(fields, "SKRFS_RECORD", text, err) < 0)
        return -1;
    return skrfs_audit_fields(record->json, add_field, fields, err);
}

static int send_fields(struct fields *fields, struct skrfs_error *err) {
    struct iovec parts[FIELDS_MAX];

    for (size_t i = 0; i < fields->count; i++)
        parts[i] = (struct iovec){.iov_base = fields->text.data + fields->begins[i],
                .iov_len = fields->begins[i + 1] - fields->begins[i]};
    /* The library calls a journal that is not there a success. */
    if (access(SKRFS_JOURNAL_SOCKET, F_OK) < 0)
        return skrfs_fail_errno(err, errno, "write to the journal");
    int result = sd_journal_sendv(parts, (int)fields->count);
    return result < 0 ? skrfs_fail_errno(err, -result, "write to the journal") : 0;
}

/* `line` with its newline, as the file has it. */
int audit_journal_send(const char *line, size_t len, struct skrfs_error *err) {
    skrfs_autorecord record = {0};
    struct fields fields = {.text = SKRFS_BUF(TEXT_MAX)};

    if (skrfs_audit_parse(line, len - 1, &record, err) < 0)
        return -1;
    int result = fill(&fields, &record, line, len - 1, err);
    if (result == 0)
        result = send_fields(&fields, err);
    skrfs_buf_done(&fields.text);
    return result;
}

static int read_entries(sd_journal *journal, skrfs_journal_record_fn *record, void *context,
        struct skrfs_error *err) {
    static const char name[] = "SKRFS_RECORD=";
    const void *data;
    size_t len;
    int result;

    while ((result = sd_journal_next(journal)) > 0) {
        if (sd_journal_get_data(journal, "SKRFS_RECORD", &data, &len) < 0 || len < sizeof(name))
            continue;
        const char *text = (const char *)data + sizeof(name) - 1;
        if (record(context, text, len - (sizeof(name) - 1), err) < 0)
            return -1;
    }
    return result < 0 ? skrfs_fail_errno(err, -result, "read the journal") : 0;
}

int skrfs_journal_records(skrfs_journal_record_fn *record, void *context, struct skrfs_error *err) {
    sd_journal *journal = NULL;
    int result = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);

    if (result < 0)
        return skrfs_fail_errno(err, -result, "open the journal");
    result = sd_journal_add_match(journal, "MESSAGE_ID=" SKRFS_AUDIT_MESSAGE_ID, 0);
    result = result < 0 ? skrfs_fail_errno(err, -result, "look into the journal")
                        : read_entries(journal, record, context, err);
    sd_journal_close(journal);
    return result;
}
