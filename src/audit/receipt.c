/* Receipts: what was released on which measured boot. */
#include "room.h"

#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>

static int set_record(struct skrfs_json *receipt, const struct skrfs_audit_head *record,
        struct skrfs_error *err) {
    char digest[SKRFS_AUDIT_HEX];
    struct skrfs_json *vouches;

    if (!record->seq)
        return 0;
    skrfs_hex_encode(record->digest, sizeof(record->digest), digest);
    if (skrfs_json_pack(&vouches, err, "{s:I, s:s, s:s}", "seq", (int64_t)record->seq, "digest",
                digest, "chain", record->chain) < 0)
        return -1;
    return skrfs_json_set(receipt, "audit", vouches, err);
}

int skrfs_receipt_print(const char *key, const struct skrfs_proof *proof,
        const struct skrfs_audit_head *record, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *receipt = NULL;
    char when[24];

    skrfs_format_time(proof->wall_s, when, sizeof(when));
    if (skrfs_json_pack(&receipt, err, "{s:s, s:s, s:I}", "key", key, "released", when, "release",
                (int64_t)proof->release) < 0 ||
            audit_set_text(receipt, "version", proof->version, err) < 0 ||
            audit_set_proof(receipt, proof, err) < 0 || set_record(receipt, record, err) < 0 ||
            skrfs_json_print(receipt, true, out, err) < 0)
        return -1;
    return skrfs_buf_append(out, "\n", 1, err);
}

static int line(
        struct skrfs_buf *out, const char *title, const char *text, struct skrfs_error *err) {
    return *text ? skrfs_buf_printf(out, err, "%-13s %s\n", title, text) : 0;
}

int skrfs_receipt_tell(
        const struct skrfs_json *receipt, struct skrfs_buf *out, struct skrfs_error *err) {
    static const struct {
        const char *title, *name;
    } lines[] = {{"key:", "key"}, {"released:", "released"}, {"vault:", "vault"}, {"kid:", "kid"},
            {"version:", "version"}, {"wrapped by:", "enc"}, {"TEE:", "tee"},
            {"measurement:", "measurement"}, {"PCR digest:", "pcrs_sha256"}, {"boot:", "boot_id"},
            {"token:", "token_sha256"}, {"answer:", "jws_sha256"}};
    const struct skrfs_json *record = skrfs_json_get(receipt, "audit");

    for (size_t i = 0; i < SKRFS_ARRAY_LEN(lines); i++)
        if (line(out, lines[i].title, audit_text(receipt, lines[i].name), err) < 0)
            return -1;
    if (!record)
        return line(out, "audit:", "no record of it is written", err);
    return skrfs_buf_printf(out, err, "%-13s record %lld of chain %s, %s\n",
            "audit:", (long long)audit_number(record, "seq"), audit_text(record, "chain"),
            audit_text(record, "digest"));
}
