#include "policies.h"
#include "proof.h"

#include <skrfs/base/encode.h>
#include <skrfs/evidence/sgx.h>
#include <string.h>
#include <strings.h>

bool skrfs_lab_proof_kind(const char *name, enum skrfs_lab_proof_kind *ret_kind) {
    static const char *const names[SKRFS_LAB_PROOF_KINDS] = {
            [SKRFS_LAB_SEVSNPVM] = "SevSnpVm",
            [SKRFS_LAB_TDXVM] = "TdxVm",
            [SKRFS_LAB_SGXENCLAVE] = "SgxEnclave",
            [SKRFS_LAB_OPENENCLAVE] = "OpenEnclave",
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(names); i++)
        if (strcasecmp(names[i], name) == 0) {
            *ret_kind = (enum skrfs_lab_proof_kind)i;
            return true;
        }
    return false;
}

void skrfs_lab_proof_init(struct skrfs_lab_proof *proof) {
    *proof = (struct skrfs_lab_proof){
            .report = SKRFS_BUF(SKRFS_LAB_PROOF_BODY_MAX),
            .chain = SKRFS_BUF(SKRFS_PEM_MAX),
            .runtime.octets = SKRFS_BUF((size_t)64 * 1024),
            .init.octets = SKRFS_BUF((size_t)64 * 1024),
            .nonce = SKRFS_BUF(SKRFS_LAB_NONCE_MAX),
            .uvm_svn = -1,
    };
    for (size_t i = 0; i < SKRFS_LAB_UVM_MAX; i++)
        proof->uvm[i] = SKRFS_BUF((size_t)64 * 1024);
}

void skrfs_lab_proof_done(struct skrfs_lab_proof *proof) {
    struct skrfs_buf *bufs[] = {&proof->report, &proof->chain, &proof->runtime.octets,
            &proof->init.octets, &proof->nonce};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(bufs); i++)
        skrfs_buf_done(bufs[i]);
    for (size_t i = 0; i < SKRFS_LAB_UVM_MAX; i++)
        skrfs_buf_done(&proof->uvm[i]);
}

/* Where in a JSON text one is. */
struct scanner {
    const uint8_t *text;
    size_t len, at;
    unsigned depth;
};

/* The end of the string that begins at `at`: behind its closing quote. */
static size_t string_end(const struct scanner *scanner, size_t at) {
    for (at++; at < scanner->len && scanner->text[at] != '"'; at++)
        if (scanner->text[at] == '\\')
            at++;
    return at < scanner->len ? at + 1 : scanner->len;
}

static size_t skip_blanks(const struct scanner *scanner, size_t at) {
    while (at < scanner->len && strchr(" \t\r\n", scanner->text[at]))
        at++;
    return at;
}

/* True when the string at `at` is the member's name "nonce" of the outermost object with a number
 * behind it, which *ret_begin and *ret_end then enclose. */
static bool is_nonce(const struct scanner *scanner, size_t *ret_begin, size_t *ret_end) {
    static const char name[] = "\"nonce\"";
    size_t at = scanner->at, len = strlen(name);
    if (scanner->depth != 1 || len > scanner->len - at ||
            memcmp(scanner->text + at, name, len) != 0)
        return false;
    at = skip_blanks(scanner, at + len);
    if (at >= scanner->len || scanner->text[at] != ':')
        return false;
    size_t begin = skip_blanks(scanner, at + 1), end = begin;
    while (end < scanner->len && scanner->text[end] >= '0' && scanner->text[end] <= '9')
        end++;
    *ret_begin = begin;
    *ret_end = end;
    return end > begin;
}

static bool find_nonce(struct scanner *scanner, size_t *ret_begin, size_t *ret_end) {
    while (scanner->at < scanner->len) {
        uint8_t letter = scanner->text[scanner->at];
        if (letter == '"' && is_nonce(scanner, ret_begin, ret_end))
            return true;
        if (letter == '"') {
            scanner->at = string_end(scanner, scanner->at);
            continue;
        }
        scanner->depth += letter == '{' || letter == '[';
        scanner->depth -= (letter == '}' || letter == ']') && scanner->depth > 0;
        scanner->at++;
    }
    return false;
}

int skrfs_lab_nonce_quote(struct skrfs_bytes body, struct skrfs_buf *out, struct skrfs_error *err) {
    struct scanner scanner = {.text = body.data, .len = body.len};
    size_t begin = 0, end = 0;
    if (!find_nonce(&scanner, &begin, &end))
        return skrfs_buf_append(out, body.data, body.len, err);
    if (skrfs_buf_append(out, body.data, begin, err) < 0 ||
            skrfs_buf_append_text(out, "\"", err) < 0 ||
            skrfs_buf_append(out, body.data + begin, end - begin, err) < 0 ||
            skrfs_buf_append_text(out, "\"", err) < 0)
        return -1;
    return skrfs_buf_append(out, body.data + end, body.len - end, err);
}

static int need_octets(const struct skrfs_json *json, const char *name, struct skrfs_buf *out,
        struct skrfs_error *err) {
    if (skrfs_json_need_base64(json, name, SKRFS_BASE64_ANY, out, err) < 0)
        return -1;
    if (out->len == 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "%s is empty", name);
    return 0;
}

/* {"data": base64url, "dataType": "JSON" or "Binary"}. Clients send empty data for none: the
 * side-car with an empty type, Azure's guest SDK with type JSON. */
static int read_data(const struct skrfs_json *json, const char *name, struct skrfs_lab_data *data,
        struct skrfs_error *err) {
    const struct skrfs_json *value = skrfs_json_get(json, name);
    const char *type = NULL;
    if (!value || skrfs_json_kind(value) == SKRFS_JSON_NULL)
        return 0;
    if (skrfs_json_need_base64(value, "data", SKRFS_BASE64_ANY, &data->octets, err) < 0 ||
            skrfs_json_want_string(value, "dataType", &type, err) < 0)
        return skrfs_wrap(err, "%s", name);
    if (data->octets.len == 0)
        return 0;
    if (!type || (strcasecmp(type, "JSON") != 0 && strcasecmp(type, "Binary") != 0))
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "%s: dataType is neither JSON nor Binary", name);
    data->type = strcasecmp(type, "JSON") == 0 ? SKRFS_LAB_JSON : SKRFS_LAB_BINARY;
    return 0;
}

/* Data of type JSON must be a JSON object: its members become claims. */
static int check_json(
        const struct skrfs_lab_data *data, const char *name, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    if (data->type != SKRFS_LAB_JSON)
        return 0;
    if (skrfs_json_parse(
                skrfs_buf_text(&data->octets), data->octets.len, data->octets.max, &json, err) < 0)
        return skrfs_wrap(err, "%s", name);
    if (skrfs_json_kind(json) != SKRFS_JSON_OBJECT)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "%s is no JSON object", name);
    return 0;
}

static int read_endorsements(
        const struct skrfs_json *json, struct skrfs_lab_proof *proof, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_LAB_PROOF_BODY_MAX);
    skrfs_autojson *inner = NULL;
    const struct skrfs_json *list = NULL;
    if (!skrfs_json_get(json, "Endorsements"))
        return 0;
    if (need_octets(json, "Endorsements", &text, err) < 0 ||
            skrfs_json_parse(
                    skrfs_buf_text(&text), text.len, SKRFS_LAB_PROOF_BODY_MAX, &inner, err) < 0 ||
            skrfs_json_need_array(inner, "Uvm", &list, err) < 0)
        return skrfs_wrap(err, "Endorsements");
    if (skrfs_json_size(list) > SKRFS_LAB_UVM_MAX)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "Endorsements: too many of them");
    for (size_t i = 0; i < skrfs_json_size(list); i++) {
        const struct skrfs_json *item = skrfs_json_at(list, i);
        const char *one = skrfs_json_string(item);
        if (!one || skrfs_base64_decode(SKRFS_BASE64_ANY, one, skrfs_json_string_len(item),
                            &proof->uvm[i], err) < 0)
            return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "Endorsements: Uvm is no base64");
        proof->uvm_count++;
    }
    return 0;
}

static int read_snp(
        const struct skrfs_json *json, struct skrfs_lab_proof *proof, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_LAB_PROOF_BODY_MAX);
    skrfs_autojson *report = NULL;
    if (need_octets(json, "report", &text, err) < 0 ||
            skrfs_json_parse(
                    skrfs_buf_text(&text), text.len, SKRFS_LAB_PROOF_BODY_MAX, &report, err) < 0 ||
            need_octets(report, "SnpReport", &proof->report, err) < 0 ||
            need_octets(report, "VcekCertChain", &proof->chain, err) < 0)
        return -1;
    return read_endorsements(report, proof, err);
}

/* The quote inside Open Enclave's wrapping, which must be there. */
static int unwrap(struct skrfs_lab_proof *proof, struct skrfs_error *err) {
    struct skrfs_bytes quote;
    skrfs_autobuf copy = SKRFS_BUF(SKRFS_LAB_PROOF_BODY_MAX);
    if (skrfs_oe_unwrap(skrfs_buf_bytes(&proof->report), &quote, NULL, err) < 0)
        return -1;
    if (quote.data == proof->report.data)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "a quote without Open Enclave's header is for SgxEnclave");
    if (skrfs_buf_append(&copy, quote.data, quote.len, err) < 0)
        return -1;
    skrfs_buf_move(&proof->report, &copy);
    return 0;
}

/* {"Quote": ..., "EnclaveHeldData": ...}: what 2018-09-01-preview took. */
static int read_preview(
        const struct skrfs_json *json, struct skrfs_lab_proof *proof, struct skrfs_error *err) {
    if (need_octets(json, "Quote", &proof->report, err) < 0 ||
            (proof->kind == SKRFS_LAB_OPENENCLAVE && unwrap(proof, err) < 0))
        return -1;
    if (!skrfs_json_get(json, "EnclaveHeldData"))
        return 0;
    proof->runtime.type = SKRFS_LAB_BINARY;
    return need_octets(json, "EnclaveHeldData", &proof->runtime.octets, err);
}

static int read_evidence(
        const struct skrfs_json *json, struct skrfs_lab_proof *proof, struct skrfs_error *err) {
    if (proof->kind == SKRFS_LAB_SEVSNPVM)
        return read_snp(json, proof, err);
    if (proof->kind != SKRFS_LAB_OPENENCLAVE)
        return need_octets(json, "quote", &proof->report, err);
    return need_octets(json, "report", &proof->report, err) < 0 ? -1 : unwrap(proof, err);
}

static int read_rest(
        const struct skrfs_json *json, struct skrfs_lab_proof *proof, struct skrfs_error *err) {
    const char *nonce = NULL, *policy = NULL;
    if (read_data(json, "runtimeData", &proof->runtime, err) < 0 ||
            read_data(json, "initTimeData", &proof->init, err) < 0 ||
            check_json(&proof->runtime, "runtimeData", err) < 0 ||
            check_json(&proof->init, "initTimeData", err) < 0 ||
            skrfs_json_want_string(json, "nonce", &nonce, err) < 0 ||
            skrfs_json_want_string(json, "draftPolicyForAttestation", &policy, err) < 0)
        return -1;
    if (policy && proof->kind == SKRFS_LAB_TDXVM)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "draftPolicyForAttestation is not known for this kind of evidence");
    if (policy && !skrfs_lab_policy_has_rules(policy))
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "draftPolicyForAttestation is no attestation policy");
    proof->draft = policy != NULL;
    return nonce ? skrfs_buf_append_text(&proof->nonce, nonce, err) : 0;
}

int skrfs_lab_proof_decode(enum skrfs_lab_proof_kind kind, bool preview, struct skrfs_bytes body,
        struct skrfs_lab_proof *proof, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_LAB_PROOF_BODY_MAX + 2);
    skrfs_autojson *json = NULL;
    proof->kind = kind;
    proof->preview = preview;
    if (skrfs_lab_nonce_quote(body, &text, err) < 0 ||
            skrfs_json_parse(skrfs_buf_text(&text), text.len, text.max, &json, err) < 0)
        return -1;
    if (preview)
        return read_preview(json, proof, err);
    return read_evidence(json, proof, err) < 0 ? -1 : read_rest(json, proof, err);
}
