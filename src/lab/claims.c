/* Claims that several kinds of tokens have. */
#include "claims.h"

#include "jwt.h"
#include "policies.h"

#include <skrfs/base/encode.h>
#include <skrfs/evidence/snp.h>
#include <skrfs/evidence/tdx.h>
#include <string.h>

#define HEX_MAX 64

int skrfs_lab_hex_claims(struct skrfs_json *claims, const struct hex_claim *list, size_t count,
        struct skrfs_error *err) {
    for (size_t i = 0; i < count; i++) {
        char text[2 * HEX_MAX + 1];
        struct skrfs_json *value = NULL;
        skrfs_hex_encode(list[i].data, list[i].len, text);
        if (skrfs_json_pack(&value, err, "s", text) < 0 ||
                skrfs_json_set(claims, list[i].name, value, err) < 0)
            return -1;
    }
    return 0;
}

int skrfs_lab_snp_claims(
        struct skrfs_bytes report, struct skrfs_json *claims, struct skrfs_error *err) {
    struct skrfs_snp snp;
    struct skrfs_snp_tcb tcb;
    if (skrfs_snp_parse(report, &snp, err) < 0)
        return -1;
    skrfs_snp_tcb_split(snp.product, snp.reported_tcb, &tcb);
    const struct hex_claim hex[] = {
            {"x-ms-sevsnpvm-authorkeydigest", snp.author_key_digest, 48},
            {"x-ms-sevsnpvm-familyId", report.data + 0x10, 16},
            {"x-ms-sevsnpvm-hostdata", snp.host_data, 32},
            {"x-ms-sevsnpvm-idkeydigest", snp.id_key_digest, 48},
            {"x-ms-sevsnpvm-imageId", report.data + 0x20, 16},
            {"x-ms-sevsnpvm-launchmeasurement", snp.measurement, 48},
            {"x-ms-sevsnpvm-reportdata", snp.report_data, 64},
            {"x-ms-sevsnpvm-reportid", snp.report_id, 32},
    };
    const struct {
        const char *name;
        int64_t value;
    } values[] = {
            {"x-ms-sevsnpvm-bootloader-svn", tcb.bootloader},
            {"x-ms-sevsnpvm-guestsvn", snp.guest_svn},
            {"x-ms-sevsnpvm-microcode-svn", tcb.microcode},
            {"x-ms-sevsnpvm-snpfw-svn", tcb.snp},
            {"x-ms-sevsnpvm-tee-svn", tcb.tee},
            {"x-ms-sevsnpvm-vmpl", snp.vmpl},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(values); i++) {
        struct skrfs_json *value = NULL;
        if (skrfs_json_pack(&value, err, "I", values[i].value) < 0 ||
                skrfs_json_set(claims, values[i].name, value, err) < 0)
            return -1;
    }
    const struct {
        const char *name;
        bool value;
    } flags[] = {
            {"x-ms-sevsnpvm-is-debuggable", snp.debug},
            {"x-ms-sevsnpvm-migration-allowed", (snp.policy >> 18 & 1) != 0},
            {"x-ms-sevsnpvm-smt-allowed", (snp.policy >> 16 & 1) != 0},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(flags); i++) {
        struct skrfs_json *value = NULL;
        if (skrfs_json_pack(&value, err, "b", (int)flags[i].value) < 0 ||
                skrfs_json_set(claims, flags[i].name, value, err) < 0)
            return -1;
    }
    return skrfs_lab_hex_claims(claims, hex, SKRFS_ARRAY_LEN(hex), err);
}

int skrfs_lab_tdx_claims(
        struct skrfs_bytes report, struct skrfs_json *claims, struct skrfs_error *err) {
    struct skrfs_td_quote quote;
    if (skrfs_td_quote_parse(report, &quote, err) < 0)
        return -1;
    /* Parsed: header and body are there. */
    const uint8_t *body = report.data + (quote.version == 5 ? 54 : 48);
    const struct hex_claim hex[] = {
            {"tdx_mrseam", body + 16, 48},
            {"tdx_mrsignerseam", body + 64, 48},
            {"tdx_seam_attributes", body + 112, 8},
            {"tdx_mrtd", body + 136, 48},
            {"tdx_mrconfigid", body + 184, 48},
            {"tdx_mrowner", body + 232, 48},
            {"tdx_mrownerconfig", body + 280, 48},
            {"tdx_rtmr0", quote.rtmr[0], 48},
            {"tdx_rtmr1", quote.rtmr[1], 48},
            {"tdx_rtmr2", quote.rtmr[2], 48},
            {"tdx_rtmr3", quote.rtmr[3], 48},
            {"tdx_report_data", quote.report_data, 64},
            {"tdx_tee_tcb_svn", body, 16},
            {"tdx_td_attributes", body + 120, 8},
            {"tdx_xfam", body + 128, 8},
    };
    struct skrfs_json *debug = NULL;
    struct skrfs_json *status = NULL;
    struct skrfs_json *svn = NULL;
    if (skrfs_json_pack(&svn, err, "i", body[0] | body[1] << 8) < 0 ||
            skrfs_json_set(claims, "tdx_seamsvn", svn, err) < 0 ||
            skrfs_json_pack(&debug, err, "b", (int)(quote.attributes & 1)) < 0 ||
            skrfs_json_set(claims, "tdx_td_attributes_debug", debug, err) < 0 ||
            skrfs_json_pack(&status, err, "s", "UpToDate") < 0 ||
            skrfs_json_set(claims, "attester_tcb_status", status, err) < 0)
        return -1;
    return skrfs_lab_hex_claims(claims, hex, SKRFS_ARRAY_LEN(hex), err);
}

int skrfs_lab_time_claims(const struct skrfs_lab_token_wish *wish, struct skrfs_json *claims,
        struct skrfs_error *err) {
    const struct {
        const char *name;
        int64_t number;
    } list[] = {{"exp", wish->now_s + wish->life_s}, {"iat", wish->now_s}, {"nbf", wish->now_s}};
    struct skrfs_json *value = NULL;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(list); i++)
        if (skrfs_json_pack(&value, err, "I", list[i].number) < 0 ||
                skrfs_json_set(claims, list[i].name, value, err) < 0)
            return -1;
    if (skrfs_json_pack(&value, err, "s", wish->issuer) < 0)
        return -1;
    return skrfs_json_set(claims, "iss", value, err);
}

int skrfs_lab_registered_claims(const struct skrfs_lab_token_wish *wish, struct skrfs_json *claims,
        struct skrfs_error *err) {
    uint8_t id[32], digest[32];
    struct skrfs_json *hash = NULL, *version = NULL;
    if (skrfs_lab_time_claims(wish, claims, err) < 0 || skrfs_random(id, sizeof(id), err) < 0 ||
            skrfs_lab_hex_claims(claims, &(const struct hex_claim){"jti", id, sizeof(id)}, 1, err) <
                    0 ||
            skrfs_lab_policy_digest(digest, err) < 0 ||
            skrfs_lab_base64_json(SKRFS_BASE64URL, (struct skrfs_bytes){digest, sizeof(digest)},
                    &hash, err) < 0 ||
            skrfs_json_set(claims, "x-ms-policy-hash", hash, err) < 0 ||
            skrfs_json_pack(&version, err, "s", "1.0") < 0)
        return -1;
    return skrfs_json_set(claims, "x-ms-ver", version, err);
}
