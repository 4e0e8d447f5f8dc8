/* What a release's answer says, taken apart without the product's own reader. */
#ifndef TESTS_LAB_JWS_H
#define TESTS_LAB_JWS_H

#include "state.h"

/* Header (0) or payload (1) of a compact JWS. */
struct skrfs_json *jws_part(const char *jws, unsigned index);
/* Chain to the lab's root, host of the service, date and signature; 0 when all are right. Failures
 * go to *ret_err. */
int jws_verify(const struct skrfs_lab *lab, enum skrfs_lab_service service, const char *jws,
        struct skrfs_error *ret_err);
/* The released key of a payload, its public members, and what is wrapped in it. */
const struct skrfs_json *jws_key(const struct skrfs_json *payload);
void jws_public(const struct skrfs_json *key, struct skrfs_public *public);
int jws_unwrap(const struct skrfs_json *key, const struct skrfs_pkey *with,
        struct skrfs_secret **ret_plain, char enc_name[32]);

#endif
