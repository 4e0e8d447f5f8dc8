#include "bytes.h"

#include <skrfs/base/encode.h>
#include <skrfs/evidence/hcl.h>
#include <skrfs/evidence/tdx.h>
#include <skrfs/json/json.h>

/* Offsets of OpenHCL's report: a header, the hardware report's slot, and the request data that says
 * how the claims behind it are hashed. */
enum {
    AT_VERSION = 4,
    AT_REPORT_SIZE = 8,
    AT_HARDWARE = 32,
    AT_DATA_SIZE = 1216,
    AT_DATA_VERSION = 1220,
    AT_REPORT_TYPE = 1224,
    AT_HASH_TYPE = 1228,
    AT_CLAIMS_LEN = 1232,
    AT_CLAIMS = 1236,
};

enum { TYPE_VBS = 1, TYPE_SNP = 2, TYPE_NONE = 3, TYPE_TDX = 4, TYPE_CCA = 5 };

/* The hardware report's own data: AMD 56860 table 23; Intel TDX module, REPORTMACSTRUCT. */
enum { SNP_REPORT_DATA = 0x50, REPORT_DATA_LEN = 64 };

static int check_header(const uint8_t *report, struct skrfs_error *err) {
    if (memcmp(report, "HCLA", 4) != 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the report does not begin with HCLA");
    uint32_t version = get32(report + AT_VERSION);
    if (version != 1 && version != 2)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the report has version %u, of which nothing is known here", version);
    return 0;
}

static int check_type(const uint8_t *report, struct skrfs_error *err) {
    uint32_t type = get32(report + AT_REPORT_TYPE);
    switch (type) {
    case TYPE_SNP:
    case TYPE_TDX:
        return 0;
    case TYPE_VBS:
    case TYPE_NONE:
        return skrfs_fail(err, SKRFS_CLASS_NO_TEE,
                "this VM has no hardware isolation (%s): it is not a confidential VM",
                type == TYPE_VBS ? "VBS" : "trusted launch");
    case TYPE_CCA:
        return skrfs_fail(err, SKRFS_CLASS_NO_TEE,
                "this VM is isolated by Arm CCA, which skrfs does not know");
    default:
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the report is of unknown type %u", type);
    }
}

/* Three fields say the same length and none of them is measured: they must agree and fit. */
static int check_lengths(const uint8_t *report, size_t len, struct skrfs_error *err) {
    uint32_t claims = get32(report + AT_CLAIMS_LEN);
    if (claims > SKRFS_HCL_MAX || claims > len - AT_CLAIMS)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the report says %u octets of claims, more than there are", claims);
    if (get32(report + AT_DATA_SIZE) != claims + AT_CLAIMS - AT_DATA_SIZE)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the report's data size disagrees with the claims' length");
    if (get32(report + AT_REPORT_SIZE) != claims + AT_CLAIMS)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "the report's size disagrees with the claims' length");
    return 0;
}

/* OpenHCL's second version of the request data may put a bitmap in front of the claims in requests
 * to the host; the report that guests see keeps its form, which the first octet of the claims
 * tells. */
static int check_claims(const uint8_t *report, struct skrfs_error *err) {
    uint32_t version = get32(report + AT_DATA_VERSION);
    if (version != 1 && version != 2)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the report's data have version %u, of which nothing is known here", version);
    if (get32(report + AT_CLAIMS_LEN) == 0 || report[AT_CLAIMS] != '{')
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the report's claims are not JSON");
    return 0;
}

static int parse_hash(const uint8_t *report, enum skrfs_hash *ret_hash, struct skrfs_error *err) {
    static const enum skrfs_hash hashes[] = {SKRFS_SHA256, SKRFS_SHA384, SKRFS_SHA512};
    uint32_t type = get32(report + AT_HASH_TYPE);
    if (type < 1 || type > SKRFS_ARRAY_LEN(hashes))
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "the report's claims have unknown hash type %u", type);
    *ret_hash = hashes[type - 1];
    return 0;
}

int skrfs_hcl_parse(struct skrfs_bytes index, struct skrfs_hcl *ret_hcl, struct skrfs_error *err) {
    const uint8_t *report = index.data;
    enum skrfs_hash hash = SKRFS_SHA256;
    if (index.len < AT_CLAIMS)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the report is truncated: %zu octets, at least %d are needed", index.len,
                AT_CLAIMS);
    if (check_header(report, err) < 0 || check_type(report, err) < 0 ||
            check_lengths(report, index.len, err) < 0 || check_claims(report, err) < 0 ||
            parse_hash(report, &hash, err) < 0)
        return -1;
    bool tdx = get32(report + AT_REPORT_TYPE) == TYPE_TDX;
    *ret_hcl = (struct skrfs_hcl){
            .kind = tdx ? SKRFS_HCL_TDX : SKRFS_HCL_SNP,
            .hash = hash,
            .hardware = {report + AT_HARDWARE, tdx ? SKRFS_TD_REPORT_LEN : SKRFS_SNP_REPORT_LEN},
            .claims = {report + AT_CLAIMS, get32(report + AT_CLAIMS_LEN)},
    };
    return 0;
}

size_t skrfs_hcl_len(const struct skrfs_hcl *hcl) {
    return AT_CLAIMS + hcl->claims.len;
}

static int report_data(
        const struct skrfs_hcl *hcl, uint8_t ret_data[REPORT_DATA_LEN], struct skrfs_error *err) {
    if (hcl->kind == SKRFS_HCL_TDX)
        return skrfs_td_report_data(hcl->hardware, ret_data, err);
    memcpy(ret_data, hcl->hardware.data + SNP_REPORT_DATA, REPORT_DATA_LEN);
    return 0;
}

int skrfs_hcl_check_binding(const struct skrfs_hcl *hcl, struct skrfs_error *err) {
    uint8_t data[REPORT_DATA_LEN], digest[SKRFS_HASH_MAX];
    size_t len = skrfs_hash_len(hcl->hash);
    if (report_data(hcl, data, err) < 0 ||
            skrfs_hash(hcl->hash, hcl->claims.data, hcl->claims.len, digest, err) < 0)
        return -1;
    if (memcmp(data, digest, len) != 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the hardware report does not vouch for the claims beside it: their digests "
                "differ");
    if (!all_zero(data + len, sizeof(data) - len))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the hardware report's data is not zero behind the claims' digest");
    return 0;
}

/* The only key of this name; two of them would leave open which one counts. */
static int find_ak(const struct skrfs_json *claims, const struct skrfs_json **ret_key,
        struct skrfs_error *err) {
    const struct skrfs_json *keys = NULL, *found = NULL;
    if (skrfs_json_need_array(claims, "keys", &keys, err) < 0)
        return -1;
    for (size_t i = 0; i < skrfs_json_size(keys); i++) {
        const struct skrfs_json *key = skrfs_json_at(keys, i);
        const char *kid = skrfs_json_string(skrfs_json_get(key, "kid"));
        if (!kid || strcmp(kid, "HCLAkPub") != 0)
            continue;
        if (found)
            return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the claims name HCLAkPub twice");
        found = key;
    }
    if (!found)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the claims name no key HCLAkPub");
    *ret_key = found;
    return 0;
}

/* Hosts of 2022 and 2023 say "encrypt" of this key, later ones "sign". */
static bool has_ak_use(const struct skrfs_json *key) {
    const struct skrfs_json *ops = skrfs_json_get(key, "key_ops");
    for (size_t i = 0; i < skrfs_json_size(ops); i++) {
        const char *op = skrfs_json_string(skrfs_json_at(ops, i));
        if (op && (strcmp(op, "sign") == 0 || strcmp(op, "encrypt") == 0))
            return true;
    }
    return false;
}

static int check_ak(const struct skrfs_json *key, struct skrfs_error *err) {
    const char *kty = NULL, *exponent = NULL;
    if (skrfs_json_need_string(key, "kty", &kty, err) < 0 ||
            skrfs_json_need_string(key, "e", &exponent, err) < 0)
        return -1;
    if (strcmp(kty, "RSA") != 0 || strcmp(exponent, "AQAB") != 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the claims' HCLAkPub is not an RSA key with exponent 65537");
    if (!has_ak_use(key))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the claims' HCLAkPub is not a signing key");
    return 0;
}

int skrfs_hcl_ak_modulus(
        const struct skrfs_hcl *hcl, uint8_t ret_modulus[256], struct skrfs_error *err) {
    skrfs_autojson *claims = NULL;
    const struct skrfs_json *key = NULL;
    skrfs_autobuf modulus = SKRFS_BUF(SKRFS_HCL_MAX);
    if (skrfs_json_parse(
                (const char *)hcl->claims.data, hcl->claims.len, SKRFS_HCL_MAX, &claims, err) < 0)
        return skrfs_wrap(err, "the report's claims");
    if (find_ak(claims, &key, err) < 0 || check_ak(key, err) < 0 ||
            skrfs_json_need_base64(key, "n", SKRFS_BASE64URL, &modulus, err) < 0)
        return -1;
    if (modulus.len != 256 || modulus.data[0] < 0x80)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "the claims' HCLAkPub is not an RSA-2048 key");
    memcpy(ret_modulus, modulus.data, 256);
    return 0;
}
