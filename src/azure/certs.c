/* The certificate chain that verifies an SNP report, from the first of the configured sources whose
 * chain does: leaf for this chip and its REPORTED TCB. Whether the chain's root is AMD's is the
 * attestation service's question. */
#include "internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What every source that was tried had to say, for the one message. */
#define REASONS_MAX 760
#define REASON_MAX 150

struct search {
    struct skrfs_cloud *cloud;
    struct skrfs_bytes report;
    const struct skrfs_snp *snp;
    const struct skrfs_evidence *evidence; /* NULL: nothing was found on the machine */
    const enum skrfs_cert_source *order;
    size_t count;
    uint64_t deadline_ns;
    char reasons[REASONS_MAX];
    bool stale;             /* a source has certificates of another TCB than the report's */
    bool retryable;         /* asking again makes sense for at least one source, */
    uint64_t not_before_ns; /* and not before then for any */
};

static int fits(struct skrfs_bytes report, const struct skrfs_snp *snp,
        const struct skrfs_chain *chain, struct skrfs_error *err) {
    if (skrfs_snp_check_certificate(snp, chain, err) < 0)
        return -1;
    return skrfs_snp_verify(report, chain, err);
}

int skrfs_certs_fit(struct skrfs_bytes report, struct skrfs_bytes pem, struct skrfs_error *err) {
    struct skrfs_snp snp;
    skrfs_autochain *chain = NULL;
    if (skrfs_snp_parse(report, &snp, err) < 0 ||
            skrfs_chain_from_pem((const char *)pem.data, pem.len, &chain, err) < 0)
        return -1;
    return fits(report, &snp, chain, err);
}

int skrfs_certs_by_chip(const struct skrfs_snp *snp, struct skrfs_error *err) {
    static const uint8_t masked[sizeof(snp->chip_id)] = {0};
    if (snp->signer == SKRFS_SNP_VLEK)
        return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND,
                "the report is signed by a loaded key (VLEK), whose certificate the host alone "
                "has");
    if (memcmp(snp->chip_id, masked, sizeof(masked)) == 0)
        return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND, "the report does not name its chip");
    return 0;
}

static bool is_of(const struct kept_chain *kept, const struct skrfs_snp *snp) {
    return kept->pem.len > 0 && kept->signer == snp->signer &&
           kept->reported_tcb == snp->reported_tcb &&
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
    kept->signer = snp->signer;
    kept->reported_tcb = snp->reported_tcb;
    /* Without memory for it the chain is looked for anew next time. */
    (void)(skrfs_buf_append(&kept->pem, pem->data, pem->len, &ignored) < 0);
    pthread_mutex_unlock(&cloud->chains_lock);
}

static int source_pem(const struct search *search, enum skrfs_cert_source source,
        uint64_t deadline_ns, struct skrfs_buf *pem, struct skrfs_error *err) {
    struct skrfs_bytes found = {0};
    switch (source) {
    case SKRFS_CERTS_THIM:
        return skrfs_thim_fetch(search->cloud, search->report, search->snp, deadline_ns, pem, err);
    case SKRFS_CERTS_CACHE:
        return skrfs_cache_fetch(search->cloud, search->snp, deadline_ns, pem, err);
    case SKRFS_CERTS_KDS:
        return skrfs_kds_fetch(search->cloud, search->snp, deadline_ns, pem, err);
    default:
        if (search->evidence && source < SKRFS_CERTS_LOCAL)
            found = skrfs_buf_bytes(&search->evidence->certificates[source]);
        return skrfs_certs_local(source, found, pem, err);
    }
}

static bool may_ask_amd(const struct search *search) {
    for (size_t i = 0; i < search->count; i++)
        if (search->order[i] == SKRFS_CERTS_KDS)
            return true;
    return false;
}

/* Puts what AMD publishes above it behind a leaf that came alone. */
static int add_issuers(const struct search *search, const struct skrfs_chain *leaf,
        uint64_t deadline_ns, struct skrfs_buf *pem, struct skrfs_error *err) {
    skrfs_autochain *whole = NULL;
    skrfs_autobuf issuers = SKRFS_BUF(SKRFS_PEM_MAX);
    if (!may_ask_amd(search))
        return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND,
                "the leaf fits, what is above it is missing, and 'kds' is not among the sources");
    skrfs_buf_truncate(pem, 0);
    if (skrfs_kds_issuers(search->cloud, search->snp, deadline_ns, &issuers, err) < 0 ||
            skrfs_chain_pem(leaf, pem, err) < 0 ||
            skrfs_buf_append(pem, issuers.data, issuers.len, err) < 0 ||
            skrfs_chain_from_pem(skrfs_buf_text(pem), pem->len, &whole, err) < 0 ||
            skrfs_chain_verify_links(whole, err) < 0)
        return -1;
    skrfs_kds_keep_issuers(search->cloud, search->snp, skrfs_buf_bytes(&issuers));
    return 0;
}

/* The service wants the whole chain, up to the root. */
static int try_source(const struct search *search, enum skrfs_cert_source source,
        uint64_t deadline_ns, struct skrfs_buf *pem, struct skrfs_error *err) {
    skrfs_autochain *chain = NULL;
    skrfs_buf_truncate(pem, 0);
    if (source_pem(search, source, deadline_ns, pem, err) < 0 ||
            skrfs_chain_from_pem(skrfs_buf_text(pem), pem->len, &chain, err) < 0 ||
            fits(search->report, search->snp, chain, err) < 0)
        return -1;
    if (skrfs_chain_len(chain) == 1)
        return add_issuers(search, chain, deadline_ns, pem, err);
    return skrfs_chain_verify_links(chain, err);
}

static void note(
        struct search *search, enum skrfs_cert_source source, const struct skrfs_error *failure) {
    size_t used = strlen(search->reasons);
    (void)snprintf(search->reasons + used, sizeof(search->reasons) - used, "%s%s: %.*s",
            used ? "; " : "", skrfs_cert_source_name(source), REASON_MAX, failure->message);
    search->stale |= failure->errnum == ESTALE;
    if (!failure->retryable)
        return;
    if (!search->retryable || failure->not_before_ns < search->not_before_ns)
        search->not_before_ns = failure->not_before_ns;
    search->retryable = true;
}

static int none_fits(const struct search *search, struct skrfs_error *err) {
    bool late = skrfs_until_ns(search->deadline_ns) == 0;
    skrfs_fail(err, late ? SKRFS_CLASS_TIMEOUT : SKRFS_CLASS_UNAVAILABLE,
            "no certificates fit this machine's report (TCB %016" PRIx64 "): %s%s%s",
            search->snp->reported_tcb, search->reasons, late ? "; the deadline passed" : "",
            search->stale ? "; after a firmware update this passes" : "");
    if (search->stale)
        err->errnum = ESTALE;
    return skrfs_fail_retryable(err, search->not_before_ns);
}

/* Its share of the time that is left, so that one that does not answer leaves some to the next. */
static uint64_t share(uint64_t deadline_ns, size_t sources_left) {
    uint64_t now = skrfs_now_ns();
    return now < deadline_ns && sources_left > 1 ? now + (deadline_ns - now) / sources_left
                                                 : deadline_ns;
}

static bool is_asked_afar(enum skrfs_cert_source source) {
    return source >= SKRFS_CERTS_LOCAL;
}

static size_t asked_afar(const struct search *search, size_t from) {
    size_t count = 0;
    for (size_t i = from; i < search->count; i++)
        count += is_asked_afar(search->order[i]);
    return count;
}

static int find(struct search *search, struct skrfs_buf *pem, enum skrfs_cert_source *ret_source,
        struct skrfs_error *err) {
    for (size_t i = 0; i < search->count; i++) {
        struct skrfs_error failure;
        enum skrfs_cert_source source = search->order[i];
        uint64_t deadline_ns = share(search->deadline_ns, asked_afar(search, i));
        if (try_source(search, source, deadline_ns, pem, &failure) == 0) {
            *ret_source = source;
            return 0;
        }
        if (failure.kind == SKRFS_CLASS_NO_MEMORY) {
            *err = failure;
            return -1;
        }
        note(search, source, &failure);
    }
    return none_fits(search, err);
}

static int get_chain(struct search *search, struct skrfs_trace *trace, size_t step,
        struct skrfs_buf *ret_pem, struct skrfs_error *err) {
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    enum skrfs_cert_source source = SKRFS_CERTS_SOURCES;
    struct skrfs_error misfit;
    bool kept = recall(search->cloud, search->snp, &pem) &&
                skrfs_certs_fit(search->report, skrfs_buf_bytes(&pem), &misfit) == 0;
    if (!kept) {
        if (find(search, &pem, &source, err) < 0)
            return -1;
        remember(search->cloud, search->snp, &pem);
    }
    if (skrfs_buf_append(ret_pem, pem.data, pem.len, err) < 0)
        return -1;
    skrfs_trace_end(trace, step, "for TCB %016" PRIx64 ", %s%s", search->snp->reported_tcb,
            kept ? "kept from before" : "from ", kept ? "" : skrfs_cert_source_name(source));
    return 0;
}

int skrfs_certs_chain(struct skrfs_cloud *cloud, struct skrfs_bytes report,
        const struct skrfs_evidence *evidence, uint64_t deadline_ns, struct skrfs_trace *trace,
        struct skrfs_buf *ret_pem, struct skrfs_error *err) {
    /* A confidential VM's report is the host's own: so are its certificates. */
    static const enum skrfs_cert_source host[] = {SKRFS_CERTS_THIM};
    struct skrfs_snp snp;
    struct search search = {
            .cloud = cloud,
            .report = report,
            .snp = &snp,
            .evidence = evidence,
            .order = evidence ? cloud->certs : host,
            .count = evidence ? cloud->certs_count : SKRFS_ARRAY_LEN(host),
            .deadline_ns = deadline_ns,
    };
    size_t step = skrfs_trace_begin(trace, "get the chip's certificates");
    if (skrfs_snp_parse(report, &snp, err) < 0 || get_chain(&search, trace, step, ret_pem, err) < 0)
        return skrfs_trace_failed(trace, step, err);
    return 0;
}
