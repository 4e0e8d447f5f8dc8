/* The audit: records, their chain, and what can be said of a file of them afterwards. Pure: the
 * daemon's scribe process writes (daemon/scribe.c), the verbs read.
 *
 * A record is one line of a file, or one entry of the journal:
 *
 *     <64 hexadecimal digits> <JSON object without blanks outside of strings>\n
 *
 * The digits are the SHA-256 of the JSON text's octets; its member "prev" is the digits of the
 * record before, "seq" counts from 1. So that a stranger can verify it with sha256sum alone. The
 * first record of a file has 64 zeros in "prev". No record holds a key byte, a token or an answer.
 */
#ifndef SKRFS_AUDIT_AUDIT_H
#define SKRFS_AUDIT_AUDIT_H

#include <skrfs/access/access.h>
#include <skrfs/base/buf.h>

#define SKRFS_AUDIT_RECORD_MAX ((size_t)16 * 1024)
#define SKRFS_AUDIT_DIGEST 32

enum skrfs_audit_kind {
    SKRFS_AUDIT_BEGIN, /* a scribe begins: boot id, version, configuration's digest, policy of audit
                        */
    SKRFS_AUDIT_OPEN,  /* one decision */
    SKRFS_AUDIT_READ,  /* by another than who opened, or refused */
    SKRFS_AUDIT_RELEASE, /* the vault was asked: key, version, digests, measurement, or the failure
                          */
    SKRFS_AUDIT_WIPE,
    SKRFS_AUDIT_RENEW,
    SKRFS_AUDIT_GONE, /* its limits took a key back */
    SKRFS_AUDIT_LOST, /* so many records could not be written (audit not required) */
    SKRFS_AUDIT_END,  /* an orderly end */
    SKRFS_AUDIT_KIND_COUNT
};

/* What one release was, for the record and for the receipt. Hexadecimal texts; "" where unknown. */
struct skrfs_proof {
    uint64_t release; /* number since this keeper began, from 1 */
    int64_t wall_s;
    char vault[128], name[128], kid[512], version[33];
    char token_sha256[65]; /* of the attestation token's octets */
    char jws_sha256[65];   /* of the released JWS's octets */
    char tee[32];          /* "azure-cvm", ... */
    char measurement[129]; /* of the TEE: SNP measurement, MRTD, MRENCLAVE */
    char pcrs_sha256[65];  /* of an azure-cvm: the quote's PCR digest */
    char boot_id[37];
};

#endif
