#include "audit_input.h"

#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>

struct verify_options {
    const char *config, *mount, *head;
    bool journal;
};

/* SEQ:DIGEST */
static int parse_head(
        const char *text, struct skrfs_audit_head *ret_head, struct skrfs_error *err) {
    struct skrfs_error ignored;
    char *end = NULL;
    errno = 0;
    unsigned long long seq = strtoull(text, &end, 10);
    if (errno || end == text || *end != ':' || text[0] == '-' || seq == 0 ||
            skrfs_hex_decode(end + 1, ret_head->digest, SKRFS_AUDIT_DIGEST, &ignored) < 0) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "--head is a record's number, a colon and the 64 digits of its digest");
    }
    ret_head->seq = seq;
    ret_head->chain[0] = 0;
    return 0;
}

static int check_file(void *context, const char *name, struct skrfs_error *err) {
    return skrfs_audit_check_file(context, name, err);
}

static int check_line(
        void *context, const char *line, size_t len, bool whole, struct skrfs_error *err) {
    return skrfs_audit_check_line(context, line, len, whole, err);
}

static int tell(struct skrfs_audit_check *check, struct skrfs_error *err) {
    skrfs_autobuf out = SKRFS_BUF(SKRFS_OUTPUT_MAX);
    size_t findings = 0, records = 0;
    if (skrfs_audit_check_end(check, &out, &findings, &records, err) < 0) {
        return -1;
    }
    if (findings == 0 && skrfs_buf_printf(&out, err, "%zu records, nothing is missing or changed\n",
                                 records) < 0) {
        return -1;
    }
    if (skrfs_print(&out, err) < 0) {
        return -1;
    }
    if (findings == 0) {
        return 0;
    }
    return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "%zu finding%s in %zu records", findings,
            findings == 1 ? "" : "s", records);
}

static int verify_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct verify_options *options = call->options;
    SKRFS_CLEANUP(skrfs_audit_check_free_p) struct skrfs_audit_check *check = NULL;
    auto_audit_input input = {.count = 0};
    if (audit_input_find(call, options->config, options->mount, options->journal, &input, err) <
            0) {
        return -1;
    }
    struct skrfs_audit_check_options how = {.journal = input.journal, .head = input.head};
    if ((options->head && parse_head(options->head, &how.head, err) < 0) ||
            skrfs_audit_check_new(&how, &check, err) < 0 ||
            audit_input_read(&input, check_file, check_line, check, err) < 0) {
        return -1;
    }
    return tell(check, err);
}

static const struct skrfs_option verify_table[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct verify_options, config)},
        {'j', "journal", NULL, "verify what the journal has", SKRFS_OPTION_FLAG,
                offsetof(struct verify_options, journal)},
        {0, "mount", "MOUNTPOINT", "a running mount, which knows the last record",
                SKRFS_OPTION_TEXT, offsetof(struct verify_options, mount)},
        {0, "head", "SEQ:DIGEST", "a record that must be in it, noted down elsewhere",
                SKRFS_OPTION_TEXT, offsetof(struct verify_options, head)},
};

const struct skrfs_verb skrfs_verb_audit_verify = {
        .name = "audit verify",
        .summary = "find what was done to the audit afterwards",
        .operands = "[FILE]...",
        .details = "Verifies the digests and the chain of all records: what was changed, removed, "
                   "put in, moved,\n"
                   "doubled or cut off is named by file and line. Of one FILE, those that were put "
                   "aside before it\n"
                   "are read too. Without FILE the running mount's file is meant, or the "
                   "configured one.",
        .page = "skrfs-audit(8)",
        .most = AUDIT_FILES_MAX,
        .options = verify_table,
        .option_count = SKRFS_ARRAY_LEN(verify_table),
        .options_size = sizeof(struct verify_options),
        .run = verify_run,
};
