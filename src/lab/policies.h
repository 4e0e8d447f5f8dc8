/* The attestation service's policies: the lab's provider has the default one for each kind of
 * evidence, which lets everything genuine pass, and none can be set. Pure; thread safe. */
#ifndef SKRFS_LAB_POLICIES_H
#define SKRFS_LAB_POLICIES_H

#include <skrfs/base/buf.h>

/* Whether a text has what every attestation policy has: version, authorization and issuance rules.
 * Rules are not evaluated. */
bool skrfs_lab_policy_has_rules(const char *text);
/* Appends the policy in force, in base64url: what a policy's token holds and its digest is of. */
int skrfs_lab_policy_encoded(struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* SHA-256 of that: x-ms-policy-hash. */
int skrfs_lab_policy_digest(uint8_t ret_digest[32], struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
