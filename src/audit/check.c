/* Takes all lines in; what is wrong with them is in findings.c. */
#include "room.h"

#include <string.h>

#define LINES_MAX ((size_t)200 * 1000 * 1000)

int skrfs_audit_check_new(const struct skrfs_audit_check_options *options,
        struct skrfs_audit_check **ret_check, struct skrfs_error *err) {
    struct skrfs_audit_check *check = calloc(1, sizeof(*check));

    if (!check)
        return skrfs_fail_memory(err);
    check->options = *options;
    *ret_check = check;
    return 0;
}

void skrfs_audit_check_free(struct skrfs_audit_check *check) {
    free(check->files);
    free(check->chains);
    free(check->lines);
    free(check);
}

int skrfs_audit_check_file(
        struct skrfs_audit_check *check, const char *name, struct skrfs_error *err) {
    const char **files = reallocarray(check->files, check->file_count + 1, sizeof(*check->files));

    if (!files)
        return skrfs_fail_memory(err);
    check->files = files;
    files[check->file_count++] = name;
    check->next_number = 1;
    return 0;
}

static int find_chain(struct skrfs_audit_check *check, const char name[SKRFS_AUDIT_CHAIN],
        uint32_t *ret_chain, struct skrfs_error *err) {
    for (size_t i = check->chain_count; i > 0; i--) {
        if (strcmp(check->chains[i - 1], name) == 0) {
            *ret_chain = (uint32_t)i - 1;
            return 0;
        }
    }
    char(*chains)[SKRFS_AUDIT_CHAIN] =
            reallocarray(check->chains, check->chain_count + 1, sizeof(*check->chains));
    if (!chains)
        return skrfs_fail_memory(err);
    check->chains = chains;
    memcpy(chains[check->chain_count], name, SKRFS_AUDIT_CHAIN);
    *ret_chain = (uint32_t)check->chain_count++;
    return 0;
}

static int add(
        struct skrfs_audit_check *check, const struct audit_line *line, struct skrfs_error *err) {
    if (check->line_count == check->line_cap) {
        size_t cap = check->line_cap ? 2 * check->line_cap : 1024;
        struct audit_line *lines = reallocarray(check->lines, cap, sizeof(*lines));
        if (!lines || cap > LINES_MAX) {
            check->lines = lines ? lines : check->lines;
            return skrfs_fail_memory(err);
        }
        check->lines = lines;
        check->line_cap = cap;
    }
    check->lines[check->line_count++] = *line;
    return 0;
}

static void take_record(struct audit_line *line, const struct skrfs_audit_record *record) {
    line->readable = true;
    line->seq = record->seq;
    line->oldest = record->volume.oldest;
    line->opens = record->volume.number > 0;
    line->ends = record->kind == SKRFS_AUDIT_END;
    line->begins = record->kind == SKRFS_AUDIT_BEGIN && !record->restart;
    memcpy(line->written, record->written, sizeof(line->written));
    memcpy(line->made, record->made, sizeof(line->made));
    memcpy(line->prev, record->prev, sizeof(line->prev));
    line->intact = memcmp(record->written, record->made, sizeof(record->made)) == 0;
}

/* A changed line may say anything, its chain too: it is counted to the one before it. */
int skrfs_audit_check_line(struct skrfs_audit_check *check, const char *text, size_t len,
        bool whole, struct skrfs_error *err) {
    skrfs_autorecord record = {0};
    struct skrfs_error why = {.kind = SKRFS_CLASS_BAD_ANSWER};
    struct audit_line line = {
            .number = check->next_number++, .file = (uint32_t)check->file_count - 1};

    if (check->line_count)
        line.chain = check->lines[check->line_count - 1].chain;
    if (whole && skrfs_audit_parse(text, len, &record, &why) == 0)
        take_record(&line, &record);
    else if (why.kind == SKRFS_CLASS_NO_MEMORY)
        return skrfs_fail_memory(err);
    if (line.intact && find_chain(check, record.chain, &line.chain, err) < 0)
        return -1;
    return add(check, &line, err);
}

static int find_in_chain(struct audit_report *report, uint32_t chain, struct skrfs_error *err) {
    const struct skrfs_audit_check *check = report->check;
    skrfs_autofree const struct audit_line **lines = calloc(check->line_count, sizeof(void *));
    size_t count = 0;

    if (!lines)
        return skrfs_fail_memory(err);
    for (size_t i = 0; i < check->line_count; i++)
        if (check->lines[i].chain == chain)
            lines[count++] = &check->lines[i];
    audit_find(report, lines, count);
    return 0;
}

/* One file is one chain's: where another begins, somebody began anew or put records in. */
static void find_strangers(struct audit_report *report) {
    const struct skrfs_audit_check *check = report->check;

    for (size_t i = 1; i < check->line_count && !check->options.journal; i++)
        if (check->lines[i].chain != check->lines[i - 1].chain)
            audit_report(report, &check->lines[i], false,
                    "from here on the records are of another chain: %s, not %s",
                    check->chains[check->lines[i].chain], check->chains[check->lines[i - 1].chain]);
}

int skrfs_audit_check_end(struct skrfs_audit_check *check, struct skrfs_buf *out,
        size_t *ret_findings, size_t *ret_records, struct skrfs_error *err) {
    struct audit_report report = {.check = check, .out = out, .err = err};

    if (check->line_count == 0)
        audit_report(&report, NULL, false, "there is no record");
    find_strangers(&report);
    /* Lines before the first chain is known are of chain 0. */
    for (size_t i = 0; check->line_count && (i == 0 || i < check->chain_count); i++)
        if (find_in_chain(&report, (uint32_t)i, err) < 0)
            return -1;
    if (report.failed)
        return -1;
    *ret_findings = report.findings;
    *ret_records = check->line_count;
    return 0;
}
