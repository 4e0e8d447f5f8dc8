/* OpenMetrics 1.0 text: a family at a time, counters ending in _total, "# EOF" at the end. */
#include <inttypes.h>
#include <skrfs/base/clock.h>
#include <skrfs/daemon/process.h>

struct family {
    const char *name, *type, *unit, *help;
    uint64_t (*value)(const struct skrfs_key_status *status);
};

static uint64_t releases(const struct skrfs_key_status *status) {
    return status->releases;
}

static uint64_t failures(const struct skrfs_key_status *status) {
    return status->failures;
}

static uint64_t waiters(const struct skrfs_key_status *status) {
    return status->waiters;
}

static uint64_t handles(const struct skrfs_key_status *status) {
    return status->handles;
}

static uint64_t failed(const struct skrfs_key_status *status) {
    return status->error[0] != 0;
}

static uint64_t age(const struct skrfs_key_status *status) {
    return status->age_ns / SKRFS_SECOND_NS;
}

static const struct family families[] = {
        {"skrfs_releases", "counter", NULL, "Times the key was released.", releases},
        {"skrfs_failures", "counter", NULL, "Times a release of the key failed.", failures},
        {"skrfs_waiters", "gauge", NULL, "Readers that wait for the key.", waiters},
        {"skrfs_handles", "gauge", NULL, "Open files of the key.", handles},
        {"skrfs_failed", "gauge", NULL, "1 while the last attempt failed.", failed},
        {"skrfs_age_seconds", "gauge", "seconds", "Age of the version that is served.", age},
};

static int append_label(const char *text, struct skrfs_buf *out, struct skrfs_error *err) {
    for (; *text; text++) {
        char one[2] = {*text, 0};
        const char *piece = *text == '\n'   ? "\\n"
                            : *text == '"'  ? "\\\""
                            : *text == '\\' ? "\\\\"
                                            : one;
        if (skrfs_buf_append_text(out, piece, err) < 0)
            return -1;
    }
    return 0;
}

static int append_head(const char *name, const char *type, const char *unit, const char *help,
        struct skrfs_buf *out, struct skrfs_error *err) {
    if (skrfs_buf_printf(out, err, "# TYPE %s %s\n", name, type) < 0)
        return -1;
    if (unit && skrfs_buf_printf(out, err, "# UNIT %s %s\n", name, unit) < 0)
        return -1;
    return skrfs_buf_printf(out, err, "# HELP %s %s\n", name, help);
}

static int append_sample(const struct family *family, const char *key, uint64_t value,
        struct skrfs_buf *out, struct skrfs_error *err) {
    const char *suffix = family->type[0] == 'c' ? "_total" : "";

    if (skrfs_buf_printf(out, err, "%s%s{key=\"", family->name, suffix) < 0 ||
            append_label(key, out, err) < 0)
        return -1;
    return skrfs_buf_printf(out, err, "\"} %" PRIu64 "\n", value);
}

static int append_family(const struct skrfs_reporter *reporter, const struct family *family,
        struct skrfs_buf *out, struct skrfs_error *err) {
    struct skrfs_key_status status;

    if (append_head(family->name, family->type, family->unit, family->help, out, err) < 0)
        return -1;
    for (size_t i = 0; i < reporter->conf->key_count; i++) {
        skrfs_store_status(reporter->store, i, &status);
        if (append_sample(family, reporter->conf->keys[i].file, family->value(&status), out, err) <
                0)
            return -1;
    }
    return 0;
}

static int append_single(const char *name, const char *type, const char *unit, const char *help,
        uint64_t value, struct skrfs_buf *out, struct skrfs_error *err) {
    if (append_head(name, type, unit, help, out, err) < 0)
        return -1;
    return skrfs_buf_printf(
            out, err, "%s%s %" PRIu64 "\n", name, type[0] == 'c' ? "_total" : "", value);
}

static int append_memory(struct skrfs_buf *out, struct skrfs_error *err) {
    struct skrfs_secret_stats stats;

    skrfs_secret_get_stats(&stats);
    if (append_single("skrfs_secret_arena_bytes", "gauge", "bytes", "Memory locked for keys.",
                stats.arena, out, err) < 0)
        return -1;
    if (append_single("skrfs_secret_used_bytes", "gauge", "bytes", "Of it, in use.", stats.used,
                out, err) < 0)
        return -1;
    return append_single("skrfs_secrets", "gauge", NULL, "Secrets held.", stats.secrets, out, err);
}

static int append_file_system(struct skrfs_fs *fs, struct skrfs_buf *out, struct skrfs_error *err) {
    struct skrfs_fs_stats stats;

    skrfs_fs_get_stats(fs, &stats);
    if (append_single("skrfs_opens", "counter", NULL, "Opens of key files that were granted.",
                stats.opens, out, err) < 0)
        return -1;
    if (append_single(
                "skrfs_reads", "counter", NULL, "Reads of key files.", stats.reads, out, err) < 0)
        return -1;
    if (append_single("skrfs_denied", "counter", NULL, "Opens and reads that the rules refused.",
                stats.denied, out, err) < 0)
        return -1;
    return append_single("skrfs_interrupted", "counter", NULL, "Opens that their callers gave up.",
            stats.interrupted, out, err);
}

static int append_audit(
        struct skrfs_recorder *recorder, struct skrfs_buf *out, struct skrfs_error *err) {
    struct skrfs_recorder_stats stats;

    skrfs_recorder_get_stats(recorder, &stats);
    if (append_single("skrfs_audit_record", "gauge", NULL,
                "Number of the last record in the audit's chain.", stats.written, out, err) < 0 ||
            append_single("skrfs_audit_waiting", "gauge", NULL, "Records that are not written yet.",
                    stats.waiting, out, err) < 0 ||
            append_single("skrfs_audit_lost", "counter", NULL, "Records that could not be written.",
                    stats.lost, out, err) < 0)
        return -1;
    return append_single("skrfs_audit_stuck", "gauge", NULL,
            "Whether the audit cannot be written at present.", stats.stuck, out, err);
}

int skrfs_report_metrics(
        const struct skrfs_reporter *reporter, struct skrfs_buf *out, struct skrfs_error *err) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(families); i++)
        if (append_family(reporter, &families[i], out, err) < 0)
            return -1;
    if (append_memory(out, err) < 0)
        return -1;
    if (reporter->fs && append_file_system(reporter->fs, out, err) < 0)
        return -1;
    if (reporter->recorder && append_audit(reporter->recorder, out, err) < 0)
        return -1;
    return skrfs_buf_append_text(out, "# EOF\n", err);
}
