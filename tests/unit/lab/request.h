/* Requests to attest SNP and TDX guests and SGX enclaves, made with a lab's own processors. */
#ifndef TESTS_LAB_REQUEST_H
#define TESTS_LAB_REQUEST_H

#include "platform.h"
#include "proof.h"

#define REQUEST_MAX ((size_t)512 * 1024)

/* What is asked. A test changes one member of the right one. */
struct request {
    enum skrfs_lab_proof_kind kind;
    bool preview;                         /* in the shape of 2018 */
    const char *runtime;                  /* the report is made over it; NULL: nothing is sent */
    const char *runtime_type, *init_type; /* "JSON", "Binary" */
    bool other_runtime;                   /* something else is sent */
    const char *init;                     /* its digest goes where the report has room for it */
    bool other_init;
    const char *nonce; /* as it stands in the body, with its quotes; NULL: none */
    const char *draft;
    bool debug;
    struct skrfs_bytes endorsement; /* SNP; empty: none */
    bool bare;                      /* OpenEnclave: without its header */
};
struct request request_right(enum skrfs_lab_proof_kind kind);

/* The body, appended with the NUL behind it that buffers have. */
void request_body(
        const struct skrfs_lab_pki *pki, const struct request *request, struct skrfs_buf *out);
/* SevSnpVm's body around a report, a chain in PEM and endorsements. */
void request_snp_report(struct skrfs_bytes report, struct skrfs_bytes pem,
        struct skrfs_bytes endorsement, struct skrfs_buf *out);
/* The lab's endorsement of the utility VM that its reports are about. */
void request_endorsement(const struct skrfs_lab_pki *pki, struct skrfs_buf *out);

#endif
