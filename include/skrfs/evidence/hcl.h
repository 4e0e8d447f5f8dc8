/* The HCL report of an Azure confidential VM: what the paravisor leaves in NV index 0x01400001.
 * Layout: OpenHCL, openhcl_attestation_protocol (github.com/microsoft/openvmm). Pure, thread safe.
 */
#ifndef SKRFS_EVIDENCE_HCL_H
#define SKRFS_EVIDENCE_HCL_H

#include <skrfs/base/buf.h>
#include <skrfs/crypto/hash.h>

#define SKRFS_HCL_MAX ((size_t)16 * 1024) /* octets of an index's contents that are looked at */
#define SKRFS_SNP_REPORT_LEN 1184
#define SKRFS_TD_REPORT_LEN 1024

enum skrfs_hcl_kind { SKRFS_HCL_SNP = 2, SKRFS_HCL_TDX = 4 };

/* Views into the report's bytes. */
struct skrfs_hcl {
    enum skrfs_hcl_kind kind;
    enum skrfs_hash hash;        /* of the claims, in the hardware report's data */
    struct skrfs_bytes hardware; /* SNP report (1184) or TD report (1024) */
    struct skrfs_bytes claims;   /* runtime claims JSON, exactly as hashed */
};

/* Parses and bound-checks an index's contents; padding behind the claims is allowed. Of a VM
 * without hardware isolation (VBS, trusted launch) it is NO_TEE; malformed it is BAD_ANSWER. The
 * views live as long as `index`. Header and lengths are not measured by anything: only what
 * skrfs_hcl_check_binding covers is the hardware's word. */
int skrfs_hcl_parse(struct skrfs_bytes index, struct skrfs_hcl *ret_hcl,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Octets of the fixed part and the claims: what of the index is evidence, the rest being padding.
 */
size_t skrfs_hcl_len(const struct skrfs_hcl *hcl);
/* sha256 (or what hash_type says) of the claims is the beginning of the hardware report data and
 * what is behind it is zero; otherwise BAD_ANSWER. */
int skrfs_hcl_check_binding(const struct skrfs_hcl *hcl, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The HCLAkPub modulus of the claims; BAD_ANSWER when it is missing or not RSA-2048 with exponent
 * 65537. */
int skrfs_hcl_ak_modulus(const struct skrfs_hcl *hcl, uint8_t ret_modulus[256],
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
