/* A record's place in the chain. */
#include "room.h"

#include <skrfs/base/encode.h>
#include <skrfs/crypto/hash.h>
#include <stdio.h>
#include <string.h>

/* One line between braces. jansson leaves octets above ASCII as they are; the records' texts have
 * none. */
bool audit_is_object_line(const char *text, size_t len) {
    if (len < 2 || text[0] != '{' || text[len - 1] != '}')
        return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return true;
}

static int print_front(const struct skrfs_audit_head *head, const struct skrfs_audit_volume *volume,
        struct skrfs_buf *out, struct skrfs_error *err) {
    char prev[SKRFS_AUDIT_HEX];

    skrfs_hex_encode(head->digest, sizeof(head->digest), prev);
    unsigned long long seq = head->seq + 1, oldest = volume ? volume->oldest : 0;
    if (skrfs_buf_printf(out, err, "{\"seq\":%llu,\"prev\":\"%s\",\"chain\":\"%s\"", seq, prev,
                head->chain) < 0)
        return -1;
    if (!volume || !volume->number)
        return 0;
    return skrfs_buf_printf(out, err, ",\"file\":{\"number\":%llu,\"oldest\":%llu}",
            (unsigned long long)volume->number, oldest ? oldest : seq);
}

int skrfs_audit_seal(struct skrfs_audit_head *head, const struct skrfs_audit_volume *volume,
        const char *body, size_t len, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_AUDIT_RECORD_MAX);
    uint8_t digest[SKRFS_AUDIT_DIGEST];
    char digits[SKRFS_AUDIT_HEX];

    if (!audit_is_object_line(body, len))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "an audit record that is no JSON object");
    if (print_front(head, volume, &text, err) < 0 ||
            (len > 2 && skrfs_buf_append(&text, ",", 1, err) < 0) ||
            skrfs_buf_append(&text, body + 1, len - 1, err) < 0 ||
            skrfs_hash(SKRFS_SHA256, text.data, text.len, digest, err) < 0)
        return -1;
    skrfs_hex_encode(digest, sizeof(digest), digits);
    size_t before = out->len;
    if (skrfs_buf_printf(out, err, "%s %s\n", digits, skrfs_buf_text(&text)) < 0) {
        skrfs_buf_truncate(out, before);
        return -1;
    }
    head->seq++;
    memcpy(head->digest, digest, sizeof(digest));
    return 0;
}

static int parse_kind(const char *name, enum skrfs_audit_kind *ret_kind, struct skrfs_error *err) {
    for (int i = 0; i < SKRFS_AUDIT_KIND_COUNT; i++) {
        if (strcmp(name, skrfs_audit_kind_name((enum skrfs_audit_kind)i)) == 0) {
            *ret_kind = (enum skrfs_audit_kind)i;
            return 0;
        }
    }
    return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "'kind' is none of a record");
}

static int parse_chain(
        const struct skrfs_json *json, char out[SKRFS_AUDIT_CHAIN], struct skrfs_error *err) {
    const char *chain = NULL;

    if (skrfs_json_need_string(json, "chain", &chain, err) < 0)
        return -1;
    if (strlen(chain) != SKRFS_AUDIT_CHAIN - 1 ||
            strspn(chain, "0123456789abcdef") != SKRFS_AUDIT_CHAIN - 1)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "'chain' is not 16 hexadecimal digits");
    memcpy(out, chain, SKRFS_AUDIT_CHAIN);
    return 0;
}

static int parse_volume(
        const struct skrfs_json *json, struct skrfs_audit_volume *volume, struct skrfs_error *err) {
    const struct skrfs_json *file = skrfs_json_get(json, "file");
    int64_t number, oldest;

    if (!file)
        return 0;
    if (skrfs_json_need_integer(file, "number", &number, err) < 0 ||
            skrfs_json_need_integer(file, "oldest", &oldest, err) < 0)
        return -1;
    if (number < 1 || oldest < 1)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "'file' counts from 1");
    volume->number = (uint64_t)number;
    volume->oldest = (uint64_t)oldest;
    return 0;
}

static int parse_members(struct skrfs_audit_record *record, struct skrfs_error *err) {
    const char *prev = NULL, *kind = NULL;
    int64_t seq;

    if (skrfs_json_need_integer(record->json, "seq", &seq, err) < 0 ||
            skrfs_json_need_string(record->json, "prev", &prev, err) < 0 ||
            skrfs_json_need_string(record->json, "kind", &kind, err) < 0 ||
            skrfs_hex_decode(prev, record->prev, sizeof(record->prev), err) < 0 ||
            parse_chain(record->json, record->chain, err) < 0 ||
            parse_volume(record->json, &record->volume, err) < 0 ||
            parse_kind(kind, &record->kind, err) < 0)
        return -1;
    if (seq < 1)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "'seq' counts from 1");
    record->seq = (uint64_t)seq;
    record->restart = skrfs_json_kind(skrfs_json_get(record->json, "restart")) == SKRFS_JSON_TRUE;
    return 0;
}

static int parse(
        const char *line, size_t len, struct skrfs_audit_record *record, struct skrfs_error *err) {
    const size_t front = SKRFS_AUDIT_HEX; /* the digits and a blank */
    char digits[SKRFS_AUDIT_HEX];

    if (len < front + 2 || len - front > SKRFS_AUDIT_RECORD_MAX || line[front - 1] != ' ' ||
            !audit_is_object_line(line + front, len - front))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "this is no audit record");
    memcpy(digits, line, front - 1);
    digits[front - 1] = 0;
    /* Of either case would leave an octet that can be changed and not be found. */
    if (strspn(digits, "0123456789abcdef") != front - 1)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "it does not begin with a digest");
    if (skrfs_hex_decode(digits, record->written, sizeof(record->written), err) < 0 ||
            skrfs_hash(SKRFS_SHA256, line + front, len - front, record->made, err) < 0 ||
            skrfs_json_parse(
                    line + front, len - front, SKRFS_AUDIT_RECORD_MAX, &record->json, err) < 0)
        return -1;
    return parse_members(record, err);
}

int skrfs_audit_parse(const char *line, size_t len, struct skrfs_audit_record *ret_record,
        struct skrfs_error *err) {
    skrfs_autorecord record = {0};

    if (parse(line, len, &record, err) < 0)
        return -1;
    *ret_record = record;
    record.json = NULL;
    return 0;
}

void skrfs_audit_record_done(struct skrfs_audit_record *record) {
    skrfs_json_free(record->json);
    *record = (struct skrfs_audit_record){0};
}
