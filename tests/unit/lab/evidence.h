/* Evidence of a confidential VM made with software keys, right or wrong in one chosen way. */
#ifndef TESTS_LAB_EVIDENCE_H
#define TESTS_LAB_EVIDENCE_H

#include "guest.h"
#include "platform.h"

/* What the evidence is made of. A test changes one member of the right one. */
struct recipe {
    bool tdx;
    uint64_t snp_policy, td_attributes;
    uint32_t ak_attributes, key_attributes;
    uint8_t pcr_select[3];
    uint16_t quote_type, certify_type;
    uint32_t magic;
    bool policy_other;                     /* the wrapping key's policy is for other PCRs */
    bool certify_other;                    /* the certificate names another object */
    bool cert_by_stranger, cert_for_other; /* AK certificate */
    bool vcek_stale, vcek_other_chip, ark_other;
    bool claims_other_ak; /* RunTimeData has another HCLAkPub, rightly bound */
    bool binding_other;   /* the report is over other data */
    bool no_event_log;
};
struct recipe recipe_right(void);

/* Shared by the tests of one program: authorities and keys. */
struct bench {
    struct skrfs_lab_pki *pki, *stranger;
    struct skrfs_pkey *ak, *other, *key; /* attestation key, another, the wrapping key */
    struct skrfs_lab_anchors anchors;
};
void bench_set_up(struct bench *bench);
void bench_take_down(struct bench *bench);

void evidence_make(
        const struct bench *bench, const struct recipe *recipe, struct skrfs_lab_guest *guest);
/* The AttestationInfo document of evidence, and the request's body around a document. */
struct skrfs_json *evidence_info(const struct skrfs_lab_guest *guest);
void evidence_body(const struct skrfs_json *info, struct skrfs_buf *out);

#endif
