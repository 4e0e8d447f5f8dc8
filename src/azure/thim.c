/* The certificate chain of the chip's endorsement key, from the host through the metadata service
 * (THIM). */
#include "internal.h"

#include <errno.h>
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

/* `exact` names chip and TCB, against an answer that the host kept from before a firmware update.
 */
static int fetch(struct skrfs_cloud *cloud, const struct skrfs_snp *snp, bool exact,
        uint64_t deadline_ns, struct skrfs_buf *pem, char tcbm[17], struct skrfs_error *err) {
    const struct skrfs_http_retry retry = skrfs_retry(exact ? RETRY_HOST_ONCE : RETRY_HOST);
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

int skrfs_thim_fetch(struct skrfs_cloud *cloud, struct skrfs_bytes report,
        const struct skrfs_snp *snp, uint64_t deadline_ns, struct skrfs_buf *pem,
        struct skrfs_error *err) {
    char tcbm[17] = "?", why[200] = "";
    struct skrfs_error misfit;
    int named = skrfs_certs_by_chip(snp, &misfit) == 0;
    for (int exact = 0; exact <= named; exact++) {
        skrfs_buf_truncate(pem, 0);
        if (fetch(cloud, snp, exact, deadline_ns, pem, tcbm, err) < 0) {
            if (!exact)
                return -1;
            break; /* hosts differ in whether they know the query; the first answer says more */
        }
        if (skrfs_certs_fit(report, skrfs_buf_bytes(pem), &misfit) == 0)
            return 0;
        snprintf(why, sizeof(why), "%.190s", misfit.message);
    }
    skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "the host's certificates (TCB %s) do not fit: %s",
            tcbm, why);
    err->errnum = ESTALE; /* either is from before a firmware update: a new report may fit */
    return skrfs_fail_retryable(err, 0);
}
