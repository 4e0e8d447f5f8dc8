/* Claims that the attestation service's tokens have, from its documentation and from real tokens.
 */
#include "known.h"

#include <skrfs/base/nearest.h>
#include <string.h>
#include <strings.h>

#define SNP TOKEN_SNP
#define TDX TOKEN_TDX
#define SGX TOKEN_SGX
#define HEX(name, digits, role, tokens, words, bind)                                               \
    { name, SHAPE_HEX, digits, role, tokens, words, bind }
#define NUMBER(name, role, tokens, words, bind)                                                    \
    { name, SHAPE_NUMBER, 0, role, tokens, words, bind }
#define BOOLEAN(name, role, tokens, words, bind)                                                   \
    { name, SHAPE_BOOLEAN, 0, role, tokens, words, bind }
#define OTHER(name, role, tokens, words, bind)                                                     \
    { name, SHAPE_ANY, 0, role, tokens, words, bind }

static const struct known_claim known[] = {
        {"x-ms-attestation-type", SHAPE_TYPE, 0, ROLE_TEE, TOKEN_ANY, "its kind", NULL},
        {"x-ms-compliance-status", SHAPE_STATUS, 0, ROLE_TEE, SNP | TDX, "Azure's verdict on it",
                NULL},
        OTHER("x-ms-policy-hash", ROLE_NONE, TOKEN_ANY,
                "the hash of the attestation service's own policy", "policy-hash"),
        OTHER("x-ms-ver", ROLE_NONE, TOKEN_ANY, "the token's version", NULL),
        OTHER("iss", ROLE_NONE, TOKEN_ANY, "the token's issuer", NULL),
        OTHER("exp", ROLE_NONE, TOKEN_ANY, "when the token ends", NULL),
        OTHER("iat", ROLE_NONE, TOKEN_ANY, "when the token was made", NULL),
        OTHER("nbf", ROLE_NONE, TOKEN_ANY, "when the token begins", NULL),
        OTHER("jti", ROLE_INSTANCE, TOKEN_ANY, "the token's own number", NULL),
        OTHER("nonce", ROLE_NONE, TOKEN_ANY, "the nonce of this attestation", NULL),
        BOOLEAN("secureboot", ROLE_NONE, TOKEN_GUEST, "secure boot is on|secure boot is off",
                "secureboot"),
        OTHER("x-ms-azurevm-vmid", ROLE_INSTANCE, TOKEN_GUEST, "the VM's id", "vmid"),

        HEX("x-ms-sevsnpvm-authorkeydigest", 96, ROLE_SIGNER, SNP, "the digest of its author's key",
                "authorkeydigest"),
        NUMBER("x-ms-sevsnpvm-bootloader-svn", ROLE_NONE, SNP,
                "the security version of its boot loader firmware", NULL),
        HEX("x-ms-sevsnpvm-familyId", 32, ROLE_NONE, SNP, "its image's family", "familyid"),
        NUMBER("x-ms-sevsnpvm-guestsvn", ROLE_NONE, SNP, "its own security version", "guestsvn"),
        HEX("x-ms-sevsnpvm-hostdata", 64, ROLE_CHOICE, SNP,
                "its host data (of containers: the hash of the policy of what may run)",
                "hostdata"),
        HEX("x-ms-sevsnpvm-idkeydigest", 96, ROLE_SIGNER, SNP,
                "the digest of the key that signed its image", "idkeydigest"),
        HEX("x-ms-sevsnpvm-imageId", 32, ROLE_NONE, SNP, "its image", "imageid"),
        BOOLEAN("x-ms-sevsnpvm-is-debuggable", ROLE_DEBUG, SNP,
                "the host can debug it|the host cannot debug it", NULL),
        HEX("x-ms-sevsnpvm-launchmeasurement", 96, ROLE_CODE, SNP,
                "the measurement of what it was started with", "measurement"),
        NUMBER("x-ms-sevsnpvm-microcode-svn", ROLE_NONE, SNP,
                "the security version of the processor's microcode", NULL),
        BOOLEAN("x-ms-sevsnpvm-migration-allowed", ROLE_NONE, SNP,
                "it can be moved to another machine|it cannot be moved to another machine", NULL),
        HEX("x-ms-sevsnpvm-reportdata", 128, ROLE_INSTANCE, SNP, "its report's own data", NULL),
        HEX("x-ms-sevsnpvm-reportid", 64, ROLE_INSTANCE, SNP, "its report's id", NULL),
        BOOLEAN("x-ms-sevsnpvm-smt-allowed", ROLE_NONE, SNP,
                "it may share a core with others|it never shares a core with others", NULL),
        NUMBER("x-ms-sevsnpvm-snpfw-svn", ROLE_NONE, SNP,
                "the security version of the SNP firmware", NULL),
        NUMBER("x-ms-sevsnpvm-tee-svn", ROLE_NONE, SNP, "the security version of the TEE", NULL),
        NUMBER("x-ms-sevsnpvm-vmpl", ROLE_NONE, SNP, "the privilege level from which it attests",
                "vmpl"),

        BOOLEAN("x-ms-sgx-is-debuggable", ROLE_DEBUG, SGX,
                "the host can debug it|the host cannot debug it", NULL),
        HEX("x-ms-sgx-mrenclave", 64, ROLE_CODE, SGX, "the measurement of the enclave's code",
                "mrenclave"),
        HEX("x-ms-sgx-mrsigner", 64, ROLE_SIGNER, SGX, "the enclave's signer", "mrsigner"),
        NUMBER("x-ms-sgx-product-id", ROLE_PRODUCT, SGX, "the signer's number of the product",
                "product-id"),
        NUMBER("x-ms-sgx-svn", ROLE_NONE, SGX, "the enclave's security version", "svn"),
        HEX("x-ms-sgx-report-data", 128, ROLE_INSTANCE, SGX, "its report's own data", NULL),
        HEX("x-ms-sgx-config-id", 128, ROLE_CHOICE, SGX, "the enclave's configuration",
                "config-id"),
        NUMBER("x-ms-sgx-config-svn", ROLE_NONE, SGX, "its configuration's security version",
                "config-svn"),
        OTHER("x-ms-sgx-ehd", ROLE_INSTANCE, SGX, "the data that the enclave holds", NULL),
        /* The names of the preview, which tokens of SGX still have. */
        BOOLEAN("is-debuggable", ROLE_DEBUG, SGX, "the host can debug it|the host cannot debug it",
                NULL),
        HEX("sgx-mrenclave", 64, ROLE_CODE, SGX, "the measurement of the enclave's code", NULL),
        HEX("sgx-mrsigner", 64, ROLE_SIGNER, SGX, "the enclave's signer", NULL),
        NUMBER("product-id", ROLE_PRODUCT, SGX, "the signer's number of the product", NULL),
        NUMBER("svn", ROLE_NONE, SGX, "the enclave's security version", NULL),
        OTHER("tee", ROLE_TEE, SGX, "its kind", NULL),

        HEX("tdx_mrtd", 96, ROLE_CODE, TDX, "the measurement of what it was started with", "mrtd"),
        HEX("tdx_mrseam", 96, ROLE_NONE, TDX, "the measurement of the TDX module", "mrseam"),
        HEX("tdx_mrsignerseam", 96, ROLE_NONE, TDX, "the TDX module's signer", NULL),
        HEX("tdx_mrconfigid", 96, ROLE_CHOICE, TDX, "its configuration", "mrconfigid"),
        HEX("tdx_mrowner", 96, ROLE_CHOICE, TDX, "its owner", "mrowner"),
        HEX("tdx_mrownerconfig", 96, ROLE_CHOICE, TDX, "its owner's configuration",
                "mrownerconfig"),
        HEX("tdx_report_data", 128, ROLE_INSTANCE, TDX, "its report's own data", NULL),
        HEX("tdx_rtmr0", 96, ROLE_CODE, TDX, "what its firmware measured (rtmr0)", "rtmr0"),
        HEX("tdx_rtmr1", 96, ROLE_CODE, TDX, "what its boot measured (rtmr1)", "rtmr1"),
        HEX("tdx_rtmr2", 96, ROLE_CODE, TDX, "what its system measured (rtmr2)", "rtmr2"),
        HEX("tdx_rtmr3", 96, ROLE_CODE, TDX, "what its applications measured (rtmr3)", "rtmr3"),
        NUMBER("tdx_seamsvn", ROLE_NONE, TDX, "the TDX module's security version", NULL),
        HEX("tdx_seam_attributes", 16, ROLE_NONE, TDX, "the TDX module's attributes", NULL),
        HEX("tdx_td_attributes", 16, ROLE_NONE, TDX, "its attributes", NULL),
        BOOLEAN("tdx_td_attributes_debug", ROLE_DEBUG, TDX,
                "the host can debug it|the host cannot debug it", NULL),
        BOOLEAN("tdx_td_attributes_key_locker", ROLE_NONE, TDX,
                "it may use Key Locker|it may not use Key Locker", NULL),
        BOOLEAN("tdx_td_attributes_perfmon", ROLE_NONE, TDX,
                "it may use performance counters|it may not use performance counters", NULL),
        BOOLEAN("tdx_td_attributes_protection_keys", ROLE_NONE, TDX,
                "it may use protection keys|it may not use protection keys", NULL),
        BOOLEAN("tdx_td_attributes_septve_disable", ROLE_NONE, TDX,
                "it is not told of missing pages|it is told of missing pages", NULL),
        HEX("tdx_tee_tcb_svn", 32, ROLE_NONE, TDX, "the security versions of the TDX platform",
                NULL),
        HEX("tdx_xfam", 16, ROLE_NONE, TDX, "the processor features it may use", NULL),
        OTHER("attester_tcb_status", ROLE_NONE, TDX, "how current the platform's firmware is",
                "tcb-status"),
        {"dbgstat", SHAPE_DEBUG, 0, ROLE_DEBUG, TDX, "debugging", NULL},
        OTHER("eat_profile", ROLE_NONE, TDX, "the token's profile", NULL),
        OTHER("intuse", ROLE_NONE, TDX, "the token's intended use", NULL),
};

/* Whole families: what their members are called is up to the guest or to the policy of the service.
 */
static const struct known_claim families[] = {
        OTHER("x-ms-azurevm-", ROLE_NONE, TOKEN_GUEST, NULL, NULL),
        OTHER("x-ms-runtime.", ROLE_NONE, TOKEN_ANY, NULL, NULL),
        OTHER("x-ms-inittime.", ROLE_NONE, SNP | TDX | SGX, NULL, NULL),
        OTHER("x-ms-policy.", ROLE_CODE, TOKEN_ANY, NULL, NULL),
        OTHER("x-ms-sgx-collateral.", ROLE_NONE, SGX, NULL, NULL),
        OTHER("maa-", ROLE_NONE, TOKEN_ANY, NULL, NULL),
};

static bool is_inner(const char *name) {
    return strncmp(name, INNER, strlen(INNER)) == 0;
}

static const char *bare(const char *name) {
    return is_inner(name) ? name + strlen(INNER) : name;
}

const struct known_claim *skrfs_policy_known_claim(const char *name) {
    name = bare(name);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(known); i++)
        if (strcmp(known[i].name, name) == 0)
            return &known[i];
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(families); i++)
        if (strncmp(families[i].name, name, strlen(families[i].name)) == 0)
            return &families[i];
    return NULL;
}

const char *skrfs_policy_near_claim(const char *name) {
    const char *names[SKRFS_ARRAY_LEN(known)];
    name = bare(name);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(known); i++) {
        names[i] = known[i].name;
        /* "hostdata" alone means what --bind means by it. */
        if (known[i].bind && strcasecmp(known[i].bind, name) == 0)
            return known[i].name;
    }
    return skrfs_nearest_within(name, names, SKRFS_ARRAY_LEN(names),
            strlen(name) < 8    ? 1
            : strlen(name) < 16 ? 2
                                : 3);
}

const struct known_claim *skrfs_policy_known_at(size_t n) {
    return n < SKRFS_ARRAY_LEN(known) ? &known[n] : NULL;
}

const struct known_claim *skrfs_policy_known_word(
        enum skrfs_policy_tee tee, const char *word, bool *ret_inner) {
    unsigned token = 1u << tee;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(known); i++) {
        if (!known[i].bind || strcasecmp(known[i].bind, word) != 0)
            continue;
        bool inner = !(known[i].tokens & token) &&
                     ((token == TOKEN_CVM_SNP && known[i].tokens & TOKEN_SNP) ||
                             (token == TOKEN_CVM_TDX && known[i].tokens & TOKEN_TDX));
        if (!inner && !(known[i].tokens & token))
            continue;
        *ret_inner = inner;
        return &known[i];
    }
    return NULL;
}

unsigned skrfs_policy_claim_tokens(const char *name) {
    const struct known_claim *claim = skrfs_policy_known_claim(name);
    if (!is_inner(name))
        return claim ? claim->tokens : TOKEN_ANY;
    if (!claim || claim->role == ROLE_TEE || claim->tokens == TOKEN_ANY)
        return TOKEN_CVM_SNP | TOKEN_CVM_TDX;
    return (claim->tokens & TOKEN_SNP ? TOKEN_CVM_SNP : 0) |
           (claim->tokens & TOKEN_TDX ? TOKEN_CVM_TDX : 0);
}

unsigned skrfs_policy_condition_tokens(const struct condition *claim) {
    unsigned tokens = skrfs_policy_claim_tokens(claim->claim);
    bool inner = is_inner(claim->claim);
    const char *name = claim->claim + (inner ? strlen(INNER) : 0), *value = claim->value;
    if (claim->comparison == COMPARE_EXISTS && strcmp(value, "false") == 0)
        return TOKEN_ANY;
    if (claim->comparison == COMPARE_EQUALS && strcmp(name, "x-ms-compliance-status") == 0 &&
            strcmp(value, "azure-compliant-uvm") == 0)
        return inner ? TOKEN_CVM_SNP : TOKEN_SNP;
    if (claim->comparison != COMPARE_EQUALS || strcmp(name, "x-ms-attestation-type") != 0)
        return tokens;
    if (strcmp(value, "sevsnpvm") == 0)
        return inner ? TOKEN_CVM_SNP : TOKEN_SNP;
    if (strcmp(value, "tdxvm") == 0)
        return inner ? TOKEN_CVM_TDX : TOKEN_TDX;
    if (strcmp(value, "sgx") == 0)
        return inner ? 0 : TOKEN_SGX;
    if (strcmp(value, "azurevm") == 0)
        return inner ? 0 : TOKEN_GUEST;
    return tokens;
}

const char *skrfs_policy_token_text(unsigned token) {
    switch (token) {
    case TOKEN_SNP:
        return "a SEV-SNP guest or container (type sevsnpvm)";
    case TOKEN_TDX:
        return "a trust domain (type tdxvm)";
    case TOKEN_SGX:
        return "an SGX enclave (type sgx)";
    case TOKEN_CVM_SNP:
        return "a confidential VM on SEV-SNP (type azurevm)";
    case TOKEN_CVM_TDX:
        return "a confidential VM on TDX (type azurevm)";
    default:
        return "a VM (type azurevm)";
    }
}
