#include "pki.h"

#include <skrfs/crypto/encoding.h>
#include <string.h>

/* AMD 57230, table 8: the TCB of a VCEK. */
#define OID_PRODUCT "1.3.6.1.4.1.3704.1.2"
#define OID_BOOTLOADER "1.3.6.1.4.1.3704.1.3.1"
#define OID_TEE "1.3.6.1.4.1.3704.1.3.2"
#define OID_SNP "1.3.6.1.4.1.3704.1.3.3"
#define OID_MICROCODE "1.3.6.1.4.1.3704.1.3.8"
#define OID_CHIP "1.3.6.1.4.1.3704.1.4"

static const char *const vault_names[] = {"vault.skrfs.localhost", "*.vault.skrfs.localhost", NULL};
static const char *const hsm_names[] = {
        "lab.hsm.skrfs.localhost", "*.lab.hsm.skrfs.localhost", NULL};
static const char *const elsewhere_names[] = {"elsewhere.skrfs.localhost", NULL};
static const char *const server_names[] = {"maa.skrfs.localhost", "login.skrfs.localhost",
        "vault.skrfs.localhost", "*.vault.skrfs.localhost", "hsm.skrfs.localhost",
        "*.hsm.skrfs.localhost", "localhost", "IP:127.0.0.1", NULL};

static void signer_done(struct skrfs_lab_signer *signer) {
    skrfs_pkey_free(signer->key);
    skrfs_chain_free(signer->chain);
    *signer = (struct skrfs_lab_signer){0};
}

/* Issues a certificate for signer->key; `issuer` NULL: by itself. */
static int issue(struct skrfs_lab_signer *signer, const struct skrfs_lab_signer *issuer,
        const struct skrfs_cert_spec *wish, struct skrfs_error *err) {
    struct skrfs_cert_spec spec = *wish;
    spec.subject_key = signer->key;
    spec.issuer_key = issuer ? issuer->key : signer->key;
    spec.issuer = issuer ? issuer->chain : NULL;
    if (skrfs_cert_issue(&spec, &signer->chain, err) < 0)
        return skrfs_wrap(err, "issue the certificate of '%s'", wish->common_name);
    return 0;
}

static int make_rsa(struct skrfs_lab_signer *signer, const struct skrfs_lab_signer *issuer,
        const struct skrfs_cert_spec *wish, struct skrfs_error *err) {
    if (skrfs_pkey_new_rsa(2048, &signer->key, err) < 0)
        return -1;
    return issue(signer, issuer, wish, err);
}

static int make_ec(struct skrfs_lab_signer *signer, enum skrfs_curve curve,
        const struct skrfs_lab_signer *issuer, const struct skrfs_cert_spec *wish,
        struct skrfs_error *err) {
    if (skrfs_pkey_new_ec(curve, &signer->key, err) < 0)
        return -1;
    return issue(signer, issuer, wish, err);
}

static int make_tls(struct skrfs_lab_pki *pki, struct skrfs_error *err) {
    struct skrfs_cert_spec root = {
            .common_name = "skrfs lab root (not for production)", .authority = true, .days = 365};
    struct skrfs_cert_spec issuing = {
            .common_name = "skrfs lab issuing authority", .authority = true, .days = 365};
    struct skrfs_cert_spec server = {
            .common_name = "skrfs.localhost", .dns_names = server_names, .days = 365};
    if (make_ec(&pki->root, SKRFS_P256, NULL, &root, err) < 0 ||
            make_ec(&pki->issuing, SKRFS_P256, &pki->root, &issuing, err) < 0 ||
            make_ec(&pki->stranger, SKRFS_P256, NULL, &root, err) < 0)
        return -1;
    return make_ec(&pki->server, SKRFS_P256, &pki->issuing, &server, err);
}

/* The four certificates under which the vault or HSM may sign; one key serves them all. */
static int make_release(struct skrfs_lab_pki *pki, unsigned which, struct skrfs_error *err) {
    struct skrfs_cert_spec well = {.common_name = which ? hsm_names[0] : vault_names[0],
            .dns_names = which ? hsm_names : vault_names,
            .days = 365};
    struct skrfs_cert_spec expired = well, elsewhere = well;
    expired.days = 0;
    elsewhere.dns_names = elsewhere_names;
    struct skrfs_lab_signer *signers = pki->release[which];
    if (make_rsa(&signers[SKRFS_LAB_SIGNED_WELL], &pki->issuing, &well, err) < 0)
        return -1;
    skrfs_autosecret *der = NULL;
    if (skrfs_pkey_pkcs8(signers[SKRFS_LAB_SIGNED_WELL].key, &der, err) < 0)
        return -1;
    for (size_t i = 1; i < SKRFS_LAB_SIGNING_COUNT; i++)
        if (skrfs_pkey_from_pkcs8(
                    skrfs_secret_data(der), skrfs_secret_len(der), &signers[i].key, err) < 0)
            return -1;
    if (issue(&signers[SKRFS_LAB_SIGNED_BY_STRANGER], &pki->stranger, &well, err) < 0 ||
            issue(&signers[SKRFS_LAB_SIGNED_EXPIRED], &pki->issuing, &expired, err) < 0)
        return -1;
    return issue(&signers[SKRFS_LAB_SIGNED_ELSEWHERE], &pki->issuing, &elsewhere, err);
}

static int make_services(struct skrfs_lab_pki *pki, const char *maa_url, struct skrfs_error *err) {
    struct skrfs_cert_spec maa = {.common_name = maa_url, .days = 365};
    struct skrfs_cert_spec entra = {.common_name = "login.skrfs.localhost", .days = 365};
    if (make_release(pki, 0, err) < 0 || make_release(pki, 1, err) < 0 ||
            make_rsa(&pki->maa, NULL, &maa, err) < 0 ||
            make_rsa(&pki->entra, NULL, &entra, err) < 0)
        return -1;
    return skrfs_pkey_new_rsa(2048, &pki->maa_stranger, err);
}

/* A DER INTEGER of one octet's value. */
static struct skrfs_bytes der_octet(uint8_t value, uint8_t space[4]) {
    size_t len = 0;
    space[len++] = 0x02;
    space[len++] = value < 0x80 ? 1 : 2;
    if (value >= 0x80)
        space[len++] = 0;
    space[len++] = value;
    return (struct skrfs_bytes){space, len};
}

int skrfs_lab_pki_vcek(const struct skrfs_lab_signer *ask, const struct skrfs_pkey *key,
        const uint8_t chip_id[64], const struct skrfs_lab_tcb *tcb, struct skrfs_chain **ret_chain,
        struct skrfs_error *err) {
    static const uint8_t product[] = "\x16\x08Milan-B0"; /* IA5String */
    uint8_t numbers[4][4];
    const struct skrfs_cert_extension extensions[] = {
            {OID_PRODUCT, {product, sizeof(product) - 1}},
            {OID_BOOTLOADER, der_octet(tcb->bootloader, numbers[0])},
            {OID_TEE, der_octet(tcb->tee, numbers[1])},
            {OID_SNP, der_octet(tcb->snp, numbers[2])},
            {OID_MICROCODE, der_octet(tcb->microcode, numbers[3])},
            {OID_CHIP, {chip_id, 64}},
    };
    struct skrfs_cert_spec spec = {.common_name = "SEV-VCEK",
            .subject_key = key,
            .issuer_key = ask->key,
            .issuer = ask->chain,
            .pss = true,
            .days = 365,
            .extensions = extensions,
            .extension_count = SKRFS_ARRAY_LEN(extensions)};
    return skrfs_cert_issue(&spec, ret_chain, err);
}

static int make_amd(struct skrfs_lab_pki *pki, struct skrfs_error *err) {
    struct skrfs_cert_spec ark = {
            .common_name = "ARK-Milan (skrfs lab)", .authority = true, .pss = true, .days = 365};
    struct skrfs_cert_spec ask = {
            .common_name = "SEV-Milan (skrfs lab)", .authority = true, .pss = true, .days = 365};
    pki->reported = (struct skrfs_lab_tcb){3, 0, 8, 115};
    pki->stale = (struct skrfs_lab_tcb){2, 0, 6, 100};
    if (skrfs_random(pki->chip_id, sizeof(pki->chip_id), err) < 0 ||
            make_rsa(&pki->ark, NULL, &ark, err) < 0 ||
            make_rsa(&pki->ask, &pki->ark, &ask, err) < 0 ||
            skrfs_pkey_new_ec(SKRFS_P384, &pki->vcek.key, err) < 0)
        return -1;
    if (skrfs_lab_pki_vcek(
                &pki->ask, pki->vcek.key, pki->chip_id, &pki->reported, &pki->vcek.chain, err) < 0)
        return -1;
    return skrfs_lab_pki_vcek(
            &pki->ask, pki->vcek.key, pki->chip_id, &pki->stale, &pki->stale_vcek, err);
}

static int make_intel_and_vtpm(struct skrfs_lab_pki *pki, struct skrfs_error *err) {
    struct skrfs_cert_spec root = {
            .common_name = "Intel SGX Root CA (skrfs lab)", .authority = true, .days = 365};
    struct skrfs_cert_spec pck = {
            .common_name = "Intel SGX PCK Certificate (skrfs lab)", .days = 365};
    struct skrfs_cert_spec vtpm = {
            .common_name = "Cloud Virtual TPM CA (skrfs lab)", .authority = true, .days = 365};
    if (skrfs_random(pki->td_secret, sizeof(pki->td_secret), err) < 0 ||
            make_ec(&pki->tdx_root, SKRFS_P256, NULL, &root, err) < 0 ||
            make_ec(&pki->pck, SKRFS_P256, &pki->tdx_root, &pck, err) < 0 ||
            skrfs_pkey_new_ec(SKRFS_P256, &pki->quoting, err) < 0)
        return -1;
    return make_rsa(&pki->vtpm, NULL, &vtpm, err);
}

static int make_uvm(struct skrfs_lab_pki *pki, struct skrfs_error *err) {
    struct skrfs_cert_spec root = {
            .common_name = "Supply Chain Root CA (skrfs lab)", .authority = true, .days = 365};
    struct skrfs_cert_spec uvm = {.common_name = "ContainerPlat (skrfs lab)",
            .purpose = "1.3.6.1.4.1.311.76.59.1.2", /* as in endorsements of utility VMs */
            .days = 365};
    if (make_ec(&pki->uvm_root, SKRFS_P384, NULL, &root, err) < 0)
        return -1;
    return make_ec(&pki->uvm, SKRFS_P384, &pki->uvm_root, &uvm, err);
}

int skrfs_lab_pki_new(
        const char *maa_url, struct skrfs_lab_pki **ret_pki, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_lab_pki_free_p) struct skrfs_lab_pki *pki = calloc(1, sizeof(*pki));
    if (!pki)
        return skrfs_fail_memory(err);
    if (make_tls(pki, err) < 0 || make_services(pki, maa_url, err) < 0 || make_amd(pki, err) < 0 ||
            make_intel_and_vtpm(pki, err) < 0 || make_uvm(pki, err) < 0)
        return skrfs_wrap(err, "make the lab's authorities");
    *ret_pki = skrfs_take(pki);
    return 0;
}

void skrfs_lab_pki_free(struct skrfs_lab_pki *pki) {
    if (!pki)
        return;
    struct skrfs_lab_signer *signers[] = {&pki->root, &pki->issuing, &pki->stranger, &pki->server,
            &pki->maa, &pki->entra, &pki->ark, &pki->ask, &pki->vcek, &pki->vtpm, &pki->tdx_root,
            &pki->pck, &pki->uvm_root, &pki->uvm};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(signers); i++)
        signer_done(signers[i]);
    for (size_t i = 0; i < SKRFS_LAB_SIGNING_COUNT; i++) {
        signer_done(&pki->release[0][i]);
        signer_done(&pki->release[1][i]);
    }
    skrfs_pkey_free(pki->maa_stranger);
    skrfs_pkey_free(pki->quoting);
    skrfs_chain_free(pki->stale_vcek);
    skrfs_wipe(pki->td_secret, sizeof(pki->td_secret));
    free(pki);
}

int skrfs_lab_pki_ak_certificate(const struct skrfs_lab_pki *pki, const struct skrfs_pkey *ak,
        struct skrfs_buf *ret_der, struct skrfs_error *err) {
    struct skrfs_cert_spec spec = {.common_name = "skrfs lab virtual machine",
            .subject_key = ak,
            .issuer_key = pki->vtpm.key,
            .issuer = pki->vtpm.chain,
            .days = 365};
    skrfs_autochain *chain = NULL;
    if (skrfs_cert_issue(&spec, &chain, err) < 0)
        return skrfs_wrap(err, "issue the attestation key's certificate");
    return skrfs_chain_der(chain, 0, ret_der, err);
}

int skrfs_lab_key_pem(
        const struct skrfs_pkey *key, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autosecret *der = NULL;
    skrfs_autosecret *pem = NULL;
    struct skrfs_public public;
    if (skrfs_pkey_public(key, &public, err) < 0 || skrfs_pkey_pkcs8(key, &der, err) < 0 ||
            skrfs_key_encode(der, public.type, SKRFS_FORMAT_PEM, NULL, &pem, err) < 0)
        return -1;
    return skrfs_buf_append(out, skrfs_secret_data(pem), skrfs_secret_len(pem), err);
}
