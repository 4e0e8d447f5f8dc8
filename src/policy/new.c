#include "known.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BASE_MAX 3 /* conditions that a TEE's policy has of itself */

static const struct {
    const char *name, *other; /* as it is written, and as it is read too */
    struct skrfs_claim_wish base[BASE_MAX];
} tees[SKRFS_POLICY_TEE_COUNT] = {
        [SKRFS_POLICY_CVM_SNP] = {"sevsnpvm", "cvm-snp",
                {{INNER "x-ms-attestation-type", "sevsnpvm"},
                        {INNER "x-ms-compliance-status", "azure-compliant-cvm"},
                        {INNER "x-ms-sevsnpvm-is-debuggable", "false"}}},
        [SKRFS_POLICY_CVM_TDX] = {"tdxvm", "cvm-tdx",
                {{INNER "x-ms-attestation-type", "tdxvm"},
                        {INNER "x-ms-compliance-status", "azure-compliant-cvm"},
                        {INNER "tdx_td_attributes_debug", "false"}}},
        [SKRFS_POLICY_SNP] = {"snp", "aci",
                {{"x-ms-attestation-type", "sevsnpvm"},
                        {"x-ms-compliance-status", "azure-compliant-uvm"},
                        {"x-ms-sevsnpvm-is-debuggable", "false"}}},
        [SKRFS_POLICY_TDX] = {"tdx", "td",
                {{"x-ms-attestation-type", "tdxvm"}, {"tdx_td_attributes_debug", "false"}}},
        [SKRFS_POLICY_SGX] = {"sgx", "gramine", {{"x-ms-sgx-is-debuggable", "false"}}},
};

bool skrfs_policy_tee_parse(const char *text, enum skrfs_policy_tee *ret_tee) {
    for (size_t i = 0; i < SKRFS_POLICY_TEE_COUNT; i++) {
        if (strcmp(tees[i].name, text) == 0 || strcmp(tees[i].other, text) == 0) {
            *ret_tee = (enum skrfs_policy_tee)i;
            return true;
        }
    }
    return false;
}

const char *skrfs_policy_tee_name(enum skrfs_policy_tee tee) {
    return tees[tee].name;
}

static const char *claim_string(const struct skrfs_json *claims, const char *name) {
    const char *text = skrfs_json_string(skrfs_claim(claims, name));
    return text ? text : "";
}

bool skrfs_policy_tee_of(const struct skrfs_json *claims, enum skrfs_policy_tee *ret_tee) {
    const char *type = claim_string(claims, "x-ms-attestation-type");
    bool guest = strcmp(type, "azurevm") == 0;
    if (guest)
        type = claim_string(claims, INNER "x-ms-attestation-type");
    if (strcmp(type, "sevsnpvm") == 0)
        *ret_tee = guest ? SKRFS_POLICY_CVM_SNP : SKRFS_POLICY_SNP;
    else if (strcmp(type, "tdxvm") == 0)
        *ret_tee = guest ? SKRFS_POLICY_CVM_TDX : SKRFS_POLICY_TDX;
    else if (!guest && (strcmp(type, "sgx") == 0 || skrfs_claim(claims, "x-ms-sgx-mrenclave")))
        *ret_tee = SKRFS_POLICY_SGX;
    else
        return false;
    return true;
}

bool skrfs_policy_word(enum skrfs_policy_tee tee, const char *word, char out[SKRFS_CLAIM_MAX]) {
    bool inner = false;
    const struct known_claim *claim = skrfs_policy_known_word(tee, word, &inner);
    if (claim)
        snprintf(out, SKRFS_CLAIM_MAX, "%s%s", inner ? INNER : "", claim->name);
    return claim;
}

int skrfs_policy_words(enum skrfs_policy_tee tee, struct skrfs_buf *out, struct skrfs_error *err) {
    const struct known_claim *claim;
    const char *comma = "";
    char name[SKRFS_CLAIM_MAX];
    for (size_t i = 0; (claim = skrfs_policy_known_at(i)); i++) {
        if (!claim->bind || !skrfs_policy_word(tee, claim->bind, name))
            continue;
        if (skrfs_buf_printf(out, err, "%s%s", comma, claim->bind) < 0)
            return -1;
        comma = ", ";
    }
    return 0;
}

static const char *asked(
        const struct skrfs_claim_wish *claims, size_t claim_count, const char *name) {
    for (size_t i = 0; i < claim_count; i++)
        if (strcmp(claims[i].name, name) == 0)
            return claims[i].value;
    return NULL;
}

static bool asks_role(const struct skrfs_claim_wish *claims, size_t claim_count, unsigned token,
        enum claim_role role) {
    for (size_t i = 0; i < claim_count; i++) {
        /* A claim that nobody here knows is the attestation service's own policy's; a slip is none.
         */
        const struct known_claim *known = skrfs_policy_known_claim(claims[i].name);
        bool slip = !known && skrfs_policy_near_claim(claims[i].name);
        enum claim_role own = known ? known->role : slip ? ROLE_NONE : ROLE_CODE;
        if (own == role && skrfs_policy_claim_tokens(claims[i].name) & token)
            return true;
    }
    return false;
}

static int fail_unpinned(enum skrfs_policy_tee tee, bool signer, struct skrfs_error *err) {
    switch (tee) {
    case SKRFS_POLICY_SGX:
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                signer ? "any enclave of that signer would do: ask for x-ms-sgx-product-id too"
                       : "any enclave would do, whoever wrote it: ask for x-ms-sgx-mrenclave, or "
                         "for x-ms-sgx-mrsigner and x-ms-sgx-product-id");
    case SKRFS_POLICY_TDX:
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "any trust domain would do, whatever runs in it: ask for tdx_mrtd or an rtmr");
    default:
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "any container group would do, whatever runs in it: ask for x-ms-sevsnpvm-hostdata "
                "(the SHA-256 of its container policy) or x-ms-sevsnpvm-launchmeasurement");
    }
}

/* A confidential VM's measurement is its firmware's alone: its verdict is all that there is. */
static int check_pins(enum skrfs_policy_tee tee, const struct skrfs_claim_wish *claims,
        size_t count, struct skrfs_error *err) {
    unsigned token = 1u << tee;
    bool signer = asks_role(claims, count, token, ROLE_SIGNER);
    bool pinned = token & TOKEN_GUEST || asks_role(claims, count, token, ROLE_CODE) ||
                  asks_role(claims, count, token, ROLE_INSTANCE);
    if (tee == SKRFS_POLICY_SGX)
        pinned = pinned || (signer && asks_role(claims, count, token, ROLE_PRODUCT));
    else
        pinned = pinned || signer;
    if (tee == SKRFS_POLICY_SNP) /* what the verdict's own host of containers heeds */
        pinned = pinned || asks_role(claims, count, token, ROLE_CHOICE);
    return pinned ? 0 : fail_unpinned(tee, signer, err);
}

static int append_claim(
        struct skrfs_json *array, const char *name, const char *value, struct skrfs_error *err) {
    struct skrfs_json *claim = NULL;
    if (skrfs_json_pack(&claim, err, "{s:s, s:s}", "claim", name, "equals", value) < 0)
        return -1;
    return skrfs_json_append(array, claim, err);
}

static int conditions_new(enum skrfs_policy_tee tee, const struct skrfs_claim_wish *claims,
        size_t count, struct skrfs_json **ret_json, struct skrfs_error *err) {
    skrfs_autojson *array = NULL;
    if (skrfs_json_new_array(&array, err) < 0)
        return -1;
    for (size_t i = 0; i < BASE_MAX && tees[tee].base[i].name; i++) {
        const struct skrfs_claim_wish *base = &tees[tee].base[i];
        /* A guest that is measured needs no verdict, and outside Azure there is none. */
        bool spare = tee == SKRFS_POLICY_SNP && strcmp(base->name, "x-ms-compliance-status") == 0 &&
                     asked(claims, count, "x-ms-sevsnpvm-launchmeasurement");
        if (!spare && !asked(claims, count, base->name) &&
                append_claim(array, base->name, base->value, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < count; i++)
        if (append_claim(array, claims[i].name, claims[i].value, err) < 0)
            return -1;
    *ret_json = skrfs_take(array);
    return 0;
}

static int append_authority(struct skrfs_json *array, const char *url,
        const struct skrfs_json *conditions, struct skrfs_error *err) {
    struct skrfs_json *copy = NULL, *entry = NULL;
    if (strncmp(url, "https://", 8) != 0 || !url[8])
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'%s' is no attestation service: it is named by its https:// address", url);
    if (skrfs_json_copy(conditions, &copy, err) < 0 ||
            skrfs_json_pack(&entry, err, "{s:s, s:o}", "authority", url, "allOf", copy) < 0)
        return -1;
    return skrfs_json_append(array, entry, err);
}

int skrfs_policy_new(enum skrfs_policy_tee tee, const char *const *authorities,
        size_t authority_count, const struct skrfs_claim_wish *claims, size_t claim_count,
        struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *conditions = NULL, *list = NULL, *whole = NULL;
    if (authority_count == 0)
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "a policy wants an attestation service that it trusts");
    if (check_pins(tee, claims, claim_count, err) < 0 ||
            conditions_new(tee, claims, claim_count, &conditions, err) < 0 ||
            skrfs_json_new_array(&list, err) < 0)
        return -1;
    for (size_t i = 0; i < authority_count; i++)
        if (append_authority(list, authorities[i], conditions, err) < 0)
            return -1;
    if (skrfs_json_pack(&whole, err, "{s:s, s:o}", "version", "1.0.0", "anyOf", skrfs_take(list)) <
            0)
        return -1;
    return skrfs_json_print(whole, true, out, err);
}

int skrfs_policy_new_cvm(const char *authority, const char *tee,
        const struct skrfs_claim_wish *more, size_t more_count, struct skrfs_buf *out,
        struct skrfs_error *err) {
    enum skrfs_policy_tee kind = SKRFS_POLICY_SGX;
    if (!skrfs_policy_tee_parse(tee, &kind) || !(1u << kind & TOKEN_GUEST))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'%s' is no kind of confidential VM: write sevsnpvm or tdxvm", tee);
    return skrfs_policy_new(kind, &authority, 1, more, more_count, out, err);
}
