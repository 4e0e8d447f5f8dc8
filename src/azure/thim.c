/* The certificate chain of the chip's endorsement key, from the host through the metadata service
 * (THIM). Whether its root is AMD's is the attestation service's question; here it must fit the
 * report. */
#include "internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int skrfs_thim_answer(struct skrfs_bytes body, struct skrfs_buf *pem, char ret_tcbm[17],
        struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    const char *leaf = NULL, *chain = NULL, *tcbm = NULL;
    if (skrfs_json_parse((const char *)body.data, body.len, SMALL_ANSWER_MAX, &json, err) < 0 ||
            skrfs_json_need_string(json, "vcekCert", &leaf, err) < 0 ||
            skrfs_json_need_string(json, "certificateChain", &chain, err) < 0 ||
            skrfs_json_want_string(json, "tcbm", &tcbm, err) < 0)
        return -1;
    size_t len = strlen(leaf);
    if (skrfs_buf_append(pem, leaf, len, err) < 0 ||
            (len > 0 && leaf[len - 1] != '\n' && skrfs_buf_append_text(pem, "\n", err) < 0) ||
            skrfs_buf_append_text(pem, chain, err) < 0)
        return -1;
    skrfs_text_clean(tcbm ? tcbm : "?", tcbm ? strlen(tcbm) : 1, ret_tcbm, 17);
    return 0;
}

int skrfs_thim_fits(struct skrfs_bytes report, struct skrfs_bytes pem, struct skrfs_error *err) {
    struct skrfs_snp snp;
    skrfs_autochain *chain = NULL;
    if (skrfs_snp_parse(report, &snp, err) < 0 ||
            skrfs_chain_from_pem((const char *)pem.data, pem.len, &chain, err) < 0 ||
            skrfs_snp_check_certificate(&snp, chain, err) < 0)
        return -1;
    return skrfs_snp_verify(report, chain, err);
}

static bool is_entry_of(const struct thim_entry *entry, const struct skrfs_snp *snp) {
    return entry->pem.len > 0 && entry->reported_tcb == snp->reported_tcb &&
           memcmp(entry->chip_id, snp->chip_id, sizeof(entry->chip_id)) == 0;
}

static bool recall(struct skrfs_cloud *cloud, const struct skrfs_snp *snp, struct skrfs_buf *pem) {
    struct skrfs_error ignored;
    bool found = false;
    pthread_mutex_lock(&cloud->thim_lock);
    for (size_t i = 0; i < THIM_ENTRIES && !found; i++)
        found = is_entry_of(&cloud->thim[i], snp) && skrfs_buf_append(pem, cloud->thim[i].pem.data,
                                                             cloud->thim[i].pem.len, &ignored) == 0;
    pthread_mutex_unlock(&cloud->thim_lock);
    return found;
}

static void remember(
        struct skrfs_cloud *cloud, const struct skrfs_snp *snp, const struct skrfs_buf *pem) {
    struct skrfs_error ignored;
    pthread_mutex_lock(&cloud->thim_lock);
    size_t place = 0;
    while (place < THIM_ENTRIES && !is_entry_of(&cloud->thim[place], snp))
        place++;
    if (place == THIM_ENTRIES)
        place = cloud->thim_next++ % THIM_ENTRIES;
    struct thim_entry *entry = &cloud->thim[place];
    skrfs_buf_done(&entry->pem);
    memcpy(entry->chip_id, snp->chip_id, sizeof(entry->chip_id));
    entry->reported_tcb = snp->reported_tcb;
    /* Without memory for it the chain is fetched anew next time. */
    (void)(skrfs_buf_append(&entry->pem, pem->data, pem->len, &ignored) < 0);
    pthread_mutex_unlock(&cloud->thim_lock);
}

/* `exact` names chip and TCB, against an answer that the host kept from before a firmware update.
 */
static int fetch(struct skrfs_cloud *cloud, const struct skrfs_snp *snp, bool exact,
        uint64_t deadline_ns, struct skrfs_buf *pem, char tcbm[17], struct skrfs_error *err) {
    static const long statuses[] = {404, 408, 410, 429, 0};
    const struct skrfs_http_retry retry = {
            .attempts = exact ? 2 : 5,
            .base_ns = SKRFS_SECOND_NS,
            .max_ns = 8 * SKRFS_SECOND_NS,
            .statuses = statuses,
            .transport = true,
    };
    char chip[2 * sizeof(snp->chip_id) + 1];
    skrfs_hex_encode(snp->chip_id, sizeof(snp->chip_id), chip);
    skrfs_autobuf url = SKRFS_BUF(URL_MAX);
    if (skrfs_buf_printf(&url, err, "%s/metadata/THIM/amd/certification", cloud->imds) < 0 ||
            (exact && skrfs_buf_printf(&url, err, "?platformId=%s&tcbVersion=%016" PRIx64, chip,
                              snp->reported_tcb) < 0))
        return -1;
    const struct skrfs_http_request request = {
            .method = "GET",
            .url = skrfs_buf_text(&url),
            .answer_max = SMALL_ANSWER_MAX,
            .deadline_ns = deadline_ns,
            .plain = true,
    };
    skrfs_autoanswer answer = {0};
    if (skrfs_http_send(cloud->http, &request, &retry, &answer, err) < 0)
        return skrfs_wrap(err, "the host gives no certificates of its chip");
    if (answer.status != 200)
        return skrfs_refusal_fail(&answer, SKRFS_CLASS_UNAVAILABLE, err,
                "the host gives no certificates of its chip");
    if (skrfs_thim_answer(skrfs_buf_bytes(&answer.body), pem, tcbm, err) < 0)
        return skrfs_wrap(err, "the certificates of the host's chip");
    return 0;
}

static int fetch_fitting(struct skrfs_cloud *cloud, struct skrfs_bytes report,
        const struct skrfs_snp *snp, uint64_t deadline_ns, struct skrfs_buf *pem,
        struct skrfs_error *err) {
    char tcbm[17] = "?", why[200] = "";
    for (int exact = 0; exact <= 1; exact++) {
        struct skrfs_error misfit;
        skrfs_buf_truncate(pem, 0);
        if (fetch(cloud, snp, exact, deadline_ns, pem, tcbm, err) < 0) {
            if (!exact)
                return -1;
            break; /* hosts differ in whether they know the query; the first answer says more */
        }
        if (skrfs_thim_fits(report, skrfs_buf_bytes(pem), &misfit) == 0)
            return 0;
        snprintf(why, sizeof(why), "%.190s", misfit.message);
    }
    skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE,
            "the host's certificates (TCB %s) do not fit this machine's report (TCB %016" PRIx64
            "): %s; after a firmware update this passes",
            tcbm, snp->reported_tcb, why);
    return skrfs_fail_retryable(err, 0);
}

int skrfs_thim_chain(struct skrfs_cloud *cloud, struct skrfs_bytes report, uint64_t deadline_ns,
        struct skrfs_trace *trace, struct skrfs_buf *ret_pem, struct skrfs_error *err) {
    size_t step = skrfs_trace_begin(trace, "get the chip's certificates");
    struct skrfs_snp snp;
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    if (skrfs_snp_parse(report, &snp, err) < 0)
        return skrfs_trace_failed(trace, step, err);
    struct skrfs_error misfit;
    bool kept = recall(cloud, &snp, &pem) &&
                skrfs_thim_fits(report, skrfs_buf_bytes(&pem), &misfit) == 0;
    if (!kept) {
        if (fetch_fitting(cloud, report, &snp, deadline_ns, &pem, err) < 0)
            return skrfs_trace_failed(trace, step, err);
        remember(cloud, &snp, &pem);
    }
    if (skrfs_buf_append(ret_pem, pem.data, pem.len, err) < 0)
        return skrfs_trace_failed(trace, step, err);
    skrfs_trace_end(trace, step, "for TCB %016" PRIx64 "%s", snp.reported_tcb,
            kept ? ", kept from before" : "");
    return 0;
}
