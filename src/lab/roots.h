/* Whom the attestation service believes besides the lab's own roots: the makers of real hardware,
 * so that real evidence can be sent here. Pure. */
#ifndef SKRFS_LAB_ROOTS_H
#define SKRFS_LAB_ROOTS_H

#include <skrfs/crypto/x509.h>

enum skrfs_lab_maker { SKRFS_LAB_AMD, SKRFS_LAB_INTEL, SKRFS_LAB_MICROSOFT };

/* The chain ends in `own`'s last certificate (NULL: in none of its own), or in a certificate of
 * this maker's root key: *ret_real is true then. Its links have been verified by the caller. Dates
 * are not looked at: captured evidence is old. */
bool skrfs_lab_root_is(const struct skrfs_chain *chain, const struct skrfs_chain *own,
        enum skrfs_lab_maker maker, bool *ret_real);
/* That, and the links. REJECTED names `what`. */
int skrfs_lab_chain_check(const struct skrfs_chain *chain, const struct skrfs_chain *own,
        enum skrfs_lab_maker maker, const char *what, bool *ret_real,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
