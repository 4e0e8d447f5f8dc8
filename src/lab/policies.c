#include "policies.h"

#include <skrfs/base/encode.h>
#include <skrfs/crypto/hash.h>
#include <string.h>

/* The grammar: learn.microsoft.com, "Azure Attestation policy version 1.0". */
static const char text[] = "version= 1.0;authorizationrules{ => permit(); };issuancerules{};";

bool skrfs_lab_policy_has_rules(const char *policy) {
    static const char *const parts[] = {"version", "authorizationrules", "issuancerules"};
    const char *at = policy;
    for (size_t i = 0; at && i < SKRFS_ARRAY_LEN(parts); i++)
        at = strstr(at, parts[i]);
    return at != NULL;
}

int skrfs_lab_policy_encoded(struct skrfs_buf *out, struct skrfs_error *err) {
    return skrfs_base64_encode(SKRFS_BASE64URL, text, sizeof(text) - 1, out, err);
}

int skrfs_lab_policy_digest(uint8_t ret_digest[32], struct skrfs_error *err) {
    skrfs_autobuf encoded = SKRFS_BUF(2 * sizeof(text));
    if (skrfs_lab_policy_encoded(&encoded, err) < 0)
        return -1;
    return skrfs_hash(SKRFS_SHA256, encoded.data, encoded.len, ret_digest, err);
}
