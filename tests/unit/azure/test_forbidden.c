/* What a 403 is put down to: by what the vault says, and by the policy held against the token. */
#include "support.h"

#include "../../../src/azure/internal.h"

#define ISSUER "https://a.attest.azure.net"
#define RUNTIME(key) "\"x-ms-runtime\":{\"keys\":[" key "]}"
#define WRAP RUNTIME("{\"kty\":\"RSA\",\"kid\":\"k\",\"key_ops\":[\"sign\",\"encrypt\"]}")
#define CLAIMS(more) "{\"iss\":\"" ISSUER "\",\"exp\":4000000000," more "}"
#define POLICY(claim, value)                                                                       \
    "{\"version\":\"1.0.0\",\"anyOf\":[{\"authority\":\"" ISSUER                                   \
    "\",\"allOf\":[{\"claim\":\"" claim "\",\"equals\":\"" value "\"}]}]}"
#define SNP CLAIMS("\"x-ms-attestation-type\":\"sevsnpvm\"," WRAP)
#define CVM CLAIMS("\"x-ms-isolation-tee\":{\"x-ms-attestation-type\":\"sevsnpvm\"}," WRAP)
#define TYPE "x-ms-attestation-type"

static struct skrfs_bytes bytes_of(const char *text) {
    return (struct skrfs_bytes){(const uint8_t *)text, strlen(text)};
}

static void tells_kinds_apart(void **state) {
    (void)state;
    static const struct {
        const char *body;
        enum forbidden kind;
    } cases[] = {
            {"{\"error\":{\"code\":\"Forbidden\",\"message\":\"x\",\"innererror\":{\"code\":"
             "\"ForbiddenByFirewall\"}}}",
                    FORBIDDEN_NETWORK},
            {"{\"error\":{\"code\":\"Forbidden\",\"message\":\"Client address is not authorized "
             "and caller is not a trusted service.\"}}",
                    FORBIDDEN_NETWORK},
            {"{\"error\":{\"code\":\"Forbidden\",\"message\":\"Public network access is disabled\"}"
             "}",
                    FORBIDDEN_NETWORK},
            {"{\"error\":{\"code\":\"Forbidden\",\"message\":\"Caller is not authorized to perform "
             "action on resource.\",\"innererror\":{\"code\":\"ForbiddenByRbac\"}}}",
                    FORBIDDEN_ROLE},
            {"{\"error\":{\"code\":\"Forbidden\",\"message\":\"The user does not have keys release "
             "permission on key vault\",\"innererror\":{\"code\":\"ForbiddenByPolicy\"}}}",
                    FORBIDDEN_ROLE},
            {"{\"error\":{\"code\":\"Forbidden\",\"message\":\"Target environment attestation "
             "statement cannot be verified\",\"innererror\":{\"code\":\"AccessDenied\"}}}",
                    FORBIDDEN_TOKEN},
            {"{\"error\":{\"code\":\"Forbidden\",\"message\":\"The attestation statement does not "
             "meet the key release policy requirements\"}}",
                    FORBIDDEN_POLICY},
            {"{\"error\":{\"code\":\"Forbidden\",\"message\":\"AccessDenied\"}}", FORBIDDEN_UNTOLD},
            {"{\"error\":\"Forbidden\"}", FORBIDDEN_UNTOLD},
            {"", FORBIDDEN_UNTOLD},
            {"<html>", FORBIDDEN_UNTOLD},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++)
        assert_int_equal(skrfs_forbidden_kind(bytes_of(cases[i].body)), cases[i].kind);
}

static void reason(enum forbidden kind, const char *resource, const char *policy,
        const char *claims, const char *wanted) {
    struct skrfs_error err = {0};
    struct vault vault = {.config = {.name = "v"}};
    skrfs_autovaultkey key = {.policy = SKRFS_BUF(4096)};
    skrfs_autobuf token = SKRFS_BUF(8192);
    char text[700] = "";
    snprintf(vault.resource, sizeof(vault.resource), "%s", resource);
    if (policy)
        assert_ok(skrfs_buf_append_text(&key.policy, policy, &err), err);
    assert_ok(skrfs_buf_append_text(&token, "e30.", &err), err);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, claims, strlen(claims), &token, &err), err);
    assert_ok(skrfs_buf_append_text(&token, ".c2ln", &err), err);
    skrfs_forbidden_reason(
            kind, &vault, policy ? &key : NULL, skrfs_buf_bytes(&token), text, sizeof(text));
    if (!strstr(text, wanted)) {
        print_error("%s\n", text);
        fail();
    }
}

static void names_the_role_of_the_service(void **state) {
    (void)state;
    static const enum forbidden kinds[] = {FORBIDDEN_ROLE, FORBIDDEN_UNTOLD};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(kinds); i++) {
        reason(kinds[i], "https://vault.azure.net", POLICY(TYPE, "sevsnpvm"), SNP,
                "'Key Vault Crypto Service Release User'");
        reason(kinds[i], "https://managedhsm.azure.cn", POLICY(TYPE, "sevsnpvm"), SNP,
                "'Managed HSM Crypto Service Release User'");
        reason(kinds[i], "https://managedhsm.azure.cn", NULL, SNP,
                "'Managed HSM Crypto Service Release User'");
    }
    reason(FORBIDDEN_NETWORK, "https://vault.azure.net", NULL, SNP, "refused by the vault's firew");
}

/* Claims at the top, as of every TEE but the confidential VM, and below x-ms-isolation-tee. */
static void names_the_claim_of_every_tee(void **state) {
    (void)state;
    static const struct {
        const char *policy, *claims, *wanted;
    } cases[] = {
            {POLICY(TYPE, "tdxvm"), SNP,
                    "claim x-ms-attestation-type is 'sevsnpvm', wants 'tdxvm'"},
            {POLICY("x-ms-isolation-tee." TYPE, "tdxvm"), CVM,
                    "claim x-ms-isolation-tee.x-ms-attestation-type is 'sevsnpvm'"},
            {POLICY("x-ms-isolation-tee." TYPE, "sevsnpvm"), SNP,
                    "this machine's claims are not below x-ms-isolation-tee"},
            {POLICY(TYPE, "sevsnpvm"), CVM, "the policy is not for confidential VMs"},
            {POLICY("x-ms-runtime.role", "web"), SNP, "claim x-ms-runtime.role is absent"},
            {POLICY("x-ms-sgx-is-debuggable", "false"),
                    CLAIMS("\"x-ms-sgx-is-debuggable\":true," WRAP),
                    "claim x-ms-sgx-is-debuggable is 'true', wants 'false'"},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++)
        for (int kind = FORBIDDEN_TOKEN; kind <= FORBIDDEN_POLICY; kind++)
            reason((enum forbidden)kind, "https://vault.azure.net", cases[i].policy,
                    cases[i].claims, cases[i].wanted);
}

static void tells_what_is_wrong_with_a_token(void **state) {
    (void)state;
    static const char vault[] = "https://vault.azure.net", policy[] = POLICY("a", "b");
    reason(FORBIDDEN_TOKEN, vault, policy, CLAIMS("\"a\":\"b\"," WRAP),
            "cannot verify the attestation token, though its claims meet the key's policy: can it "
            "reach the issuer 'https://a.attest.azure.net'");
    reason(FORBIDDEN_TOKEN, vault, policy, "{\"iss\":\"" ISSUER "\",\"exp\":5,\"a\":\"b\"}",
            "has expired");
    static const char *const without[] = {CLAIMS("\"a\":\"b\""), CLAIMS("\"a\":\"b\"," RUNTIME("")),
            CLAIMS("\"a\":\"b\"," RUNTIME("{\"kty\":\"RSA\",\"key_ops\":[\"encrypt\"]}")),
            CLAIMS("\"a\":\"b\"," RUNTIME("{\"kty\":\"RSA\",\"kid\":\"k\",\"use\":\"sig\"}")),
            CLAIMS("\"a\":\"b\"," RUNTIME("{\"kty\":\"EC\",\"kid\":\"k\",\"use\":\"enc\"}")),
            CLAIMS("\"a\":\"b\",\"x-ms-isolation-tee\":{" WRAP "}")};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(without); i++)
        reason(FORBIDDEN_TOKEN, vault, policy, without[i], "brings no key to wrap to");
    reason(FORBIDDEN_TOKEN, vault, policy,
            CLAIMS("\"a\":\"b\"," RUNTIME("{\"kty\":\"RSA\",\"kid\":\"k\",\"key_use\":\"enc\"}")),
            "can it reach the issuer");
    reason(FORBIDDEN_TOKEN, vault, policy, "{\"iss\":\"https://o\",\"exp\":4000000000}",
            "none of the policy's authorities");
    reason(FORBIDDEN_POLICY, vault, policy, CLAIMS("\"a\":\"b\""), "was the policy changed");
    reason(FORBIDDEN_POLICY, vault, NULL, CLAIMS("\"a\":\"b\""), "lacks leave to read the key");
    reason(FORBIDDEN_UNTOLD, vault, "", CLAIMS("\"a\":\"b\""), "has no release policy");
    reason(FORBIDDEN_UNTOLD, vault, policy, "[]", "cannot be held against");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(tells_kinds_apart),
            cmocka_unit_test(names_the_role_of_the_service),
            cmocka_unit_test(names_the_claim_of_every_tee),
            cmocka_unit_test(tells_what_is_wrong_with_a_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
