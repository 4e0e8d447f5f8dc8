#include "guest.h"

#include <skrfs/base/encode.h>
#include <string.h>

#define BODY_MAX ((size_t)2 * 1024 * 1024)
#define FIELD_MAX ((size_t)1024 * 1024)

void skrfs_lab_guest_init(struct skrfs_lab_guest *guest) {
    *guest = (struct skrfs_lab_guest){
            .event_log = SKRFS_BUF(FIELD_MAX),
            .ak_cert = SKRFS_BUF(SKRFS_CERT_MAX),
            .ak_public = SKRFS_BUF(1024),
            .quote = SKRFS_BUF(2048),
            .quote_signature = SKRFS_BUF(SKRFS_RSA_MAX),
            .key_public = SKRFS_BUF(1024),
            .key_certify = SKRFS_BUF(2048),
            .key_certify_signature = SKRFS_BUF(SKRFS_RSA_MAX),
            .claims = SKRFS_BUF((size_t)16 * 1024),
            .report = SKRFS_BUF((size_t)64 * 1024),
            .chain = SKRFS_BUF(SKRFS_PEM_MAX),
    };
}

void skrfs_lab_guest_done(struct skrfs_lab_guest *guest) {
    struct skrfs_buf *bufs[] = {&guest->event_log, &guest->ak_cert, &guest->ak_public,
            &guest->quote, &guest->quote_signature, &guest->key_public, &guest->key_certify,
            &guest->key_certify_signature, &guest->claims, &guest->report, &guest->chain};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(bufs); i++)
        skrfs_buf_done(bufs[i]);
    skrfs_json_free(guest->client_payload);
    guest->client_payload = NULL;
}

/* A required member in base64 of either alphabet, which must hold something. */
static int need_octets(const struct skrfs_json *json, const char *name, struct skrfs_buf *out,
        struct skrfs_error *err) {
    if (skrfs_json_need_base64(json, name, SKRFS_BASE64_ANY, out, err) < 0)
        return -1;
    if (out->len == 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "%s is empty", name);
    return 0;
}

static int need_text(const struct skrfs_json *json, const char *name, char *out, size_t size,
        struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(size - 1);
    if (need_octets(json, name, &text, err) < 0)
        return -1;
    skrfs_text_clean(skrfs_buf_text(&text), text.len, out, size);
    return 0;
}

/* Versions come as numbers, and from some clients as text. */
static int need_version(const struct skrfs_json *json, const char *name, int64_t *ret_value,
        struct skrfs_error *err) {
    const char *text = skrfs_json_string(skrfs_json_get(json, name));
    char *end = NULL;
    if (!text)
        return skrfs_json_need_integer(json, name, ret_value, err);
    long value = strtol(text, &end, 10);
    if (end == text || *end || value < 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "%s is no number", name);
    *ret_value = value;
    return 0;
}

static int decode_os(
        const struct skrfs_json *info, struct skrfs_lab_guest *guest, struct skrfs_error *err) {
    const char *version = NULL;
    if (skrfs_json_need_string(info, "AttestationProtocolVersion", &version, err) < 0)
        return -1;
    if (strcmp(version, "2.0") != 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "AttestationProtocolVersion is not 2.0");
    if (need_text(info, "OSType", guest->os_type, sizeof(guest->os_type), err) < 0 ||
            need_text(info, "OSDistro", guest->os_distro, sizeof(guest->os_distro), err) < 0 ||
            need_text(info, "OSBuild", guest->os_build, sizeof(guest->os_build), err) < 0 ||
            need_version(info, "OSVersionMajor", &guest->os_major, err) < 0 ||
            need_version(info, "OSVersionMinor", &guest->os_minor, err) < 0)
        return -1;
    if (strcmp(guest->os_type, "Linux") != 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "OSType is not Linux");
    if (guest->os_major <= 0 || guest->os_minor < 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "OSVersionMajor is not above 0");
    return 0;
}

/* Every value of the client's payload is base64 of text. */
static int decode_payload(
        const struct skrfs_json *info, struct skrfs_lab_guest *guest, struct skrfs_error *err) {
    const struct skrfs_json *payload = NULL;
    const struct skrfs_json *value = NULL;
    const char *name = NULL;
    void *iterator = NULL;
    if (skrfs_json_need_object(info, "ClientPayload", &payload, err) < 0)
        return -1;
    while (skrfs_json_next(payload, &iterator, &name, &value)) {
        skrfs_autobuf text = SKRFS_BUF((size_t)16 * 1024);
        if (need_octets(payload, name, &text, err) < 0)
            return skrfs_wrap(err, "ClientPayload");
    }
    if (!skrfs_json_get(payload, "nonce"))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "ClientPayload has no nonce");
    return skrfs_json_copy(payload, &guest->client_payload, err);
}

static int decode_pcr_set(const struct skrfs_json *tpm, struct skrfs_error *err) {
    const struct skrfs_json *set = NULL;
    if (skrfs_json_need_array(tpm, "PcrSet", &set, err) < 0)
        return -1;
    bool right = skrfs_json_size(set) == 8;
    for (size_t i = 0; right && i < 8; i++) {
        const struct skrfs_json *index = skrfs_json_at(set, i);
        right = skrfs_json_kind(index) == SKRFS_JSON_INTEGER &&
                skrfs_json_integer(index) == (int64_t)i;
    }
    if (!right)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "PcrSet is not 0 to 7");
    return 0;
}

static int decode_pcrs(
        const struct skrfs_json *tpm, struct skrfs_lab_guest *guest, struct skrfs_error *err) {
    const struct skrfs_json *pcrs = NULL;
    unsigned seen = 0;
    if (decode_pcr_set(tpm, err) < 0 || skrfs_json_need_array(tpm, "PCRs", &pcrs, err) < 0)
        return -1;
    for (size_t i = 0; i < skrfs_json_size(pcrs); i++) {
        const struct skrfs_json *pcr = skrfs_json_at(pcrs, i);
        skrfs_autobuf digest = SKRFS_BUF(64);
        int64_t index = 0;
        if (skrfs_json_need_integer(pcr, "Index", &index, err) < 0 ||
                need_octets(pcr, "Digest", &digest, err) < 0)
            return skrfs_wrap(err, "PCRs");
        if (index < 0 || index > 7 || seen & 1U << index || digest.len != 32)
            return skrfs_fail(
                    err, SKRFS_CLASS_BAD_ANSWER, "PCRs are not one SHA-256 for each of 0 to 7");
        seen |= 1U << index;
        memcpy(guest->pcrs[index], digest.data, 32);
    }
    if (seen != 0xff)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "PCRs are not one SHA-256 for each of 0 to 7");
    return 0;
}

static int decode_tpm(
        const struct skrfs_json *info, struct skrfs_lab_guest *guest, struct skrfs_error *err) {
    const struct skrfs_json *tpm = NULL;
    if (skrfs_json_need_object(info, "TpmInfo", &tpm, err) < 0)
        return -1;
    const struct {
        const char *name;
        struct skrfs_buf *out;
    } fields[] = {
            {"AikCert", &guest->ak_cert},
            {"AikPub", &guest->ak_public},
            {"PcrQuote", &guest->quote},
            {"PcrSignature", &guest->quote_signature},
            {"EncKeyPub", &guest->key_public},
            {"EncKeyCertifyInfo", &guest->key_certify},
            {"EncKeyCertifyInfoSignature", &guest->key_certify_signature},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(fields); i++)
        if (need_octets(tpm, fields[i].name, fields[i].out, err) < 0)
            return -1;
    return decode_pcrs(tpm, guest, err);
}

/* The proof of an SNP guest is itself a JSON document. */
static int decode_snp(
        const struct skrfs_json *evidence, struct skrfs_lab_guest *guest, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF((size_t)256 * 1024);
    skrfs_autojson *proof = NULL;
    guest->isolation = SKRFS_LAB_SNP;
    if (need_octets(evidence, "Proof", &text, err) < 0)
        return -1;
    if (skrfs_json_parse(skrfs_buf_text(&text), text.len, text.max, &proof, err) < 0 ||
            need_octets(proof, "SnpReport", &guest->report, err) < 0 ||
            need_octets(proof, "VcekCertChain", &guest->chain, err) < 0)
        return skrfs_wrap(err, "Proof");
    return 0;
}

static int decode_isolation(
        const struct skrfs_json *info, struct skrfs_lab_guest *guest, struct skrfs_error *err) {
    const struct skrfs_json *isolation = NULL;
    const struct skrfs_json *evidence = NULL;
    const char *type = NULL;
    if (skrfs_json_need_object(info, "IsolationInfo", &isolation, err) < 0 ||
            skrfs_json_need_string(isolation, "Type", &type, err) < 0 ||
            skrfs_json_need_object(isolation, "Evidence", &evidence, err) < 0 ||
            need_octets(evidence, "RunTimeData", &guest->claims, err) < 0)
        return -1;
    if (strcmp(type, "SevSnp") == 0)
        return decode_snp(evidence, guest, err);
    if (strcmp(type, "Tdx") != 0)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "the isolation type is neither SevSnp nor Tdx");
    guest->isolation = SKRFS_LAB_TDX;
    return need_octets(evidence, "Proof", &guest->report, err);
}

int skrfs_lab_guest_decode(
        struct skrfs_bytes body, struct skrfs_lab_guest *guest, struct skrfs_error *err) {
    skrfs_autojson *outer = NULL;
    skrfs_autojson *info = NULL;
    skrfs_autobuf text = SKRFS_BUF(BODY_MAX);
    if (skrfs_json_parse((const char *)body.data, body.len, BODY_MAX, &outer, err) < 0)
        return skrfs_wrap(err, "the request");
    /* The service's own specification spells the name with a small letter, its client with a
     * capital one. */
    const char *name =
            skrfs_json_get(outer, "attestationInfo") ? "attestationInfo" : "AttestationInfo";
    if (need_octets(outer, name, &text, err) < 0 ||
            skrfs_json_parse(skrfs_buf_text(&text), text.len, BODY_MAX, &info, err) < 0)
        return skrfs_wrap(err, "AttestationInfo");
    if (decode_os(info, guest, err) < 0 ||
            skrfs_json_need_base64(info, "TcgLogs", SKRFS_BASE64_ANY, &guest->event_log, err) < 0 ||
            decode_payload(info, guest, err) < 0 || decode_tpm(info, guest, err) < 0)
        return skrfs_wrap(err, "AttestationInfo");
    return decode_isolation(info, guest, err);
}
