/* What SGX's and TDX's quotes have in common behind their bodies (Intel SGX DCAP and TDX DCAP
 * quoting libraries: "ECDSA 256-bit quote signature data", "QE report certification data"). */
#ifndef SKRFS_EVIDENCE_QUOTE_H
#define SKRFS_EVIDENCE_QUOTE_H

#include <skrfs/base/buf.h>

/* Views into the quote; empty where the certification data is of another type. */
struct skrfs_quote_proof {
    struct skrfs_bytes signature; /* ECDSA P-256 over header and body, r || s big endian */
    struct skrfs_bytes key;       /* attestation key, x || y */
    struct skrfs_bytes qe_report, qe_signature, qe_auth; /* 384 and 64 octets; the QE's own */
    unsigned cert_type;                                  /* 5: PCK chain as PEM, leaf first */
    struct skrfs_bytes certs;
};

#endif
