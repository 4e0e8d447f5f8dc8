#include "machine.h"

#include "handles.h"

#include <skrfs/base/encode.h>
#include <skrfs/base/file.h>
#include <skrfs/crypto/x509.h>
#include <skrfs/tpm/provision.h>

struct machine machine;

static void put32(uint8_t *at, uint32_t value) {
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

/* A report as the paravisor's: header, SNP report over the digest of the claims, claims. */
size_t machine_report(const uint8_t modulus[256], uint8_t report[2048]) {
    struct skrfs_error err = {0};
    skrfs_autobuf claims = SKRFS_BUF(800);
    assert_ok(skrfs_buf_append_text(&claims,
                      "{\"keys\":[{\"kid\":\"HCLAkPub\",\"key_ops\":[\"sign\"],\"kty\":\"RSA\","
                      "\"e\":\"AQAB\",\"n\":\"",
                      &err),
            err);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, modulus, 256, &claims, &err), err);
    assert_ok(skrfs_buf_append_text(
                      &claims, "\"}],\"vm-configuration\":{\"secure-boot\":true}}", &err),
            err);
    uint32_t len = (uint32_t)claims.len;
    memset(report, 0, 2048);
    memcpy(report, "HCLA", 4);
    put32(report + 4, 2);
    put32(report + 8, 1236 + len);
    put32(report + 12, 2);
    put32(report + 32, 2);        /* SNP report, version 2 */
    put32(report + 32 + 0x34, 1); /* ECDSA P-384 */
    put32(report + 1216, 20 + len);
    put32(report + 1220, 1);
    put32(report + 1224, 2);
    put32(report + 1228, 1);
    put32(report + 1232, len);
    memcpy(report + 1236, claims.data, len);
    assert_ok(skrfs_hash(SKRFS_SHA256, claims.data, len, report + 32 + 0x50, &err), err);
    return 1236 + len;
}

void machine_store(uint32_t index, const void *data, size_t len, size_t size) {
    struct skrfs_error err = {0};
    assert_ok(skrfs_tpm_nv_define(machine.tpm, index, (struct skrfs_bytes){data, len}, size, &err),
            err);
}

void machine_store_cert(const char *issuer_name) {
    struct skrfs_error err = {0};
    skrfs_autopkey *issuer_key = NULL, *key = NULL;
    skrfs_autochain *issuer = NULL, *chain = NULL;
    skrfs_autobuf der = SKRFS_BUF(2040);
    struct skrfs_public public = {.type = SKRFS_KEY_RSA, .n_len = 256, .e = {1, 0, 1}, .e_len = 3};
    memcpy(public.n, machine.ak_modulus, 256);
    assert_ok(skrfs_pkey_new_ec(SKRFS_P256, &issuer_key, &err), err);
    assert_ok(skrfs_pkey_from_public(&public, &key, &err), err);
    struct skrfs_cert_spec root = {.common_name = issuer_name,
            .subject_key = issuer_key,
            .issuer_key = issuer_key,
            .authority = true,
            .days = 30};
    assert_ok(skrfs_cert_issue(&root, &issuer, &err), err);
    struct skrfs_cert_spec leaf = {.common_name = "vm",
            .subject_key = key,
            .issuer_key = issuer_key,
            .issuer = issuer,
            .days = 30};
    assert_ok(skrfs_cert_issue(&leaf, &chain, &err), err);
    assert_ok(skrfs_chain_der(chain, 0, &der, &err), err);
    machine_store(SKRFS_TPM_NV_AK_CERT, der.data, der.len, 2048);
}

int machine_provision(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tpm_blob public;
    uint8_t report[2048];
    (void)state;
    assert_ok(skrfs_tpm_make_ak(machine.tpm, &public, machine.ak_modulus, &err), err);
    machine_report(machine.ak_modulus, report);
    machine_store(SKRFS_TPM_NV_HCL_REPORT, report, sizeof(report), sizeof(report));
    machine_store_cert("Azure Virtual TPM CA");
    return 0;
}

int machine_start(void **state) {
    struct skrfs_error err = {0};
    (void)state;
    if (skrfs_crypto_setup(&err) < 0 || swtpm_start(&machine.soft) != 0 ||
            skrfs_tpm_open(machine.soft.tcti, &machine.tpm, &err) < 0)
        return -1;
    snprintf(machine.log_path, sizeof(machine.log_path), "%s/eventlog", machine.soft.dir);
    return skrfs_file_write(machine.log_path, "boot log", 8, 0600, &err);
}

int machine_stop(void **state) {
    (void)state;
    skrfs_tpm_close(machine.tpm);
    swtpm_stop(&machine.soft);
    return 0;
}

int machine_nothing_stays(void **state) {
    (void)state;
    return handles_loaded(machine.soft.tcti) == 0 ? 0 : -1;
}

struct skrfs_tee *machine_open(void) {
    struct skrfs_error err = {0};
    struct skrfs_tee *tee = NULL;
    struct skrfs_tee_options options = {.tpm = machine.tpm, .event_log = machine.log_path};
    assert_ok(skrfs_tee_open(&options, &tee, &err), err);
    assert_string_equal(tee->ops->name, "azure-cvm");
    return tee;
}

struct skrfs_pkey *machine_rsa_key(const uint8_t modulus[256]) {
    struct skrfs_error err = {0};
    struct skrfs_pkey *key = NULL;
    struct skrfs_public public = {.type = SKRFS_KEY_RSA, .n_len = 256, .e = {1, 0, 1}, .e_len = 3};
    memcpy(public.n, modulus, 256);
    assert_ok(skrfs_pkey_from_public(&public, &key, &err), err);
    return key;
}

void machine_collect_key(struct skrfs_tee *tee, struct skrfs_tee_key *key) {
    struct skrfs_error err = {0};
    skrfs_autoevidence evidence;
    skrfs_evidence_init(&evidence);
    assert_ok(tee->ops->collect(tee, NONCE, false, NULL, &evidence, key, &err), err);
}
