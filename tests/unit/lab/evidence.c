#include "evidence.h"

#include "jwt.h"
#include "support.h"
#include <skrfs/base/encode.h>

static struct skrfs_error err;

struct recipe recipe_right(void) {
    return (struct recipe){.snp_policy = SKRFS_LAB_SNP_POLICY,
            .ak_attributes = 0x00050472,
            .key_attributes = 0x00020432,
            .pcr_select = {0xff, 0, 0},
            .quote_type = 0x8018,
            .certify_type = 0x8017,
            .magic = 0xff544347};
}

void bench_set_up(struct bench *bench) {
    assert_ok(skrfs_crypto_setup(&err), err);
    assert_ok(skrfs_lab_pki_new("https://maa.skrfs.localhost:1", &bench->pki, &err), err);
    assert_ok(skrfs_lab_pki_new("https://maa.skrfs.localhost:1", &bench->stranger, &err), err);
    assert_ok(skrfs_pkey_new_rsa(2048, &bench->ak, &err), err);
    assert_ok(skrfs_pkey_new_rsa(2048, &bench->other, &err), err);
    assert_ok(skrfs_pkey_new_rsa(2048, &bench->key, &err), err);
    bench->anchors = skrfs_lab_pki_anchors(bench->pki);
}

void bench_take_down(struct bench *bench) {
    skrfs_lab_pki_free(bench->pki);
    skrfs_lab_pki_free(bench->stranger);
    skrfs_pkey_free(bench->ak);
    skrfs_pkey_free(bench->other);
    skrfs_pkey_free(bench->key);
}

static void put(struct skrfs_buf *out, const void *data, size_t len) {
    assert_ok(skrfs_buf_append(out, data, len, &err), err);
}

static void put_be(struct skrfs_buf *out, uint64_t value, size_t size) {
    for (size_t i = size; i-- > 0;) {
        uint8_t octet = (uint8_t)(value >> (8 * i));
        put(out, &octet, 1);
    }
}

/* TPM2B_PUBLIC of an RSA-2048 key. */
static void put_public(struct skrfs_buf *out, const struct skrfs_pkey *key, uint32_t attributes,
        const uint8_t *policy, bool signs) {
    struct skrfs_public public;
    assert_ok(skrfs_pkey_public(key, &public, &err), err);
    skrfs_autobuf area = SKRFS_BUF(1024);
    put_be(&area, 0x0001, 2); /* RSA */
    put_be(&area, 0x000b, 2); /* SHA-256 */
    put_be(&area, attributes, 4);
    put_be(&area, policy ? 32 : 0, 2);
    if (policy)
        put(&area, policy, 32);
    put_be(&area, 0x0010, 2); /* no symmetric */
    if (signs)
        put_be(&area, 0x0014000b, 4); /* RSASSA with SHA-256 */
    else
        put_be(&area, 0x0010, 2);
    put_be(&area, 2048, 2);
    put_be(&area, 0, 4);
    put_be(&area, 256, 2);
    put(&area, public.n, 256);
    put_be(out, area.len, 2);
    put(out, area.data, area.len);
}

/* Name of the object of a TPM2B_PUBLIC. */
static void name_of(const struct skrfs_buf *public, uint8_t name[34]) {
    name[0] = 0;
    name[1] = 0x0b;
    assert_ok(skrfs_hash(SKRFS_SHA256, public->data + 2, public->len - 2, name + 2, &err), err);
}

/* TPMS_ATTEST up to the part that its type decides. */
static void put_attest_head(struct skrfs_buf *out, uint32_t magic, uint16_t type) {
    static const uint8_t zeros[64];
    put_be(out, magic, 4);
    put_be(out, type, 2);
    put_be(out, 34, 2);
    put_be(out, 0x000b, 2);
    put(out, zeros, 32); /* qualified signer */
    put_be(out, 0, 2);   /* extra data */
    put(out, zeros, 16); /* clock, resets, restarts */
    put_be(out, 1, 1);   /* safe */
    put(out, zeros, 8);  /* firmware */
}

static void pcr_digest(const struct skrfs_lab_guest *guest, uint8_t digest[32]) {
    assert_ok(skrfs_hash(SKRFS_SHA256, guest->pcrs, sizeof(guest->pcrs), digest, &err), err);
}

/* Either body may carry either type, for a test of what is not what it should be. */
static void put_attested(struct skrfs_buf *out, uint16_t type, const struct recipe *recipe,
        const uint8_t digest[32], const uint8_t name[34]) {
    put_attest_head(out, recipe->magic, type);
    if (type == 0x8018) {
        put_be(out, 1, 4);
        put_be(out, 0x000b, 2);
        put_be(out, 3, 1);
        put(out, recipe->pcr_select, 3);
        put_be(out, 32, 2);
        put(out, digest, 32);
        return;
    }
    for (int i = 0; i < 2; i++) { /* name, qualified name */
        put_be(out, 34, 2);
        put(out, name, 34);
    }
}

static void sign(const struct bench *bench, const struct skrfs_buf *attest, struct skrfs_buf *out) {
    assert_ok(skrfs_rsa_sign(bench->ak, SKRFS_SHA256, skrfs_buf_bytes(attest), out, &err), err);
}

static void make_tpm(
        const struct bench *bench, const struct recipe *recipe, struct skrfs_lab_guest *guest) {
    uint8_t digest[32];
    uint8_t name[34];
    uint8_t policy[32];
    uint8_t text[78] = {0};
    static const uint8_t middle[] = {0, 0, 1, 0x7f, 0, 0, 0, 1, 0, 0x0b, 3, 0xff, 0, 0};
    pcr_digest(guest, digest);
    memcpy(text + 32, middle, sizeof(middle));
    memcpy(text + 46, digest, 32);
    text[77] ^= recipe->policy_other;
    assert_ok(skrfs_hash(SKRFS_SHA256, text, sizeof(text), policy, &err), err);
    put_public(&guest->ak_public, bench->ak, recipe->ak_attributes, NULL, true);
    put_public(&guest->key_public, bench->key, recipe->key_attributes, policy, false);
    name_of(recipe->certify_other ? &guest->ak_public : &guest->key_public, name);
    put_attested(&guest->quote, recipe->quote_type, recipe, digest, name);
    put_attested(&guest->key_certify, recipe->certify_type, recipe, digest, name);
    sign(bench, &guest->quote, &guest->quote_signature);
    sign(bench, &guest->key_certify, &guest->key_certify_signature);
    assert_ok(skrfs_lab_pki_ak_certificate(recipe->cert_by_stranger ? bench->stranger : bench->pki,
                      recipe->cert_for_other ? bench->other : bench->ak, &guest->ak_cert, &err),
            err);
}

static void make_chain(
        const struct bench *bench, const struct recipe *recipe, struct skrfs_lab_guest *guest) {
    const struct skrfs_lab_pki *pki = bench->pki;
    skrfs_autochain *made = NULL;
    uint8_t chip[64];
    memcpy(chip, pki->chip_id, sizeof(chip));
    chip[5] ^= recipe->vcek_other_chip;
    const struct skrfs_lab_signer *ask = recipe->ark_other ? &bench->stranger->ask : &pki->ask;
    assert_ok(skrfs_lab_pki_vcek(ask, pki->vcek.key, chip,
                      recipe->vcek_stale ? &pki->stale : &pki->reported, &made, &err),
            err);
    assert_ok(skrfs_chain_pem(made, &guest->chain, &err), err);
}

static void make_hardware(
        const struct bench *bench, const struct recipe *recipe, struct skrfs_lab_guest *guest) {
    struct skrfs_lab_snp_wish wish = {.policy = recipe->snp_policy};
    uint8_t report[SKRFS_LAB_SNP_REPORT_LEN];
    assert_ok(
            skrfs_hash(SKRFS_SHA256, guest->claims.data, guest->claims.len, wish.report_data, &err),
            err);
    wish.report_data[60] ^= recipe->binding_other;
    if (recipe->tdx) {
        guest->isolation = SKRFS_LAB_TDX;
        assert_ok(skrfs_lab_make_td_report(
                          bench->pki, wish.report_data, recipe->td_attributes, report, &err),
                err);
        assert_ok(skrfs_lab_quote_td(recipe->ark_other ? bench->stranger : bench->pki,
                          (struct skrfs_bytes){report, SKRFS_LAB_TD_REPORT_LEN}, &guest->report,
                          &err),
                err);
        return;
    }
    guest->isolation = SKRFS_LAB_SNP;
    assert_ok(skrfs_lab_make_snp_report(bench->pki, &wish, report, &err), err);
    put(&guest->report, report, sizeof(report));
    make_chain(bench, recipe, guest);
}

void evidence_make(
        const struct bench *bench, const struct recipe *recipe, struct skrfs_lab_guest *guest) {
    skrfs_lab_guest_init(guest);
    snprintf(guest->os_type, sizeof(guest->os_type), "Linux");
    snprintf(guest->os_distro, sizeof(guest->os_distro), "Debian");
    snprintf(guest->os_build, sizeof(guest->os_build), "NotApplication");
    guest->os_major = 12;
    assert_ok(skrfs_json_pack(&guest->client_payload, &err, "{s:s}", "nonce", "bXkgbm9uY2U="), err);
    assert_ok(skrfs_lab_event_log(&guest->event_log, &err), err);
    assert_ok(
            skrfs_lab_event_log_replay(skrfs_buf_bytes(&guest->event_log), guest->pcrs, &err), err);
    if (recipe->no_event_log)
        skrfs_buf_done(&guest->event_log);
    assert_ok(skrfs_lab_claims(recipe->claims_other_ak ? bench->other : bench->ak, NULL,
                      &guest->claims, &err),
            err);
    make_hardware(bench, recipe, guest);
    make_tpm(bench, recipe, guest);
}

static struct skrfs_json *b64(const struct skrfs_buf *data) {
    struct skrfs_json *text = NULL;
    assert_ok(skrfs_lab_base64_json(SKRFS_BASE64, skrfs_buf_bytes(data), &text, &err), err);
    return text;
}

static struct skrfs_json *pcrs_json(const struct skrfs_lab_guest *guest) {
    struct skrfs_json *list = NULL;
    assert_ok(skrfs_json_new_array(&list, &err), err);
    for (int i = 0; i < 8; i++) {
        struct skrfs_json *digest = NULL;
        struct skrfs_json *entry = NULL;
        assert_ok(skrfs_lab_base64_json(
                          SKRFS_BASE64, (struct skrfs_bytes){guest->pcrs[i], 32}, &digest, &err),
                err);
        assert_ok(skrfs_json_pack(&entry, &err, "{s:i,s:o}", "Index", i, "Digest", digest), err);
        assert_ok(skrfs_json_append(list, entry, &err), err);
    }
    return list;
}

static struct skrfs_json *isolation_json(const struct skrfs_lab_guest *guest) {
    struct skrfs_json *out = NULL;
    skrfs_autojson *proof = NULL;
    skrfs_autobuf text = SKRFS_BUF((size_t)128 * 1024);
    if (guest->isolation == SKRFS_LAB_TDX) {
        assert_ok(skrfs_json_pack(&out, &err, "{s:s,s:{s:o,s:o}}", "Type", "Tdx", "Evidence",
                          "Proof", b64(&guest->report), "RunTimeData", b64(&guest->claims)),
                err);
        return out;
    }
    assert_ok(skrfs_json_pack(&proof, &err, "{s:o,s:o}", "SnpReport", b64(&guest->report),
                      "VcekCertChain", b64(&guest->chain)),
            err);
    assert_ok(skrfs_json_print(proof, false, &text, &err), err);
    assert_ok(skrfs_json_pack(&out, &err, "{s:s,s:{s:o,s:o}}", "Type", "SevSnp", "Evidence",
                      "Proof", b64(&text), "RunTimeData", b64(&guest->claims)),
            err);
    return out;
}

struct skrfs_json *evidence_info(const struct skrfs_lab_guest *guest) {
    struct skrfs_json *info = NULL;
    struct skrfs_json *payload = NULL;
    assert_ok(skrfs_json_copy(guest->client_payload, &payload, &err), err);
    assert_ok(skrfs_json_pack(&info, &err,
                      "{s:s,s:s,s:s,s:i,s:i,s:s,s:o,s:o,s:{s:o,s:o,s:o,s:o,s:[i,i,i,i,i,i,i,i],s:o,"
                      "s:o,s:o,s:o},s:o}",
                      "AttestationProtocolVersion", "2.0", "OSType", "TGludXg=", "OSDistro",
                      "RGViaWFu", "OSVersionMajor", 12, "OSVersionMinor", 0, "OSBuild",
                      "Tm90QXBwbGljYXRpb24=", "TcgLogs", b64(&guest->event_log), "ClientPayload",
                      payload, "TpmInfo", "AikCert", b64(&guest->ak_cert), "AikPub",
                      b64(&guest->ak_public), "PcrQuote", b64(&guest->quote), "PcrSignature",
                      b64(&guest->quote_signature), "PcrSet", 0, 1, 2, 3, 4, 5, 6, 7, "PCRs",
                      pcrs_json(guest), "EncKeyPub", b64(&guest->key_public), "EncKeyCertifyInfo",
                      b64(&guest->key_certify), "EncKeyCertifyInfoSignature",
                      b64(&guest->key_certify_signature), "IsolationInfo", isolation_json(guest)),
            err);
    return info;
}

void evidence_body(const struct skrfs_json *info, struct skrfs_buf *out) {
    skrfs_autobuf text = SKRFS_BUF((size_t)1024 * 1024);
    skrfs_autojson *body = NULL;
    struct skrfs_json *encoded = NULL;
    assert_ok(skrfs_json_print(info, false, &text, &err), err);
    assert_ok(skrfs_lab_base64_json(SKRFS_BASE64URL, skrfs_buf_bytes(&text), &encoded, &err), err);
    assert_ok(skrfs_json_pack(&body, &err, "{s:o}", "AttestationInfo", encoded), err);
    assert_ok(skrfs_json_print(body, false, out, &err), err);
}
