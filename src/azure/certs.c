/* The certificate chain that verifies an SNP report, from the first of the configured sources whose
 * chain does: leaf for this chip and its REPORTED TCB. Whether the chain's root is AMD's is the
 * attestation service's question. */
#include "internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What every source that was tried had to say, for the one message. */
#define REASONS_MAX 400

struct search {
    struct skrfs_cloud *cloud;
    struct skrfs_bytes report;
    const struct skrfs_snp *snp;
    const struct skrfs_evidence *evidence; /* NULL: nothing was found on the machine */
    uint64_t deadline_ns;
    char reasons[REASONS_MAX];
};

int skrfs_certs_fit(struct skrfs_bytes report, struct skrfs_bytes pem, struct skrfs_error *err) {
    struct skrfs_snp snp;
    skrfs_autochain *chain = NULL;
    if (skrfs_snp_parse(report, &snp, err) < 0 ||
            skrfs_chain_from_pem((const char *)pem.data, pem.len, &chain, err) < 0 ||
            skrfs_snp_check_certificate(&snp, chain, err) < 0)
        return -1;
    return skrfs_snp_verify(report, chain, err);
}

static bool is_of(const struct kept_chain *kept, const struct skrfs_snp *snp) {
    return kept->pem.len > 0 && kept->reported_tcb == snp->reported_tcb &&
           memcmp(kept->chip_id, snp->chip_id, sizeof(kept->chip_id)) == 0;
}

static bool recall(struct skrfs_cloud *cloud, const struct skrfs_snp *snp, struct skrfs_buf *pem) {
    struct skrfs_error ignored;
    bool found = false;
    pthread_mutex_lock(&cloud->chains_lock);
    for (size_t i = 0; i < KEPT_CHAINS && !found; i++)
        found = is_of(&cloud->chains[i], snp) && skrfs_buf_append(pem, cloud->chains[i].pem.data,
                                                         cloud->chains[i].pem.len, &ignored) == 0;
    pthread_mutex_unlock(&cloud->chains_lock);
    return found;
}

static void remember(
        struct skrfs_cloud *cloud, const struct skrfs_snp *snp, const struct skrfs_buf *pem) {
    struct skrfs_error ignored;
    pthread_mutex_lock(&cloud->chains_lock);
    size_t place = 0;
    while (place < KEPT_CHAINS && !is_of(&cloud->chains[place], snp))
        place++;
    if (place == KEPT_CHAINS)
        place = cloud->chains_next++ % KEPT_CHAINS;
    struct kept_chain *kept = &cloud->chains[place];
    skrfs_buf_done(&kept->pem);
    memcpy(kept->chip_id, snp->chip_id, sizeof(kept->chip_id));
    kept->reported_tcb = snp->reported_tcb;
    /* Without memory for it the chain is looked for anew next time. */
    (void)(skrfs_buf_append(&kept->pem, pem->data, pem->len, &ignored) < 0);
    pthread_mutex_unlock(&cloud->chains_lock);
}

/* PEM, or one certificate's DER. */
static int file_pem(struct skrfs_bytes file, struct skrfs_buf *pem, struct skrfs_error *err) {
    static const char begin[] = "-----BEGIN";
    skrfs_autochain *chain = NULL;
    if (memmem(file.data, file.len, begin, strlen(begin)))
        return skrfs_buf_append(pem, file.data, file.len, err);
    if (skrfs_chain_from_der(&file, 1, &chain, err) < 0)
        return skrfs_wrap(err, "neither PEM nor a certificate's DER");
    return skrfs_chain_pem(chain, pem, err);
}

static int local_pem(const struct search *search, enum skrfs_cert_source source,
        struct skrfs_buf *pem, struct skrfs_error *err) {
    char tcbm[17];
    struct skrfs_bytes found = {0};
    if (search->evidence)
        found = skrfs_buf_bytes(&search->evidence->certificates[source]);
    if (found.len == 0)
        return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND, "none");
    if (source == SKRFS_CERTS_CONTEXT)
        return skrfs_thim_answer(found, pem, tcbm, err);
    if (source == SKRFS_CERTS_FILE)
        return file_pem(found, pem, err);
    if (skrfs_snp_table_pem(found, pem, err) < 0)
        return -1;
    return pem->len ? 0 : skrfs_fail(err, SKRFS_CLASS_NOT_FOUND, "none");
}

static int source_pem(const struct search *search, enum skrfs_cert_source source,
        struct skrfs_buf *pem, struct skrfs_error *err) {
    switch (source) {
    case SKRFS_CERTS_THIM:
        return skrfs_thim_fetch(
                search->cloud, search->report, search->snp, search->deadline_ns, pem, err);
    case SKRFS_CERTS_CACHE:
        return skrfs_cache_fetch(search->cloud, search->snp, search->deadline_ns, pem, err);
    case SKRFS_CERTS_KDS:
        return skrfs_kds_fetch(search->cloud, search->snp, search->deadline_ns, pem, err);
    case SKRFS_CERTS_CONTEXT:
    case SKRFS_CERTS_REPORT:
    case SKRFS_CERTS_FILE:
        return local_pem(search, source, pem, err);
    case SKRFS_CERTS_SOURCES:
    default:
        return skrfs_fail(err, SKRFS_CLASS_BUG, "there is no certificate source %d", (int)source);
    }
}

/* A leaf alone gets what AMD publishes above it: the service wants the whole chain. */
static int complete(const struct search *search, struct skrfs_buf *pem, struct skrfs_error *err) {
    skrfs_autochain *chain = NULL;
    if (skrfs_chain_from_pem((const char *)pem->data, pem->len, &chain, err) < 0)
        return -1;
    if (skrfs_chain_len(chain) > 1)
        return 0;
    return skrfs_kds_chain(search->cloud, search->snp, search->deadline_ns, pem, err);
}

static int try_source(const struct search *search, enum skrfs_cert_source source,
        struct skrfs_buf *pem, struct skrfs_error *err) {
    skrfs_buf_truncate(pem, 0);
    if (source_pem(search, source, pem, err) < 0 ||
            skrfs_certs_fit(search->report, skrfs_buf_bytes(pem), err) < 0)
        return -1;
    return complete(search, pem, err);
}

static void note(
        struct search *search, enum skrfs_cert_source source, const struct skrfs_error *failure) {
    size_t used = strlen(search->reasons);
    (void)snprintf(search->reasons + used, sizeof(search->reasons) - used, "%s%s: %.120s",
            used ? "; " : "", skrfs_cert_source_name(source), failure->message);
}

static int none_fits(const struct search *search, struct skrfs_error *err) {
    skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE,
            "no certificates fit this machine's report (reported TCB %016" PRIx64
            "): %s; after a firmware update this passes",
            search->snp->reported_tcb, search->reasons);
    err->errnum = ESTALE; /* a report asked for anew may fit */
    return skrfs_fail_retryable(err, 0);
}

static int find(struct search *search, const enum skrfs_cert_source *order, size_t count,
        struct skrfs_buf *pem, enum skrfs_cert_source *ret_source, struct skrfs_error *err) {
    for (size_t i = 0; i < count; i++) {
        struct skrfs_error failure;
        if (try_source(search, order[i], pem, &failure) == 0) {
            *ret_source = order[i];
            return 0;
        }
        if (failure.kind == SKRFS_CLASS_TIMEOUT || failure.kind == SKRFS_CLASS_NO_MEMORY) {
            *err = failure;
            return -1;
        }
        note(search, order[i], &failure);
    }
    return none_fits(search, err);
}

static int chain(struct search *search, const enum skrfs_cert_source *order, size_t count,
        struct skrfs_trace *trace, size_t step, struct skrfs_buf *ret_pem,
        struct skrfs_error *err) {
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    enum skrfs_cert_source source = SKRFS_CERTS_SOURCES;
    struct skrfs_error misfit;
    bool kept = recall(search->cloud, search->snp, &pem) &&
                skrfs_certs_fit(search->report, skrfs_buf_bytes(&pem), &misfit) == 0;
    if (!kept) {
        if (find(search, order, count, &pem, &source, err) < 0)
            return -1;
        remember(search->cloud, search->snp, &pem);
    }
    if (skrfs_buf_append(ret_pem, pem.data, pem.len, err) < 0)
        return -1;
    skrfs_trace_end(trace, step, "for TCB %016" PRIx64 ", %s", search->snp->reported_tcb,
            kept ? "kept from before" : skrfs_cert_source_name(source));
    return 0;
}

int skrfs_certs_chain(struct skrfs_cloud *cloud, struct skrfs_bytes report,
        const struct skrfs_evidence *evidence, uint64_t deadline_ns, struct skrfs_trace *trace,
        struct skrfs_buf *ret_pem, struct skrfs_error *err) {
    /* A confidential VM's report is the host's own: so are its certificates. */
    static const enum skrfs_cert_source host[] = {SKRFS_CERTS_THIM};
    struct skrfs_snp snp;
    struct search search = {.cloud = cloud,
            .report = report,
            .snp = &snp,
            .evidence = evidence,
            .deadline_ns = deadline_ns};
    size_t step = skrfs_trace_begin(trace, "get the chip's certificates");
    int result = skrfs_snp_parse(report, &snp, err);
    if (result == 0)
        result = chain(&search, evidence ? cloud->certs : host, evidence ? cloud->certs_count : 1,
                trace, step, ret_pem, err);
    return result < 0 ? skrfs_trace_failed(trace, step, err) : 0;
}
