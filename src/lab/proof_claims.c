/* What the service says of hardware that the guest or enclave asked itself: names and types as in
 * its published tokens; SGX claims have an older name each beside the present one. */
#include "claims.h"
#include "jwt.h"
#include "policies.h"
#include "proof.h"

#include <skrfs/base/encode.h>
#include <skrfs/evidence/sgx.h>
#include <skrfs/evidence/snp.h>
#include <skrfs/evidence/tdx.h>
#include <stdio.h>
#include <string.h>

/* Sets what was packed before; `rc` is how that went. */
static int set(struct skrfs_json *claims, const char *name, int rc, struct skrfs_json *value,
        struct skrfs_error *err) {
    return rc < 0 ? -1 : skrfs_json_set(claims, name, value, err);
}

static int set_text(
        struct skrfs_json *claims, const char *name, const char *text, struct skrfs_error *err) {
    struct skrfs_json *value = NULL;
    int rc = skrfs_json_pack(&value, err, "s", text);
    return set(claims, name, rc, value, err);
}

static int set_bool(
        struct skrfs_json *claims, const char *name, bool truth, struct skrfs_error *err) {
    struct skrfs_json *value = NULL;
    int rc = skrfs_json_pack(&value, err, "b", (int)truth);
    return set(claims, name, rc, value, err);
}

static int set_number(
        struct skrfs_json *claims, const char *name, int64_t number, struct skrfs_error *err) {
    struct skrfs_json *value = NULL;
    int rc = skrfs_json_pack(&value, err, "I", number);
    return set(claims, name, rc, value, err);
}

/* What is said of a machine that complies, unless a test wants something else said. */
static const char *compliance(const struct skrfs_lab_token_wish *wish, const char *usual) {
    return strcmp(wish->compliance, "azure-compliant-cvm") == 0 ? usual : wish->compliance;
}

static int snp(const struct skrfs_lab_proof *proof, const struct skrfs_lab_token_wish *wish,
        struct skrfs_json *claims, struct skrfs_error *err) {
    struct skrfs_bytes report = skrfs_buf_bytes(&proof->report);
    struct skrfs_snp parsed;
    if (skrfs_snp_parse(report, &parsed, err) < 0 ||
            skrfs_lab_snp_claims(report, claims, err) < 0 ||
            set_text(claims, "x-ms-attestation-type", "sevsnpvm", err) < 0)
        return -1;
    if (proof->uvm_svn < 0 || parsed.debug)
        return 0;
    return set_text(claims, "x-ms-compliance-status", compliance(wish, "azure-compliant-uvm"), err);
}

/* Intel TDX module ABI, ATTRIBUTES. */
static int tdx_attributes(uint64_t attributes, struct skrfs_json *claims, struct skrfs_error *err) {
    static const struct {
        const char *name;
        unsigned bit;
    } flags[] = {
            {"tdx_td_attributes_septve_disable", 28},
            {"tdx_td_attributes_protection_keys", 30},
            {"tdx_td_attributes_key_locker", 31},
            {"tdx_td_attributes_perfmon", 63},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(flags); i++)
        if (set_bool(claims, flags[i].name, (attributes >> flags[i].bit & 1) != 0, err) < 0)
            return -1;
    return set_text(claims, "dbgstat", attributes & 1 ? "enabled" : "disabled", err);
}

static int tdx(const struct skrfs_lab_proof *proof, const struct skrfs_lab_token_wish *wish,
        struct skrfs_json *claims, struct skrfs_error *err) {
    struct skrfs_bytes bytes = skrfs_buf_bytes(&proof->report);
    struct skrfs_td_quote quote;
    if (skrfs_td_quote_parse(bytes, &quote, err) < 0 ||
            skrfs_lab_tdx_claims(bytes, claims, err) < 0 ||
            tdx_attributes(quote.attributes, claims, err) < 0 ||
            set_text(claims, "x-ms-attestation-type", "tdxvm", err) < 0 ||
            set_text(claims, "intuse", "generic", err) < 0 ||
            set_text(claims, "eat_profile", "https://aka.ms/maa-eat-profile-tdxvm", err) < 0)
        return -1;
    /* By what the service tells its own machines' quotes from others' is not published: no real
     * quote is called compliant here. */
    if (quote.attributes & 1 || proof->real)
        return 0;
    return set_text(claims, "x-ms-compliance-status", compliance(wish, "azure-compliant-cvm"), err);
}

/* Data of type Binary comes back as it was sent. */
static int set_held(const struct skrfs_lab_proof *proof, const char *name,
        struct skrfs_json *claims, struct skrfs_error *err) {
    struct skrfs_json *value = NULL;
    if (proof->runtime.type != SKRFS_LAB_BINARY)
        return 0;
    int rc = skrfs_lab_base64_json(
            SKRFS_BASE64URL, skrfs_buf_bytes(&proof->runtime.octets), &value, err);
    return set(claims, name, rc, value, err);
}

/* What the quote was judged by, as digests. The lab has no revocation lists, TCB information or
 * identity of quoting enclaves: those are digests of nothing. That of the quote is over it without
 * Open Enclave's header. */
static int sgx_collateral(const struct skrfs_lab_proof *proof, const struct skrfs_sgx_quote *quote,
        const char *prefix, struct skrfs_json **ret_json, struct skrfs_error *err) {
    const struct {
        const char *name;
        struct skrfs_bytes of;
    } parts[] = {
            {"qeidcertshash", quote->proof.certs},
            {"qeidcrlhash", {0}},
            {"qeidhash", {0}},
            {"quotehash", skrfs_buf_bytes(&proof->report)},
            {"tcbinfocertshash", quote->proof.certs},
            {"tcbinfocrlhash", {0}},
            {"tcbinfohash", {0}},
    };
    skrfs_autojson *json = NULL;
    if (skrfs_json_pack(&json, err, "{}") < 0)
        return -1;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(parts); i++) {
        uint8_t digest[32];
        char name[32];
        (void)snprintf(name, sizeof(name), "%s%s", prefix, parts[i].name);
        const struct hex_claim claim = {name, digest, sizeof(digest)};
        if (skrfs_hash(SKRFS_SHA256, parts[i].of.data, parts[i].of.len, digest, err) < 0 ||
                skrfs_lab_hex_claims(json, &claim, 1, err) < 0)
            return -1;
    }
    *ret_json = skrfs_take(json);
    return 0;
}

/* Claims under the names that the service began with. */
static int sgx_old(const struct skrfs_lab_proof *proof, const struct skrfs_sgx_quote *quote,
        struct skrfs_json *claims, struct skrfs_error *err) {
    struct skrfs_json *collateral = NULL;
    const struct hex_claim hex[] = {
            {"sgx-mrenclave", quote->mrenclave, sizeof(quote->mrenclave)},
            {"sgx-mrsigner", quote->mrsigner, sizeof(quote->mrsigner)},
    };
    if (skrfs_lab_hex_claims(claims, hex, SKRFS_ARRAY_LEN(hex), err) < 0 ||
            set_text(claims, "tee", "sgx", err) < 0 ||
            set_bool(claims, "is-debuggable", quote->debug, err) < 0 ||
            set_number(claims, "product-id", quote->product_id, err) < 0 ||
            set_number(claims, "svn", quote->svn, err) < 0 ||
            set_held(proof, "maa-ehd", claims, err) < 0)
        return -1;
    int rc = sgx_collateral(proof, quote, "maa-", &collateral, err);
    return set(claims, "maa-attestationcollateral", rc, collateral, err);
}

static int sgx_new(const struct skrfs_lab_proof *proof, const struct skrfs_sgx_quote *quote,
        struct skrfs_json *claims, struct skrfs_error *err) {
    struct skrfs_json *collateral = NULL;
    const struct hex_claim hex[] = {
            {"x-ms-sgx-mrenclave", quote->mrenclave, sizeof(quote->mrenclave)},
            {"x-ms-sgx-mrsigner", quote->mrsigner, sizeof(quote->mrsigner)},
            {"x-ms-sgx-report-data", quote->report_data, sizeof(quote->report_data)},
    };
    if (skrfs_lab_hex_claims(claims, hex, SKRFS_ARRAY_LEN(hex), err) < 0 ||
            set_text(claims, "x-ms-attestation-type", "sgx", err) < 0 ||
            set_bool(claims, "x-ms-sgx-is-debuggable", quote->debug, err) < 0 ||
            set_number(claims, "x-ms-sgx-product-id", quote->product_id, err) < 0 ||
            set_number(claims, "x-ms-sgx-svn", quote->svn, err) < 0 ||
            set_held(proof, "x-ms-sgx-ehd", claims, err) < 0 ||
            set_held(proof, "aas-ehd", claims, err) < 0)
        return -1;
    int rc = sgx_collateral(proof, quote, "", &collateral, err);
    return set(claims, "x-ms-sgx-collateral", rc, collateral, err);
}

static int sgx(
        const struct skrfs_lab_proof *proof, struct skrfs_json *claims, struct skrfs_error *err) {
    struct skrfs_sgx_quote quote;
    if (skrfs_sgx_quote_parse(skrfs_buf_bytes(&proof->report), &quote, err) < 0 ||
            sgx_old(proof, &quote, claims, err) < 0)
        return -1;
    return proof->preview ? 0 : sgx_new(proof, &quote, claims, err);
}

/* A lie about the key to wrap to, under the name of the true one. */
static int replace_key(
        struct skrfs_json *runtime, const struct skrfs_pkey *key, struct skrfs_error *err) {
    const struct skrfs_json *first = skrfs_json_at(skrfs_json_get(runtime, "keys"), 0);
    const char *kid = skrfs_json_string(skrfs_json_get(first, "kid"));
    struct skrfs_json *keys = NULL;
    int rc = skrfs_lab_key_claims(key, kid ? kid : "key", &keys, err);
    return set(runtime, "keys", rc, keys, err);
}

static int set_data(const struct skrfs_lab_data *data, const char *name,
        const struct skrfs_pkey *lie, struct skrfs_json *claims, struct skrfs_error *err) {
    skrfs_autojson *value = NULL;
    if (data->type != SKRFS_LAB_JSON)
        return 0;
    if (skrfs_json_parse(skrfs_buf_text(&data->octets), data->octets.len, data->octets.max, &value,
                err) < 0 ||
            (lie && replace_key(value, lie, err) < 0))
        return -1;
    return skrfs_json_set(claims, name, skrfs_take(value), err);
}

static int of_kind(const struct skrfs_lab_proof *proof, const struct skrfs_lab_token_wish *wish,
        struct skrfs_json *claims, struct skrfs_error *err) {
    if (proof->kind == SKRFS_LAB_SEVSNPVM)
        return snp(proof, wish, claims, err);
    if (proof->kind == SKRFS_LAB_TDXVM)
        return tdx(proof, wish, claims, err);
    return sgx(proof, claims, err);
}

static int common(const struct skrfs_lab_proof *proof, const struct skrfs_lab_token_wish *wish,
        struct skrfs_json *claims, struct skrfs_error *err) {
    uint8_t digest[32];
    if (!proof->preview)
        return skrfs_lab_registered_claims(wish, claims, err);
    if (skrfs_lab_time_claims(wish, claims, err) < 0 || skrfs_lab_policy_digest(digest, err) < 0)
        return -1;
    const struct hex_claim hash = {"maa-policyHash", digest, sizeof(digest)};
    return skrfs_lab_hex_claims(claims, &hash, 1, err);
}

int skrfs_lab_proof_claims(const struct skrfs_lab_proof *proof,
        const struct skrfs_lab_token_wish *wish, struct skrfs_json **ret_claims,
        struct skrfs_error *err) {
    skrfs_autojson *claims = NULL;
    const char *nonce = wish->nonce ? wish->nonce : skrfs_buf_text(&proof->nonce);
    if (skrfs_json_pack(&claims, err, "{}") < 0 || common(proof, wish, claims, err) < 0 ||
            of_kind(proof, wish, claims, err) < 0 ||
            set_data(&proof->runtime, "x-ms-runtime", wish->key, claims, err) < 0 ||
            set_data(&proof->init, "x-ms-inittime", NULL, claims, err) < 0 ||
            (proof->nonce.len > 0 && set_text(claims, "nonce", nonce, err) < 0))
        return -1;
    *ret_claims = skrfs_take(claims);
    return 0;
}
