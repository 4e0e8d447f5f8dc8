/* One record as JSON, before it is in the chain. */
#include "room.h"

#include <skrfs/base/clock.h>
#include <stdio.h>
#include <string.h>

/* Most octets of a text from outside: all of them together, each octet doubled by JSON, fit into a
 * record. */
#define EXE_MAX 2048
#define TEXT_MAX 1100

static const char *const kind_names[SKRFS_AUDIT_KIND_COUNT] = {
        "begin", "open", "read", "release", "wipe", "renew", "gone", "lost", "end"};

const char *skrfs_audit_kind_name(enum skrfs_audit_kind kind) {
    return kind < SKRFS_AUDIT_KIND_COUNT ? kind_names[kind] : "unknown";
}

void audit_escape(const char *text, char *out, size_t size) {
    size_t len = 0;

    for (; *text; text++) {
        unsigned char octet = (unsigned char)*text;
        bool plain = octet >= ' ' && octet <= '~' && octet != '\\';
        if (len + (plain ? 1 : 4) >= size)
            break;
        if (plain)
            out[len++] = *text;
        else
            len += (size_t)snprintf(out + len, size - len, "\\x%02x", octet);
    }
    out[len] = 0;
}

static int set_string(
        struct skrfs_json *object, const char *name, const char *text, struct skrfs_error *err) {
    struct skrfs_json *value;

    if (skrfs_json_pack(&value, err, "s", text) < 0)
        return -1;
    return skrfs_json_set(object, name, value, err);
}

static int set_escaped(struct skrfs_json *object, const char *name, const char *text, size_t max,
        struct skrfs_error *err) {
    char clean[EXE_MAX];

    if (!text || !*text)
        return 0;
    audit_escape(text, clean, max < sizeof(clean) ? max : sizeof(clean));
    return set_string(object, name, clean, err);
}

int audit_set_text(
        struct skrfs_json *object, const char *name, const char *text, struct skrfs_error *err) {
    return set_escaped(object, name, text, TEXT_MAX, err);
}

static int set_integer(
        struct skrfs_json *object, const char *name, uint64_t number, struct skrfs_error *err) {
    struct skrfs_json *value;

    if (skrfs_json_pack(&value, err, "I", (int64_t)number) < 0)
        return -1;
    return skrfs_json_set(object, name, value, err);
}

int audit_set_number(
        struct skrfs_json *object, const char *name, uint64_t number, struct skrfs_error *err) {
    return number ? set_integer(object, name, number, err) : 0;
}

static int set_time(
        struct skrfs_json *object, const struct timespec *when, struct skrfs_error *err) {
    char seconds[32], text[48];

    skrfs_format_time(when->tv_sec, seconds, sizeof(seconds));
    (void)snprintf(text, sizeof(text), "%.19s.%06ldZ", seconds, when->tv_nsec / 1000);
    return set_string(object, "time", text, err);
}

static int set_who(
        struct skrfs_json *record, const struct skrfs_caller *caller, struct skrfs_error *err) {
    struct skrfs_json *made;

    if (!caller)
        return 0;
    if (skrfs_json_pack(&made, err, "{s:I, s:I, s:I}", "uid", (int64_t)caller->uid, "gid",
                (int64_t)caller->gid, "pid", (int64_t)caller->pid) < 0)
        return -1;
    skrfs_autojson *who = made;
    bool cgroup = caller->known & SKRFS_FACT_CGROUP;
    if ((caller->known & SKRFS_FACT_EXE &&
                set_escaped(who, "exe", caller->exe, EXE_MAX, err) < 0) ||
            (cgroup && (audit_set_text(who, "unit", caller->unit, err) < 0 ||
                               audit_set_text(who, "container", caller->container, err) < 0)) ||
            audit_set_text(who, "unknown", caller->lack, err) < 0)
        return -1;
    return skrfs_json_set(record, "who", skrfs_take(who), err);
}

static const char *good_verdict(enum skrfs_audit_kind kind) {
    if (kind == SKRFS_AUDIT_OPEN || kind == SKRFS_AUDIT_READ)
        return "granted";
    if (kind == SKRFS_AUDIT_RELEASE)
        return "released";
    return kind == SKRFS_AUDIT_WIPE || kind == SKRFS_AUDIT_RENEW ? "done" : NULL;
}

static int set_verdict(
        struct skrfs_json *record, const struct skrfs_audit_entry *entry, struct skrfs_error *err) {
    const struct skrfs_error *refusal = entry->err;
    const char *bad = entry->kind == SKRFS_AUDIT_RELEASE ? "failed" : "refused";

    if (!refusal)
        return audit_set_text(record, "verdict", good_verdict(entry->kind), err);
    if (audit_set_text(record, "verdict", entry->kind == SKRFS_AUDIT_GONE ? NULL : bad, err) < 0 ||
            audit_set_text(record, "class", skrfs_class_name(refusal->kind), err) < 0 ||
            audit_set_number(record, "upstream", refusal->upstream, err) < 0)
        return -1;
    return audit_set_text(record, "reason", refusal->message, err);
}

int audit_set_proof(
        struct skrfs_json *object, const struct skrfs_proof *proof, struct skrfs_error *err) {
    const struct {
        const char *name, *text;
    } members[] = {
            {"vault", proof->vault},
            {"name", proof->name},
            {"kid", proof->kid},
            {"enc", proof->enc},
            {"token_sha256", proof->token_sha256},
            {"jws_sha256", proof->jws_sha256},
            {"tee", proof->tee},
            {"measurement", proof->measurement},
            {"pcrs_sha256", proof->pcrs_sha256},
            {"boot_id", proof->boot_id},
    };

    for (size_t i = 0; i < SKRFS_ARRAY_LEN(members); i++)
        if (audit_set_text(object, members[i].name, members[i].text, err) < 0)
            return -1;
    return 0;
}

static int set_bool(
        struct skrfs_json *object, const char *name, bool truth, struct skrfs_error *err) {
    struct skrfs_json *value;

    if (skrfs_json_pack(&value, err, "b", (int)truth) < 0)
        return -1;
    return skrfs_json_set(object, name, value, err);
}

/* Where the live end is known better than the file has it, the file was cut: that is told in the
 * chain itself. */
static int set_missing(
        struct skrfs_json *record, const struct skrfs_audit_begin *begin, struct skrfs_error *err) {
    struct skrfs_json *head;

    if (audit_set_number(record, "torn", begin->torn, err) < 0)
        return -1;
    if (!begin->head_seq)
        return 0;
    if (skrfs_json_pack(&head, err, "{s:I, s:s}", "seq", (int64_t)begin->head_seq, "digest",
                begin->head_digest) < 0)
        return -1;
    return skrfs_json_set(record, "cut", head, err);
}

static int set_begin(
        struct skrfs_json *record, const struct skrfs_audit_begin *begin, struct skrfs_error *err) {
    if (!begin)
        return 0;
    if (audit_set_text(record, "process", begin->process, err) < 0 ||
            audit_set_text(record, "skrfs", begin->version, err) < 0 ||
            audit_set_text(record, "config", begin->config, err) < 0 ||
            audit_set_text(record, "config_sha256", begin->config_sha256, err) < 0 ||
            audit_set_text(record, "mount", begin->mount, err) < 0 ||
            audit_set_text(record, "boot_id", begin->boot_id, err) < 0 ||
            (begin->restart && set_bool(record, "restart", true, err) < 0) ||
            set_bool(record, "journal", begin->journal, err) < 0 ||
            set_escaped(record, "log", begin->file, EXE_MAX, err) < 0 ||
            set_bool(record, "required", begin->required, err) < 0)
        return -1;
    return set_missing(record, begin, err);
}

static int set_all(
        struct skrfs_json *record, const struct skrfs_audit_entry *entry, struct skrfs_error *err) {
    if (set_time(record, &entry->when, err) < 0 ||
            set_string(record, "kind", skrfs_audit_kind_name(entry->kind), err) < 0 ||
            audit_set_text(record, "key", entry->key, err) < 0 ||
            audit_set_text(record, "path", entry->path, err) < 0 ||
            set_verdict(record, entry, err) < 0 ||
            audit_set_text(record, "rule", entry->rule, err) < 0 ||
            audit_set_text(record, "version", entry->version, err) < 0 ||
            audit_set_number(record, "release", entry->release, err) < 0 ||
            set_who(record, entry->caller, err) < 0)
        return -1;
    if (entry->proof && audit_set_proof(record, entry->proof, err) < 0)
        return -1;
    if (audit_set_number(record, "lost", entry->lost, err) < 0 ||
            audit_set_number(record, "repeated", entry->repeated, err) < 0)
        return -1;
    return set_begin(record, entry->begin, err);
}

static int print(const struct skrfs_json *record, struct skrfs_buf *out, struct skrfs_error *err) {
    size_t before = out->len;

    if (skrfs_json_print(record, false, out, err) < 0)
        return -1;
    if (out->len - before > SKRFS_AUDIT_BODY_MAX) {
        skrfs_buf_truncate(out, before);
        return skrfs_fail(err, SKRFS_CLASS_BUG, "an audit record is too long");
    }
    return 0;
}

int skrfs_audit_body(
        const struct skrfs_audit_entry *entry, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *record = NULL;

    if (skrfs_json_pack(&record, err, "{}") < 0 || set_all(record, entry, err) < 0)
        return -1;
    return print(record, out, err);
}

int skrfs_audit_body_repeat(const char *body, const struct timespec *when, uint64_t repeated,
        struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *record = NULL;

    if (skrfs_json_parse(body, strlen(body), SKRFS_AUDIT_BODY_MAX, &record, err) < 0 ||
            set_time(record, when, err) < 0 || set_integer(record, "repeated", repeated, err) < 0)
        return -1;
    return print(record, out, err);
}
