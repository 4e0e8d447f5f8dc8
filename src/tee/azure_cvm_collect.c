#include "internal.h"

#include <skrfs/base/clock.h>
#include <skrfs/base/file.h>
#include <skrfs/tpm/attest.h>
#include <string.h>

enum { ATTEMPTS = 5, PAUSE_MS = 100 };

/* TPM 2.0 Library, Part 2, 8.3: what an attestation key must be. */
#define ATTRIBUTE_RESTRICTED (UINT32_C(1) << 16)
#define ATTRIBUTE_SIGN (UINT32_C(1) << 18)

static void pause_shortly(void) {
    (void)skrfs_sleep_until(skrfs_now_ns() + PAUSE_MS * SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
}

static int read_report_once(struct skrfs_tpm *tpm, struct skrfs_buf *out, struct skrfs_hcl *ret_hcl,
        struct skrfs_error *err) {
    skrfs_buf_truncate(out, 0);
    if (skrfs_tpm_nv_read(tpm, SKRFS_TPM_NV_HCL_REPORT, out, err) < 0)
        return -1;
    if (skrfs_hcl_parse(skrfs_buf_bytes(out), ret_hcl, err) < 0)
        return -1;
    return skrfs_hcl_check_binding(ret_hcl, err);
}

/* The paravisor writes the report anew when somebody reads its beginning: another reader's doing so
 * between two of our pieces tears it. That heals by reading again. */
int skrfs_cvm_read_report(struct skrfs_tpm *tpm, struct skrfs_buf *out, struct skrfs_hcl *ret_hcl,
        struct skrfs_error *err) {
    int result = read_report_once(tpm, out, ret_hcl, err);
    for (unsigned i = 1; i < ATTEMPTS && result < 0 && err->kind == SKRFS_CLASS_BAD_ANSWER; i++) {
        pause_shortly();
        result = read_report_once(tpm, out, ret_hcl, err);
    }
    if (result < 0)
        return skrfs_wrap(err, "the platform's hardware report");
    skrfs_buf_truncate(out, skrfs_hcl_len(ret_hcl));
    return 0;
}

static int put_blob(
        const struct skrfs_tpm_blob *blob, struct skrfs_buf *out, struct skrfs_error *err) {
    return skrfs_buf_append(out, blob->data, blob->len, err);
}

/* The hardware vouches for the attestation key of the report; the TPM must quote with that one
 * (CVE-2025-49707: an administrator could replace it). */
static int check_ak(struct skrfs_cvm *cvm, const struct skrfs_hcl *hcl,
        struct skrfs_evidence *evidence, struct skrfs_error *err) {
    struct skrfs_tpm_blob public;
    struct skrfs_tpm_rsa_public parsed;
    uint8_t modulus[256], vouched[256];
    if (skrfs_hcl_ak_modulus(hcl, vouched, err) < 0 ||
            skrfs_tpm_read_public(cvm->tpm, SKRFS_TPM_AK, &public, modulus, err) < 0 ||
            skrfs_tpm_public_parse((struct skrfs_bytes){public.data, public.len}, &parsed, err) < 0)
        return -1;
    if (memcmp(modulus, vouched, sizeof(modulus)) != 0)
        return skrfs_fail(err, SKRFS_CLASS_REJECTED,
                "the TPM's attestation key is not the one that the hardware report vouches for; a "
                "restart of the VM makes it anew");
    if (!(parsed.attributes & ATTRIBUTE_RESTRICTED) || !(parsed.attributes & ATTRIBUTE_SIGN))
        return skrfs_fail(err, SKRFS_CLASS_REJECTED,
                "the TPM's attestation key is not a restricted signing key");
    return put_blob(&public, &evidence->ak_public, err);
}

/* A machine with a report but without this index is a confidential VM that is still being set up.
 */
static int read_ak_cert(
        struct skrfs_cvm *cvm, struct skrfs_evidence *evidence, struct skrfs_error *err) {
    if (skrfs_tpm_nv_read(cvm->tpm, SKRFS_TPM_NV_AK_CERT, &evidence->ak_cert, err) < 0) {
        if (err->kind == SKRFS_CLASS_NO_TEE) {
            err->kind = SKRFS_CLASS_UNAVAILABLE;
            skrfs_fail_retryable(err, 0);
        }
        return skrfs_wrap(err, "the attestation key's certificate");
    }
    return skrfs_ak_cert_trim(&evidence->ak_cert, err);
}

/* 1 when the PCRs changed between reading and quoting. */
static int quote_once(struct skrfs_cvm *cvm, struct skrfs_evidence *evidence,
        struct skrfs_tpm_attestation *ret_quote, struct skrfs_error *err) {
    struct skrfs_attest attest;
    uint8_t digest[32];
    if (skrfs_tpm_pcr_read(cvm->tpm, evidence->pcrs, err) < 0 ||
            skrfs_tpm_quote(cvm->tpm, SKRFS_TPM_AK, ret_quote, err) < 0 ||
            skrfs_attest_parse((struct skrfs_bytes){ret_quote->attest.data, ret_quote->attest.len},
                    &attest, err) < 0 ||
            skrfs_hash(SKRFS_SHA256, evidence->pcrs, sizeof(evidence->pcrs), digest, err) < 0)
        return -1;
    if (attest.kind != SKRFS_ATTEST_QUOTE || !attest.pcrs_0_to_7_only)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the TPM did not quote PCR 0 to 7");
    return attest.digest_len == sizeof(digest) && memcmp(attest.digest, digest, 32) == 0 ? 0 : 1;
}

static int quote_pcrs(
        struct skrfs_cvm *cvm, struct skrfs_evidence *evidence, struct skrfs_error *err) {
    struct skrfs_tpm_attestation quote;
    int result = quote_once(cvm, evidence, &quote, err);
    for (unsigned i = 1; i < ATTEMPTS && result == 1; i++) {
        pause_shortly();
        result = quote_once(cvm, evidence, &quote, err);
    }
    if (result == 1) {
        skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE,
                "the boot measurements (PCR 0 to 7) keep changing while they are quoted");
        return skrfs_fail_retryable(err, 0);
    }
    if (result < 0 || put_blob(&quote.attest, &evidence->quote, err) < 0)
        return -1;
    return put_blob(&quote.signature, &evidence->quote_signature, err);
}

static int make_key(struct skrfs_cvm *cvm, const uint8_t unique[256],
        struct skrfs_evidence *evidence, struct skrfs_tee_key *key, struct skrfs_error *err) {
    struct skrfs_tpm_attestation certified;
    struct skrfs_tpm_rsa_public public;
    struct skrfs_attest attest;
    if (skrfs_tpm_ephemeral(
                cvm->tpm, SKRFS_TPM_AK, evidence->pcrs, unique, &key->tpm, &certified, err) < 0 ||
            skrfs_tpm_public_parse((struct skrfs_bytes){key->tpm.public.data, key->tpm.public.len},
                    &public, err) < 0 ||
            skrfs_attest_parse((struct skrfs_bytes){certified.attest.data, certified.attest.len},
                    &attest, err) < 0)
        return -1;
    if (attest.kind != SKRFS_ATTEST_CERTIFY || attest.name_len != sizeof(public.name) ||
            memcmp(attest.name, public.name, sizeof(public.name)) != 0)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "the TPM certified another key than the wrapping key");
    if (put_blob(&key->tpm.public, &evidence->key_public, err) < 0 ||
            put_blob(&certified.attest, &evidence->key_certify, err) < 0)
        return -1;
    return put_blob(&certified.signature, &evidence->key_certify_signature, err);
}

static const char *kind_name(enum skrfs_hcl_kind kind) {
    return kind == SKRFS_HCL_TDX ? "TDX" : "SEV-SNP";
}

static int collect_report(struct skrfs_cvm *cvm, struct skrfs_trace *trace,
        struct skrfs_evidence *evidence, struct skrfs_error *err) {
    struct skrfs_hcl hcl;
    size_t step = skrfs_trace_begin(trace, "read the hardware report");
    if (skrfs_cvm_read_report(cvm->tpm, &evidence->hcl_report, &hcl, err) < 0)
        return skrfs_trace_failed(trace, step, err);
    skrfs_trace_end(
            trace, step, "%s, %zu octets of claims, bound", kind_name(hcl.kind), hcl.claims.len);
    step = skrfs_trace_begin(trace, "check the attestation key");
    if (check_ak(cvm, &hcl, evidence, err) < 0)
        return skrfs_trace_failed(trace, step, err);
    skrfs_trace_end(trace, step, "the one that the report vouches for");
    step = skrfs_trace_begin(trace, "read the attestation key's certificate");
    if (read_ak_cert(cvm, evidence, err) < 0)
        return skrfs_trace_failed(trace, step, err);
    skrfs_trace_end(trace, step, "%zu octets", evidence->ak_cert.len);
    return 0;
}

int skrfs_cvm_collect(struct skrfs_cvm *cvm, const uint8_t unique[256], struct skrfs_trace *trace,
        struct skrfs_evidence *evidence, struct skrfs_tee_key *key, struct skrfs_error *err) {
    if (collect_report(cvm, trace, evidence, err) < 0)
        return -1;
    size_t step = skrfs_trace_begin(trace, "quote the boot measurements");
    if (quote_pcrs(cvm, evidence, err) < 0)
        return skrfs_trace_failed(trace, step, err);
    skrfs_trace_end(trace, step, "PCR 0 to 7");
    step = skrfs_trace_begin(trace, "make and certify the wrapping key");
    if (make_key(cvm, unique, evidence, key, err) < 0)
        return skrfs_trace_failed(trace, step, err);
    skrfs_trace_end(trace, step, "RSA-2048 in the TPM, bound to PCR 0 to 7");
    step = skrfs_trace_begin(trace, "add the measured boot log");
    if (skrfs_buf_append(&evidence->event_log, cvm->event_log.data, cvm->event_log.len, err) < 0)
        return skrfs_trace_failed(trace, step, err);
    skrfs_trace_end(trace, step, "%zu octets", evidence->event_log.len);
    return 0;
}
