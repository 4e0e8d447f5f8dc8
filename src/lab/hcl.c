/* The report that the paravisor leaves in the vTPM, laid out as OpenHCL does. Little endian. */
#include "jwt.h"
#include "platform.h"

#include <skrfs/base/encode.h>
#include <string.h>

#define FIXED_LEN 1236
#define HARDWARE_AT 32
#define REQUEST_AT 1216

static void put(uint8_t *place, size_t value) {
    for (size_t i = 0; i < 4; i++)
        place[i] = (uint8_t)(value >> (8 * i));
}

/* {"kid":..., "key_ops":[...], "kty":"RSA", "e":..., "n":...} */
static int claim_key(const struct skrfs_pkey *key, const char *kid, const char *op,
        struct skrfs_json **ret_json, struct skrfs_error *err) {
    struct skrfs_public public;
    struct skrfs_json *n = NULL;
    struct skrfs_json *e = NULL;
    if (skrfs_pkey_public(key, &public, err) < 0)
        return -1;
    if (skrfs_lab_base64_json(
                SKRFS_BASE64URL, (struct skrfs_bytes){public.e, public.e_len}, &e, err) < 0)
        return -1;
    if (skrfs_lab_base64_json(
                SKRFS_BASE64URL, (struct skrfs_bytes){public.n, public.n_len}, &n, err) < 0) {
        skrfs_json_free(e);
        return -1;
    }
    return skrfs_json_pack(ret_json, err, "{s:s,s:[s],s:s,s:o,s:o}", "kid", kid, "key_ops", op,
            "kty", "RSA", "e", e, "n", n);
}

int skrfs_lab_claims(const struct skrfs_pkey *ak, const struct skrfs_pkey *ek,
        struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *keys = NULL;
    skrfs_autojson *claims = NULL;
    struct skrfs_json *key = NULL;
    char zeros[129];
    memset(zeros, '0', sizeof(zeros) - 1);
    zeros[128] = '\0';
    if (skrfs_json_new_array(&keys, err) < 0 || claim_key(ak, "HCLAkPub", "sign", &key, err) < 0 ||
            skrfs_json_append(keys, key, err) < 0)
        return -1;
    if (ek && (claim_key(ek, "HCLEkPub", "encrypt", &key, err) < 0 ||
                      skrfs_json_append(keys, key, err) < 0))
        return -1;
    if (skrfs_json_pack(&claims, err, "{s:o,s:{s:b,s:b,s:b,s:s},s:s}", "keys", skrfs_take(keys),
                "vm-configuration", "console-enabled", 1, "secure-boot", 1, "tpm-enabled", 1,
                "vmUniqueId", "1AB00000-0000-4000-8000-000000000001", "user-data", zeros) < 0)
        return -1;
    return skrfs_json_print(claims, false, out, err);
}

/* The hardware's report over sha256(claims), into its 1184 octets. */
static int hardware(const struct skrfs_lab_pki *pki, bool tdx, struct skrfs_bytes claims,
        uint8_t *place, struct skrfs_error *err) {
    struct skrfs_lab_snp_wish wish = {.policy = SKRFS_LAB_SNP_POLICY};
    if (skrfs_hash(SKRFS_SHA256, claims.data, claims.len, wish.report_data, err) < 0)
        return -1;
    if (tdx)
        return skrfs_lab_make_td_report(pki, wish.report_data, 0, place, err);
    return skrfs_lab_make_snp_report(pki, &wish, place, err);
}

int skrfs_lab_hcl_report(const struct skrfs_lab_pki *pki, bool tdx, struct skrfs_bytes claims,
        size_t size, struct skrfs_buf *out, struct skrfs_error *err) {
    uint8_t *report = NULL;
    if (FIXED_LEN + claims.len > size)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "the runtime claims do not fit the report");
    if (skrfs_buf_extend(out, size, &report, err) < 0)
        return -1;
    memset(report, 0, size);
    memcpy(report, "HCLA", 4);
    put(report + 4, 2);                        /* version */
    put(report + 8, FIXED_LEN + claims.len);   /* report size */
    put(report + 12, 2);                       /* request: AK certificate */
    put(report + REQUEST_AT, 20 + claims.len); /* data size */
    put(report + REQUEST_AT + 4, 1);           /* version */
    put(report + REQUEST_AT + 8, tdx ? 4 : 2); /* report type */
    put(report + REQUEST_AT + 12, 1);          /* SHA-256 */
    put(report + REQUEST_AT + 16, claims.len);
    memcpy(report + FIXED_LEN, claims.data, claims.len);
    return hardware(pki, tdx, claims, report + HARDWARE_AT, err);
}
