#include "verbs.h"

#include <skrfs/audit/audit.h>
#include <skrfs/base/file.h>

#define RECEIPT_MAX ((size_t)64 * 1024)

struct receipt_options {
    const char *config;
    bool json;
};

static int receipt_read(
        const char *mount, const char *name, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autobuf path = SKRFS_BUF(8192), known = SKRFS_BUF(8192);
    /* The name is known or not by its other status file: this one is not there before a release. */
    if (skrfs_why_path(mount, name, &known, err) < 0 ||
            skrfs_buf_printf(&path, err, "%s/status/receipts/%s", mount, name) < 0) {
        return -1;
    }
    if (skrfs_file_read(skrfs_buf_text(&path), out, err) == 0) {
        return 0;
    }
    if (err->errnum == ENOENT) {
        return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND,
                "there is no receipt for '%s': it was not released since its keeper began, or the "
                "mount has no audit ([audit] in skrfs.conf(5))",
                name);
    }
    return skrfs_status_failed(mount, err);
}

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct receipt_options *options = call->options;
    skrfs_autofree char *mount = NULL;
    skrfs_autobuf text = SKRFS_BUF(RECEIPT_MAX), out = SKRFS_BUF(RECEIPT_MAX);
    skrfs_autojson *receipt = NULL;
    if (skrfs_mount_find(call->count > 1 ? call->operands[1] : NULL, options->config, &mount, err) <
                    0 ||
            receipt_read(mount, call->operands[0], &text, err) < 0 ||
            skrfs_json_parse(skrfs_buf_text(&text), text.len, RECEIPT_MAX, &receipt, err) < 0) {
        return -1;
    }
    if (options->json) {
        return skrfs_print(&text, err);
    }
    return skrfs_receipt_tell(receipt, &out, err) < 0 ? -1 : skrfs_print(&out, err);
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct receipt_options, config)},
        {'j', "json", NULL, "status/receipts/NAME as it is, for a program to read",
                SKRFS_OPTION_FLAG, offsetof(struct receipt_options, json)},
};

const struct skrfs_verb skrfs_verb_receipt = {
        .name = "receipt",
        .summary = "show what was released on which measured boot",
        .operands = "NAME [MOUNTPOINT]",
        .details = "Shows the last release of the key NAME: key, version, the digests of the "
                   "attestation token and\n"
                   "of the vault's answer, what was measured of the machine, and the audit's "
                   "record that vouches\n"
                   "for it.",
        .page = "skrfs-audit(8)",
        .least = 1,
        .most = 2,
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct receipt_options),
        .run = verb_run,
};
