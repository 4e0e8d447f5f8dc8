/* The lab's authorities and signers: the roots of everything it believes and everything it signs.
 * Immutable once made; thread safe. */
#ifndef SKRFS_LAB_PKI_H
#define SKRFS_LAB_PKI_H

#include <skrfs/crypto/x509.h>

struct skrfs_lab_signer {
    struct skrfs_pkey *key;
    struct skrfs_chain *chain; /* leaf first, root last */
};

/* How a released key is signed: rightly, or in one of the wrong ways that a test can ask for. */
enum skrfs_lab_signing {
    SKRFS_LAB_SIGNED_WELL,
    SKRFS_LAB_SIGNED_BY_STRANGER, /* the right name, from an authority that nobody knows */
    SKRFS_LAB_SIGNED_EXPIRED,     /* the right name and authority, no longer valid */
    SKRFS_LAB_SIGNED_ELSEWHERE,   /* the right authority, for another host */
    SKRFS_LAB_SIGNING_COUNT
};

struct skrfs_lab_tcb {
    uint8_t bootloader, tee, snp, microcode;
};

struct skrfs_lab_pki {
    struct skrfs_lab_signer root, issuing; /* TLS and released keys; EC P-256 */
    struct skrfs_lab_signer stranger;      /* a root that is in nobody's store */
    struct skrfs_lab_signer server;        /* TLS */
    struct skrfs_lab_signer
            release[2][SKRFS_LAB_SIGNING_COUNT]; /* [0] vault, [1] Managed HSM; RSA-2048 */
    struct skrfs_lab_signer maa;                 /* self-signed, as the service's are */
    struct skrfs_pkey *maa_stranger;
    struct skrfs_lab_signer entra;
    struct skrfs_lab_signer ark, ask, vcek; /* RSASSA-PSS with SHA-384 */
    struct skrfs_chain *stale_vcek;         /* of the same chip, for the firmware before */
    struct skrfs_lab_signer vtpm;           /* issues AK certificates */
    struct skrfs_lab_signer uvm_root, uvm;  /* endorse utility VMs; P-384 */
    struct skrfs_lab_signer tdx_root, pck;  /* P-256 */
    struct skrfs_pkey *quoting;             /* TD quotes' attestation key, P-256 */
    uint8_t chip_id[64];
    struct skrfs_lab_tcb reported, stale;
    uint8_t td_secret[32]; /* the CPU's key for TD report MACs */
};

int skrfs_lab_pki_new(const char *maa_url, struct skrfs_lab_pki **ret_pki,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_lab_pki_free(struct skrfs_lab_pki *pki);
SKRFS_DEFINE_CLEANUP(struct skrfs_lab_pki, skrfs_lab_pki_free)

/* A certificate for an attestation key, as the vTPM's authority issues it. */
int skrfs_lab_pki_ak_certificate(const struct skrfs_lab_pki *pki, const struct skrfs_pkey *ak,
        struct skrfs_buf *ret_der, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A VCEK certificate chain for a chip and firmware, by this ASK. */
int skrfs_lab_pki_vcek(const struct skrfs_lab_signer *ask, const struct skrfs_pkey *key,
        const uint8_t chip_id[64], const struct skrfs_lab_tcb *tcb, struct skrfs_chain **ret_chain,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Private key as NUL-terminated PEM. */
int skrfs_lab_key_pem(const struct skrfs_pkey *key, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
