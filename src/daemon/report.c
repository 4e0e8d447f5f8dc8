/* What an operator asks: health, everything as JSON, and the last attempt step by step. */
#include <skrfs/base/clock.h>
#include <skrfs/daemon/process.h>
#include <skrfs/json/json.h>

#define TIME_LEN 32

/* A key was tried when it was released or failed at least once. A failure counts while it is the
 * last word. */
static void count_keys(
        const struct skrfs_reporter *reporter, size_t *ret_tried, size_t *ret_failed) {
    struct skrfs_key_status status;

    *ret_tried = *ret_failed = 0;
    for (size_t i = 0; i < reporter->conf->key_count; i++) {
        skrfs_store_status(reporter->store, i, &status);
        *ret_tried += status.releases > 0 || status.failures > 0;
        *ret_failed += status.error[0] != 0;
    }
}

const char *skrfs_report_health(const struct skrfs_reporter *reporter) {
    size_t tried, failed;
    struct skrfs_recorder_stats audit = {.stuck = false};

    if (reporter->recorder)
        skrfs_recorder_get_stats(reporter->recorder, &audit);
    count_keys(reporter, &tried, &failed);
    if ((failed && failed == tried) || (audit.stuck && reporter->conf->audit.required))
        return "failing";
    return failed || audit.stuck ? "degraded" : "ok";
}

/* What takes the key back by itself, and how far it is; nothing of a key without limits. */
static int set_limits(const struct skrfs_reporter *reporter, size_t key, struct skrfs_json *object,
        struct skrfs_error *err) {
    struct skrfs_fs_limits state;
    char until[TIME_LEN] = "", gone[TIME_LEN] = "";
    struct skrfs_json *json;

    if (!reporter->fs || !skrfs_fs_get_limits(reporter->fs, key, &state))
        return 0;
    if (state.until_s)
        skrfs_format_time(state.until_s, until, sizeof(until));
    if (state.gone != SKRFS_GONE_NOT)
        skrfs_format_time(state.gone_s, gone, sizeof(gone));
    if (skrfs_json_pack(&json, err, "{s:I, s:I, s:s?, s:s?, s:s?}", "reads",
                (int64_t)state.limits.reads, "used", (int64_t)state.used, "until",
                state.until_s ? until : NULL, "until_unit", state.limits.until_unit, "gone",
                state.gone == SKRFS_GONE_NOT ? NULL : gone) < 0)
        return -1;
    return skrfs_json_set(object, "limits", json, err);
}

static int append_key(const struct skrfs_reporter *reporter, size_t key, struct skrfs_json *array,
        struct skrfs_error *err) {
    struct skrfs_key_status status;
    struct skrfs_json *json;

    skrfs_store_status(reporter->store, key, &status);
    if (skrfs_json_pack(&json, err, "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s}", "name",
                reporter->conf->keys[key].file, "state", skrfs_key_state_name(status.state),
                "version", status.version, "age_s", (int64_t)(status.age_ns / SKRFS_SECOND_NS),
                "releases", (int64_t)status.releases, "failures", (int64_t)status.failures,
                "waiters", (int64_t)status.waiters, "handles", (int64_t)status.handles, "error",
                status.refusal[0] ? status.refusal : status.error) < 0)
        return -1;
    if (set_limits(reporter, key, json, err) < 0) {
        skrfs_json_free(json);
        return -1;
    }
    return skrfs_json_append(array, json, err);
}

static int memory_json(struct skrfs_json **ret_json, struct skrfs_error *err) {
    struct skrfs_secret_stats stats;

    skrfs_secret_get_stats(&stats);
    return skrfs_json_pack(ret_json, err, "{s:s, s:I, s:I, s:I}", "kind",
            skrfs_secret_kind_name(stats.kind), "arena", (int64_t)stats.arena, "used",
            (int64_t)stats.used, "secrets", (int64_t)stats.secrets);
}

static int keys_json(const struct skrfs_reporter *reporter, struct skrfs_json **ret_json,
        struct skrfs_error *err) {
    skrfs_autojson *array = NULL;

    if (skrfs_json_new_array(&array, err) < 0)
        return -1;
    for (size_t i = 0; i < reporter->conf->key_count; i++)
        if (append_key(reporter, i, array, err) < 0)
            return -1;
    *ret_json = skrfs_take(array);
    return 0;
}

static int add_audit(
        const struct skrfs_reporter *reporter, struct skrfs_json *root, struct skrfs_error *err) {
    struct skrfs_json *audit;

    if (!reporter->recorder)
        return 0;
    if (skrfs_recorder_status(reporter->recorder, &audit, err) < 0)
        return -1;
    return skrfs_json_set(root, "audit", audit, err);
}

int skrfs_report_status(
        const struct skrfs_reporter *reporter, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *memory = NULL, *keys = NULL, *root = NULL;
    char since[TIME_LEN];

    skrfs_format_time(reporter->since_s, since, sizeof(since));
    if (memory_json(&memory, err) < 0 || keys_json(reporter, &keys, err) < 0)
        return -1;
    if (skrfs_json_pack(&root, err, "{s:s, s:s?, s:s, s:s, s:o, s:o}", "version", SKRFS_VERSION,
                "lab", reporter->conf->lab_dir, "health", skrfs_report_health(reporter), "since",
                since, "memory", skrfs_take(memory), "keys", skrfs_take(keys)) < 0 ||
            add_audit(reporter, root, err) < 0)
        return -1;
    if (skrfs_json_print(root, true, out, err) < 0)
        return -1;
    return skrfs_buf_append_text(out, "\n", err);
}

static int print_state(const struct skrfs_reporter *reporter, size_t key, struct skrfs_buf *out,
        struct skrfs_error *err) {
    struct skrfs_key_status status;

    skrfs_store_status(reporter->store, key, &status);
    if (skrfs_buf_printf(out, err, "state:     %s\n", skrfs_key_state_name(status.state)) < 0)
        return -1;
    if (status.version[0] &&
            skrfs_buf_printf(out, err, "version:   %s, released %llu s ago\n", status.version,
                    (unsigned long long)(status.age_ns / SKRFS_SECOND_NS)) < 0)
        return -1;
    if (status.error[0] && skrfs_buf_printf(out, err, "error:     %s\nclass:     %s\n",
                                   status.error, skrfs_class_name(status.error_class)) < 0)
        return -1;
    return skrfs_buf_printf(out, err, "attempts:  %llu released, %llu failed\n",
            (unsigned long long)status.releases, (unsigned long long)status.failures);
}

static int print_limits(const struct skrfs_reporter *reporter, size_t key, struct skrfs_buf *out,
        struct skrfs_error *err) {
    struct skrfs_fs_limits state;
    struct skrfs_key_status status;
    char until[TIME_LEN];

    skrfs_store_status(reporter->store, key, &status);
    if (status.refusal[0] && skrfs_buf_printf(out, err, "refused:   %s\n", status.refusal) < 0)
        return -1;
    if (!reporter->fs || !skrfs_fs_get_limits(reporter->fs, key, &state))
        return 0;
    if (state.limits.reads &&
            skrfs_buf_printf(out, err, "reads:     %llu of %llu\n", (unsigned long long)state.used,
                    (unsigned long long)state.limits.reads) < 0)
        return -1;
    if (state.until_s) {
        skrfs_format_time(state.until_s, until, sizeof(until));
        return skrfs_buf_printf(out, err, "until:     %s\n", until);
    }
    if (!state.limits.until_unit)
        return 0;
    return skrfs_buf_printf(out, err, "until:     %s is active\n", state.limits.until_unit);
}

static int print_steps(const struct skrfs_reporter *reporter, size_t key, struct skrfs_buf *out,
        struct skrfs_error *err) {
    struct skrfs_trace *trace SKRFS_CLEANUP(skrfs_free_p) = calloc(1, sizeof(*trace));
    struct skrfs_key_status status;

    if (!trace)
        return skrfs_fail_memory(err);
    skrfs_store_trace(reporter->store, key, trace);
    skrfs_store_status(reporter->store, key, &status);
    if (trace->count == 0)
        return skrfs_buf_append_text(out,
                status.state == SKRFS_KEY_FETCHING ? "\nthe first attempt is under way\n"
                                                   : "\nnot tried yet\n",
                err);
    if (skrfs_buf_append_text(out, "\nlast attempt:\n", err) < 0)
        return -1;
    return skrfs_trace_print(trace, out, err);
}

int skrfs_report_why(const struct skrfs_reporter *reporter, size_t key, struct skrfs_buf *out,
        struct skrfs_error *err) {
    const struct skrfs_conf *conf = reporter->conf;
    const struct skrfs_conf_key *from = &conf->keys[key];
    const struct skrfs_conf_vault *vault = &conf->vaults[from->vault];

    if (conf->lab_dir && skrfs_buf_printf(out, err, "lab:       %s\n", conf->lab_dir) < 0)
        return -1;
    if (skrfs_buf_printf(out, err, "key:       %s\nvault:     %s, %s/keys/%s%s%s\n", from->file,
                vault->name, vault->url, from->name, from->version ? "/" : "",
                from->version ? from->version : "") < 0)
        return -1;
    if (print_state(reporter, key, out, err) < 0 || print_limits(reporter, key, out, err) < 0)
        return -1;
    return print_steps(reporter, key, out, err);
}

static int report_receipt(const struct skrfs_reporter *reporter, size_t key, struct skrfs_buf *out,
        struct skrfs_error *err) {
    if (!reporter->recorder)
        return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND, "this mount has no audit");
    return skrfs_recorder_receipt(reporter->recorder, key, out, err);
}

int skrfs_report(void *context, enum skrfs_fs_report which, size_t key, struct skrfs_buf *out,
        struct skrfs_error *err) {
    const struct skrfs_reporter *reporter = context;

    switch (which) {
    case SKRFS_REPORT_HEALTH:
        return skrfs_buf_printf(out, err, "%s\n", skrfs_report_health(reporter));
    case SKRFS_REPORT_STATUS:
        return skrfs_report_status(reporter, out, err);
    case SKRFS_REPORT_METRICS:
        return skrfs_report_metrics(reporter, out, err);
    case SKRFS_REPORT_RECEIPT:
        return report_receipt(reporter, key, out, err);
    case SKRFS_REPORT_WHY:
        return skrfs_report_why(reporter, key, out, err);
    default:
        return skrfs_fail(err, SKRFS_CLASS_BUG, "no report has the number %d", (int)which);
    }
}
