/* Azure's cache of AMD's certificates (global.acccache.azure.net), as Microsoft's side-car for
 * confidential containers asks it (github.com/microsoft/confidential-sidecar-containers,
 * pkg/attest: the TCB without leading zeros, an answer in PEM). It has no published specification.
 */
#include "internal.h"

#include <inttypes.h>
#include <string.h>

#define CACHE_API_VERSION "2020-10-15-preview"

static const char what[] = "Azure's certificate cache";

int skrfs_cache_answer(struct skrfs_bytes body, struct skrfs_buf *pem, struct skrfs_error *err) {
    char tcbm[17];
    if (body.len > 0 && body.data[0] == '{')
        return skrfs_thim_answer(body, pem, tcbm, err);
    return skrfs_buf_append(pem, body.data, body.len, err);
}

static int append_url(const struct skrfs_cloud *cloud, const struct skrfs_snp *snp,
        struct skrfs_buf *url, struct skrfs_error *err) {
    char chip[2 * sizeof(snp->chip_id) + 1];
    size_t len = strlen(cloud->cache);
    while (len > 0 && cloud->cache[len - 1] == '/')
        len--;
    skrfs_hex_encode(snp->chip_id, sizeof(snp->chip_id), chip);
    if (skrfs_buf_append(url, cloud->cache, len, err) < 0)
        return -1;
    return skrfs_buf_printf(url, err,
            "/SevSnpVM/certificates/%s/%" PRIx64 "?api-version=" CACHE_API_VERSION
            "&clientId=skrfs",
            chip, snp->reported_tcb);
}

int skrfs_cache_fetch(struct skrfs_cloud *cloud, const struct skrfs_snp *snp, uint64_t deadline_ns,
        struct skrfs_buf *pem, struct skrfs_error *err) {
    const struct skrfs_http_retry retry = skrfs_retry(RETRY_CACHE);
    skrfs_autobuf url = SKRFS_BUF(URL_MAX);
    skrfs_autoanswer answer = {0};
    if (skrfs_certs_by_chip(snp, err) < 0 || append_url(cloud, snp, &url, err) < 0)
        return -1;
    const struct skrfs_http_request request = {
            .method = "GET",
            .url = skrfs_buf_text(&url),
            .answer_max = SMALL_ANSWER_MAX,
            .deadline_ns = deadline_ns,
    };
    if (skrfs_http_send(cloud->http, &request, &retry, &answer, err) < 0)
        return skrfs_wrap(err, "%s", what);
    if (answer.status != 200)
        return skrfs_refusal_fail(
                &answer, skrfs_status_class(answer.status), err, "%s gives no certificates", what);
    if (skrfs_cache_answer(skrfs_buf_bytes(&answer.body), pem, err) < 0)
        return skrfs_wrap(err, "%s", what);
    return 0;
}
