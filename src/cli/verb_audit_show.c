#include "audit_input.h"

#include <pwd.h>
#include <skrfs/base/clock.h>
#include <stdio.h>
#include <string.h>

struct show_options {
    const char *config, *mount, *key, *user, *since;
    bool journal, json;
};

struct show {
    const struct show_options *options;
    int64_t uid;    /* -1: any */
    char since[24]; /* as records have it; "": from the beginning */
};

static int find_user(const char *name, int64_t *ret_uid, struct skrfs_error *err) {
    char *end = NULL;
    unsigned long number = strtoul(name, &end, 10);
    const struct passwd *user = getpwnam(name);
    if (!user && (*end || end == name || number >= UINT32_MAX)) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "there is no user '%s'", name);
    }
    *ret_uid = user ? (int64_t)user->pw_uid : (int64_t)number;
    return 0;
}

/* "90m", or the beginning of a time as records have it: "2026-01-31", "2026-01-31T08:15". */
static int find_since(const char *text, char out[24], struct skrfs_error *err) {
    static const char shape[] = "dddd-dd-ddTdd:dd:ddZ";
    uint64_t ago_ns;
    size_t len = strlen(text);
    if (skrfs_parse_duration(text, &ago_ns)) {
        skrfs_format_time(skrfs_wall_s() - (int64_t)(ago_ns / SKRFS_SECOND_NS), out, 24);
        return 0;
    }
    bool fits = len >= 4 && len < sizeof(shape);
    for (size_t i = 0; i < len && fits; i++) {
        fits = shape[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == shape[i];
    }
    if (!fits) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "--since is a time ago such as 90m or 2d, or a time such as 2026-01-31T08:15 "
                "(UTC)");
    }
    (void)snprintf(out, 24, "%.*s", (int)(text[len - 1] == 'Z' ? len - 1 : len), text);
    return 0;
}

static const char *text_of(const struct skrfs_json *json, const char *name) {
    const char *text = skrfs_json_string(skrfs_json_get(json, name));
    return text ? text : "";
}

static bool is_wanted(const struct show *show, const struct skrfs_json *record) {
    const struct show_options *options = show->options;
    if (options->key && strcmp(text_of(record, "key"), options->key) != 0) {
        return false;
    }
    const struct skrfs_json *uid = skrfs_json_get(skrfs_json_get(record, "who"), "uid");
    if (show->uid >= 0 && (!uid || skrfs_json_integer(uid) != show->uid)) {
        return false;
    }
    return strncmp(text_of(record, "time"), show->since, strlen(show->since)) >= 0;
}

static int print_record(const struct show *show, const struct skrfs_audit_record *record,
        const char *line, size_t len, struct skrfs_error *err) {
    skrfs_autobuf out = SKRFS_BUF(SKRFS_OUTPUT_MAX);
    if (show->options->json) {
        if (skrfs_buf_append(&out, line + SKRFS_AUDIT_HEX, len - SKRFS_AUDIT_HEX, err) < 0) {
            return -1;
        }
    } else if (skrfs_buf_printf(&out, err, "%.19sZ %6llu %-7s ", text_of(record->json, "time"),
                       (unsigned long long)record->seq, skrfs_audit_kind_name(record->kind)) < 0 ||
               skrfs_audit_tell(record->json, &out, err) < 0) {
        return -1;
    }
    if (skrfs_buf_append(&out, "\n", 1, err) < 0) {
        return -1;
    }
    return skrfs_print(&out, err);
}

static int begin_file(void *context, const char *name, struct skrfs_error *err) {
    (void)context, (void)name, (void)err;
    return 0;
}

/* What is no record, or not as it was written, is not shown as if it were. */
static int show_line(
        void *context, const char *line, size_t len, bool whole, struct skrfs_error *err) {
    const struct show *show = context;
    skrfs_autorecord record = {0};
    struct skrfs_error why;
    if (!whole || skrfs_audit_parse(line, len, &record, &why) < 0 ||
            memcmp(record.made, record.written, sizeof(record.made)) != 0) {
        (void)fprintf(stderr, "a line that is no record, or was changed: see skrfs audit verify\n");
        return 0;
    }
    return is_wanted(show, record.json) ? print_record(show, &record, line, len, err) : 0;
}

static int show_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct show_options *options = call->options;
    struct show show = {.options = options, .uid = -1};
    auto_audit_input input = {.count = 0};
    if ((options->user && find_user(options->user, &show.uid, err) < 0) ||
            (options->since && find_since(options->since, show.since, err) < 0) ||
            audit_input_find(call, options->config, options->mount, options->journal, &input, err) <
                    0) {
        return -1;
    }
    return audit_input_read(&input, begin_file, show_line, &show, err);
}

static const struct skrfs_option show_table[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct show_options, config)},
        {'k', "key", "NAME", "records of this key alone", SKRFS_OPTION_TEXT,
                offsetof(struct show_options, key)},
        {'u', "user", "USER", "records of this caller alone, by name or number", SKRFS_OPTION_TEXT,
                offsetof(struct show_options, user)},
        {'s', "since", "TIME", "from a time on: 2h (ago), 2026-01-31, 2026-01-31T08:15 (UTC)",
                SKRFS_OPTION_TEXT, offsetof(struct show_options, since)},
        {'j', "journal", NULL, "show what the journal has", SKRFS_OPTION_FLAG,
                offsetof(struct show_options, journal)},
        {0, "mount", "MOUNTPOINT", "the mount whose file is meant", SKRFS_OPTION_TEXT,
                offsetof(struct show_options, mount)},
        {0, "json", NULL, "the records as they are, one a line", SKRFS_OPTION_FLAG,
                offsetof(struct show_options, json)},
};

const struct skrfs_verb skrfs_verb_audit_show = {
        .name = "audit show",
        .summary = "show the audit's records",
        .operands = "[FILE]...",
        .details = "Shows who opened which key and what was released, a line each record. Files "
                   "are found as by\n"
                   "skrfs audit verify, which alone says whether records are missing.",
        .page = "skrfs-audit(8)",
        .most = AUDIT_FILES_MAX,
        .options = show_table,
        .option_count = SKRFS_ARRAY_LEN(show_table),
        .options_size = sizeof(struct show_options),
        .run = show_run,
};
