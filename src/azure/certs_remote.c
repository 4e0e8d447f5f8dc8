/* Certificates of a chip from afar: Azure's cache of AMD's service, and that service itself (AMD
 * 57230, "VCEK certificate and KDS interface specification"). */
#include "internal.h"

#include <inttypes.h>
#include <string.h>

static int get(struct skrfs_cloud *cloud, const struct skrfs_buf *url, enum retry_of retry_of,
        uint64_t deadline_ns, const char *what, struct skrfs_http_answer *ret_answer,
        struct skrfs_error *err) {
    const struct skrfs_http_retry retry = skrfs_retry(retry_of);
    const struct skrfs_http_request request = {
            .method = "GET",
            .url = skrfs_buf_text(url),
            .answer_max = SMALL_ANSWER_MAX,
            .deadline_ns = deadline_ns,
    };
    if (skrfs_http_send(cloud->http, &request, &retry, ret_answer, err) < 0)
        return skrfs_wrap(err, "%s", what);
    if (ret_answer->status != 200)
        return skrfs_refusal_fail(ret_answer, skrfs_status_class(ret_answer->status), err,
                "%s gives no certificates", what);
    return 0;
}

/* The document is THIM's; PEM as it is is taken too, since no specification says which. */
int skrfs_cache_answer(struct skrfs_bytes body, struct skrfs_buf *pem, struct skrfs_error *err) {
    char tcbm[17];
    if (body.len > 0 && body.data[0] == '{')
        return skrfs_thim_answer(body, pem, tcbm, err);
    return skrfs_buf_append(pem, body.data, body.len, err);
}

int skrfs_cache_fetch(struct skrfs_cloud *cloud, const struct skrfs_snp *snp, uint64_t deadline_ns,
        struct skrfs_buf *pem, struct skrfs_error *err) {
    char chip[2 * sizeof(snp->chip_id) + 1];
    skrfs_autobuf url = SKRFS_BUF(URL_MAX);
    skrfs_autoanswer answer = {0};
    if (snp->signer != SKRFS_SNP_VCEK)
        return skrfs_fail(
                err, SKRFS_CLASS_NOT_FOUND, "it has no certificates of loaded keys (VLEK)");
    skrfs_hex_encode(snp->chip_id, sizeof(snp->chip_id), chip);
    if (skrfs_buf_printf(&url, err,
                "%s/SevSnpVM/certificates/%s/%" PRIx64 "?api-version=" CACHE_API_VERSION
                "&clientId=skrfs",
                cloud->cache, chip, snp->reported_tcb) < 0 ||
            get(cloud, &url, RETRY_SERVICE, deadline_ns, "Azure's certificate cache", &answer,
                    err) < 0)
        return -1;
    return skrfs_cache_answer(skrfs_buf_bytes(&answer.body), pem, err);
}

static const char *product_name(enum skrfs_snp_product product) {
    static const char *const names[] = {
            [SKRFS_SNP_MILAN] = "Milan",
            [SKRFS_SNP_GENOA] = "Genoa",
            [SKRFS_SNP_TURIN] = "Turin",
    };
    return names[product];
}

/* The address of a chip's certificate for its reported TCB: Turin's chips have a name of 8 octets,
 * and one firmware part more. */
int skrfs_kds_path(const struct skrfs_snp *snp, struct skrfs_buf *out, struct skrfs_error *err) {
    char chip[2 * sizeof(snp->chip_id) + 1];
    struct skrfs_snp_tcb tcb;
    bool turin = snp->product == SKRFS_SNP_TURIN;
    skrfs_snp_tcb_split(snp->product, snp->reported_tcb, &tcb);
    skrfs_hex_encode(snp->chip_id, turin ? 8 : sizeof(snp->chip_id), chip);
    if (skrfs_buf_printf(out, err, "/vcek/v1/%s/%s?", product_name(snp->product), chip) < 0 ||
            (turin && skrfs_buf_printf(out, err, "fmcSPL=%u&", tcb.fmc) < 0))
        return -1;
    return skrfs_buf_printf(out, err, "blSPL=%u&teeSPL=%u&snpSPL=%u&ucodeSPL=%u", tcb.bootloader,
            tcb.tee, tcb.snp, tcb.microcode);
}

int skrfs_kds_chain(struct skrfs_cloud *cloud, const struct skrfs_snp *snp, uint64_t deadline_ns,
        struct skrfs_buf *pem, struct skrfs_error *err) {
    skrfs_autobuf url = SKRFS_BUF(URL_MAX);
    skrfs_autoanswer answer = {0};
    if (skrfs_buf_printf(&url, err, "%s/%s/v1/%s/cert_chain", cloud->kds,
                snp->signer == SKRFS_SNP_VLEK ? "vlek" : "vcek", product_name(snp->product)) < 0 ||
            get(cloud, &url, RETRY_AMD, deadline_ns, "AMD's key distribution service", &answer,
                    err) < 0)
        return -1;
    return skrfs_buf_append(pem, answer.body.data, answer.body.len, err);
}

int skrfs_kds_fetch(struct skrfs_cloud *cloud, const struct skrfs_snp *snp, uint64_t deadline_ns,
        struct skrfs_buf *pem, struct skrfs_error *err) {
    skrfs_autobuf url = SKRFS_BUF(URL_MAX);
    skrfs_autoanswer answer = {0};
    skrfs_autochain *leaf = NULL;
    if (snp->signer != SKRFS_SNP_VCEK)
        return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND,
                "AMD gives certificates of loaded keys (VLEK) to the cloud's owner alone");
    if (skrfs_buf_printf(&url, err, "%s", cloud->kds) < 0 || skrfs_kds_path(snp, &url, err) < 0 ||
            get(cloud, &url, RETRY_AMD, deadline_ns, "AMD's key distribution service", &answer,
                    err) < 0)
        return -1;
    const struct skrfs_bytes der = skrfs_buf_bytes(&answer.body);
    if (skrfs_chain_from_der(&der, 1, &leaf, err) < 0)
        return skrfs_wrap(err, "AMD's key distribution service");
    return skrfs_chain_pem(leaf, pem, err);
}
