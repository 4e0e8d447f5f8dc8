/* Parts of the attestation service. */
#ifndef SKRFS_LAB_MAA_H
#define SKRFS_LAB_MAA_H

#include "state.h"

#include <skrfs/json/json.h>

/* Signs claims as the service does, or as a fault wants it; the token is appended to `out`. */
int skrfs_lab_maa_sign(struct skrfs_lab *lab, const struct skrfs_json *claims,
        enum skrfs_lab_deed deed, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Whether the request brings an access token for https://attest.azure.net. False: `answer` is 401
 * already. */
bool skrfs_lab_maa_authorize(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer);
/* GET /policies/{kind} and /certificates, for callers with an access token. False when the path is
 * neither; `answer` is answered otherwise. */
bool skrfs_lab_maa_policies(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer);
/* Whether a version of the interface is known for a kind of evidence ("SevSnpVm"). */
bool skrfs_lab_maa_knows(const char *kind, const char *version);

#endif
