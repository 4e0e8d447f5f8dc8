/* A record for people, and as fields of the journal. */
#include "room.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define FIELD_NAME_MAX 64 /* journald takes no longer ones */

const char *audit_text(const struct skrfs_json *object, const char *name) {
    const char *text = skrfs_json_string(skrfs_json_get(object, name));

    return text ? text : "";
}

int64_t audit_number(const struct skrfs_json *object, const char *name) {
    return skrfs_json_integer(skrfs_json_get(object, name));
}

static int tell_text(
        struct skrfs_buf *out, const char *before, const char *text, struct skrfs_error *err) {
    return *text ? skrfs_buf_printf(out, err, "%s%s", before, text) : 0;
}

static int tell_who(const struct skrfs_json *record, const char *before, struct skrfs_buf *out,
        struct skrfs_error *err) {
    const struct skrfs_json *who = skrfs_json_get(record, "who");

    if (!who)
        return 0;
    if (skrfs_buf_printf(out, err, "%suid %lld gid %lld pid %lld", before,
                (long long)audit_number(who, "uid"), (long long)audit_number(who, "gid"),
                (long long)audit_number(who, "pid")) < 0 ||
            tell_text(out, " exe ", audit_text(who, "exe"), err) < 0 ||
            tell_text(out, " unit ", audit_text(who, "unit"), err) < 0)
        return -1;
    return tell_text(out, " container ", audit_text(who, "container"), err);
}

/* "keys/tls", "every key". */
static const char *what(const struct skrfs_json *record) {
    const char *path = audit_text(record, "path"), *key = audit_text(record, "key");

    if (*path)
        return path;
    return *key ? key : "every key";
}

static int tell_end(
        const struct skrfs_json *record, struct skrfs_buf *out, struct skrfs_error *err) {
    int64_t repeated = audit_number(record, "repeated");

    if (tell_text(out, ": ", audit_text(record, "reason"), err) < 0 ||
            tell_text(out, ", by ", audit_text(record, "rule"), err) < 0)
        return -1;
    return repeated > 0 ? skrfs_buf_printf(out, err, " (%lld times more)", (long long)repeated) : 0;
}

static int tell_release_number(
        const struct skrfs_json *record, struct skrfs_buf *out, struct skrfs_error *err) {
    int64_t release = audit_number(record, "release");

    return release > 0 ? skrfs_buf_printf(out, err, ", release %lld", (long long)release) : 0;
}

static int tell_decision(const struct skrfs_json *record, const char *verb, struct skrfs_buf *out,
        struct skrfs_error *err) {
    bool refused = strcmp(audit_text(record, "verdict"), "refused") == 0;

    if (skrfs_buf_printf(out, err, "%s %s%s", what(record), refused ? "not " : "", verb) < 0 ||
            tell_who(record, refused ? " for " : " by ", out, err) < 0 ||
            tell_text(out, ", version ", audit_text(record, "version"), err) < 0)
        return -1;
    if (tell_release_number(record, out, err) < 0)
        return -1;
    return tell_end(record, out, err);
}

static int tell_release(
        const struct skrfs_json *record, struct skrfs_buf *out, struct skrfs_error *err) {
    bool failed = strcmp(audit_text(record, "verdict"), "released") != 0;

    if (skrfs_buf_printf(out, err, "%s %sreleased by %s", audit_text(record, "key"),
                failed ? "not " : "", audit_text(record, "vault")) < 0 ||
            tell_text(out, ", version ", audit_text(record, "version"), err) < 0 ||
            tell_release_number(record, out, err) < 0 ||
            tell_text(out, ", ", audit_text(record, "tee"), err) < 0 ||
            tell_text(out, " measured ", audit_text(record, "measurement"), err) < 0)
        return -1;
    return tell_end(record, out, err);
}

static int tell_begin(
        const struct skrfs_json *record, struct skrfs_buf *out, struct skrfs_error *err) {
    const struct skrfs_json *cut = skrfs_json_get(record, "cut");
    int64_t torn = audit_number(record, "torn");

    if (skrfs_buf_printf(out, err, "%s begins", audit_text(record, "process")) < 0 ||
            tell_text(out, ", mount ", audit_text(record, "mount"), err) < 0 ||
            tell_text(out, ", configuration ", audit_text(record, "config"), err) < 0)
        return -1;
    if (torn > 0 && skrfs_buf_printf(out, err, "; a half-written record of %lld octets was cut off",
                            (long long)torn) < 0)
        return -1;
    return cut ? skrfs_buf_printf(out, err, "; the records behind this place up to %lld were gone",
                         (long long)audit_number(cut, "seq"))
               : 0;
}

int skrfs_audit_tell(
        const struct skrfs_json *record, struct skrfs_buf *out, struct skrfs_error *err) {
    const char *kind = audit_text(record, "kind");

    if (strcmp(kind, "open") == 0)
        return tell_decision(record, "opened", out, err);
    if (strcmp(kind, "read") == 0)
        return tell_decision(record, "read through another's descriptor", out, err);
    if (strcmp(kind, "wipe") == 0)
        return tell_decision(record, "wiped", out, err);
    if (strcmp(kind, "renew") == 0)
        return tell_decision(record, "renewed", out, err);
    if (strcmp(kind, "gone") == 0)
        return tell_decision(record, "taken back", out, err);
    if (strcmp(kind, "release") == 0)
        return tell_release(record, out, err);
    if (strcmp(kind, "begin") == 0)
        return tell_begin(record, out, err);
    if (strcmp(kind, "lost") == 0)
        return skrfs_buf_printf(out, err, "%lld records could not be written",
                (long long)audit_number(record, "lost"));
    return skrfs_buf_printf(
            out, err, "%s", strcmp(kind, "end") == 0 ? "the mount ended" : "unknown");
}

static void field_name(const char *prefix, const char *name, char out[FIELD_NAME_MAX]) {
    (void)snprintf(out, FIELD_NAME_MAX, "%s_%s", prefix, name);
    for (char *letter = out; *letter; letter++)
        *letter = isalnum((unsigned char)*letter) ? (char)toupper((unsigned char)*letter) : '_';
}

static int walk(const struct skrfs_json *object, const char *prefix, unsigned depth,
        skrfs_audit_field_fn *field, void *context, struct skrfs_error *err) {
    const struct skrfs_json *value;
    void *iterator = NULL;
    const char *name;

    while (skrfs_json_next(object, &iterator, &name, &value)) {
        char full[FIELD_NAME_MAX], number[32];
        const char *text = NULL;
        field_name(prefix, name, full);
        enum skrfs_json_kind kind = skrfs_json_kind(value);
        if (kind == SKRFS_JSON_STRING)
            text = skrfs_json_string(value);
        if (kind == SKRFS_JSON_INTEGER) {
            (void)snprintf(number, sizeof(number), "%lld", (long long)skrfs_json_integer(value));
            text = number;
        }
        if (kind == SKRFS_JSON_TRUE || kind == SKRFS_JSON_FALSE)
            text = kind == SKRFS_JSON_TRUE ? "yes" : "no";
        if (text && field(context, full, text, err) < 0)
            return -1;
        if (kind == SKRFS_JSON_OBJECT && depth > 0 &&
                walk(value, full, depth - 1, field, context, err) < 0)
            return -1;
    }
    return 0;
}

int skrfs_audit_fields(const struct skrfs_json *record, skrfs_audit_field_fn *field, void *context,
        struct skrfs_error *err) {
    return walk(record, "SKRFS", 1, field, context, err);
}
