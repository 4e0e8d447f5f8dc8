/* What the attestation service's refusals mean (learn.microsoft.com, "Troubleshoot Azure
 * Attestation"; github.com/Azure/azure-rest-api-specs, attestation data plane) and what cures them.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>

/* By the code that the service's words begin with, or by something in them. */
static const struct meaning {
    const char *words;
    const char *says;
} meanings[] = {
        {"OE_MISSING_CERTIFICATE_CHAIN",
                "finds no certificates of the processor in the quote: is Azure's DCAP client "
                "(az-dcap-client) installed where quotes are made?"},
        {"PolicyEvaluationError", "has a policy that refuses this machine's evidence"},
        {"InvalidParameter", "refuses this machine's evidence as malformed or not genuine"},
        {"InvalidOperation",
                "does not do this for this machine: has the provider's policy for this kind of "
                "evidence been set?"},
};

static const char *says(long status, const char *words) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(meanings); i++)
        if (strstr(words, meanings[i].words))
            return meanings[i].says;
    switch (status) {
    case 401:
        return "wants a login, as attesting on its public interface does not: is [attestation] url "
               "= the provider's own address?";
    case 403:
        return "does not let this machine in: see the provider's network rules";
    case 413:
        return "finds this machine's evidence too large";
    default:
        return "refuses this machine's evidence";
    }
}

static bool lacks_endorsements(const struct skrfs_evidence *evidence) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(evidence->endorsements); i++)
        if (evidence->endorsements[i].len)
            return false;
    return evidence->kind == SKRFS_EVIDENCE_SNP;
}

const char *skrfs_maa_lacks(const struct skrfs_evidence *evidence) {
    if (!lacks_endorsements(evidence))
        return "";
    return "; the evidence has no endorsements of a utility VM (the security context's "
           "reference-info), so "
           "that no token can call it azure-compliant-uvm";
}

int skrfs_maa_refused(const struct skrfs_cloud *cloud, const struct skrfs_evidence *evidence,
        const struct skrfs_http_answer *answer, struct skrfs_error *err) {
    char words[400];
    enum skrfs_class kind = skrfs_status_class(answer->status);
    skrfs_refusal_text(skrfs_buf_bytes(&answer->body), words, sizeof(words));
    if (answer->status == 404)
        return skrfs_refusal_fail(answer, SKRFS_CLASS_REJECTED, err,
                "%s is no attestation service (see [attestation] url =)", cloud->attestation);
    if (kind != SKRFS_CLASS_REJECTED)
        return skrfs_refusal_fail(answer, kind, err, "the attestation service gives no token");
    return skrfs_refusal_fail(answer, kind, err, "the attestation service %s%s",
            says(answer->status, words), answer->status == 400 ? skrfs_maa_lacks(evidence) : "");
}
