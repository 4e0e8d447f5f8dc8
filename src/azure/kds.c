/* AMD's key distribution service (AMD 57230, "VCEK certificate and KDS interface specification"):
 * one service for the whole world, which shuts out who asks often. It is asked for one thing at a
 * time, once, and after a refusal left alone for a while. */
#include "internal.h"

#include <string.h>

#define REFUSED_REST_NS (60 * SKRFS_SECOND_NS)
#define UNREACHED_REST_NS (10 * SKRFS_SECOND_NS)

enum { TURIN_CHIP_ID_LEN = 8 };

static const char what[] = "AMD's key distribution service";

static const char *product_name(enum skrfs_snp_product product) {
    static const char *const names[] = {
            [SKRFS_SNP_MILAN] = "Milan",
            [SKRFS_SNP_GENOA] = "Genoa",
            [SKRFS_SNP_TURIN] = "Turin",
    };
    return names[product];
}

/* Leave to ask, for this request alone. */
static int claim(struct skrfs_cloud *cloud, struct skrfs_error *err) {
    uint64_t now = skrfs_now_ns();
    pthread_mutex_lock(&cloud->chains_lock);
    uint64_t until = cloud->kds_rests_until_ns;
    if (until <= now)
        cloud->kds_rests_until_ns = now + REFUSED_REST_NS;
    pthread_mutex_unlock(&cloud->chains_lock);
    if (until <= now)
        return 0;
    skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "%s is not asked again for %llu s", what,
            (unsigned long long)((until - now + SKRFS_SECOND_NS - 1) / SKRFS_SECOND_NS));
    return skrfs_fail_retryable(err, until);
}

/* `until_ns` 0: it may be asked at once. */
static void rest(struct skrfs_cloud *cloud, uint64_t until_ns) {
    pthread_mutex_lock(&cloud->chains_lock);
    cloud->kds_rests_until_ns = until_ns;
    pthread_mutex_unlock(&cloud->chains_lock);
}

static int get(struct skrfs_cloud *cloud, const char *url, uint64_t deadline_ns,
        struct skrfs_http_answer *answer, struct skrfs_error *err) {
    const struct skrfs_http_request request = {
            .method = "GET",
            .url = url,
            .answer_max = SMALL_ANSWER_MAX,
            .deadline_ns = deadline_ns,
    };
    if (claim(cloud, err) < 0)
        return -1;
    int result = skrfs_http_send(cloud->http, &request, NULL, answer, err);
    uint64_t now = skrfs_now_ns();
    if (result < 0) {
        rest(cloud, now + UNREACHED_REST_NS);
        return skrfs_wrap(err, "%s", what);
    }
    if (answer->status == 200) {
        rest(cloud, 0);
        return 0;
    }
    uint64_t until = now + REFUSED_REST_NS;
    rest(cloud, answer->retry_at_ns > until ? answer->retry_at_ns : until);
    return skrfs_refusal_fail(
            answer, skrfs_status_class(answer->status), err, "%s gives no certificate", what);
}

static int append_origin(
        const struct skrfs_cloud *cloud, struct skrfs_buf *url, struct skrfs_error *err) {
    size_t len = strlen(cloud->kds);
    while (len > 0 && cloud->kds[len - 1] == '/')
        len--;
    return skrfs_buf_append(url, cloud->kds, len, err);
}

int skrfs_kds_path(const struct skrfs_snp *snp, struct skrfs_buf *out, struct skrfs_error *err) {
    char chip[2 * sizeof(snp->chip_id) + 1];
    struct skrfs_snp_tcb tcb;
    bool turin = snp->product == SKRFS_SNP_TURIN;
    skrfs_snp_tcb_split(snp->product, snp->reported_tcb, &tcb);
    /* Turin's chips have a name of 8 octets, and one firmware part more. */
    skrfs_hex_encode(snp->chip_id, turin ? TURIN_CHIP_ID_LEN : sizeof(snp->chip_id), chip);
    if (skrfs_buf_printf(out, err, "/vcek/v1/%s/%s?", product_name(snp->product), chip) < 0 ||
            (turin && skrfs_buf_printf(out, err, "fmcSPL=%u&", tcb.fmc) < 0))
        return -1;
    return skrfs_buf_printf(out, err, "blSPL=%u&teeSPL=%u&snpSPL=%u&ucodeSPL=%u", tcb.bootloader,
            tcb.tee, tcb.snp, tcb.microcode);
}

/* What AMD publishes above the leaves of a product is the same for all of its chips. */
static struct skrfs_buf *issuers_of(struct skrfs_cloud *cloud, const struct skrfs_snp *snp) {
    return &cloud->issuers[snp->product][snp->signer == SKRFS_SNP_VLEK];
}

/* 1 when there were some. */
static int recall(struct skrfs_cloud *cloud, const struct skrfs_snp *snp, struct skrfs_buf *pem,
        struct skrfs_error *err) {
    pthread_mutex_lock(&cloud->chains_lock);
    const struct skrfs_buf *kept = issuers_of(cloud, snp);
    int result = kept->len > 0;
    if (result && skrfs_buf_append(pem, kept->data, kept->len, err) < 0)
        result = -1;
    pthread_mutex_unlock(&cloud->chains_lock);
    return result;
}

/* Only what turned out to be good is kept. */
void skrfs_kds_keep_issuers(
        struct skrfs_cloud *cloud, const struct skrfs_snp *snp, struct skrfs_bytes pem) {
    struct skrfs_error ignored;
    pthread_mutex_lock(&cloud->chains_lock);
    struct skrfs_buf *kept = issuers_of(cloud, snp);
    if (kept->len == 0)
        (void)(skrfs_buf_append(kept, pem.data, pem.len, &ignored) < 0);
    pthread_mutex_unlock(&cloud->chains_lock);
}

int skrfs_kds_issuers(struct skrfs_cloud *cloud, const struct skrfs_snp *snp, uint64_t deadline_ns,
        struct skrfs_buf *pem, struct skrfs_error *err) {
    skrfs_autobuf url = SKRFS_BUF(URL_MAX);
    skrfs_autoanswer answer = {0};
    int known = recall(cloud, snp, pem, err);
    if (known != 0)
        return known < 0 ? -1 : 0;
    if (append_origin(cloud, &url, err) < 0 ||
            skrfs_buf_printf(&url, err, "/%s/v1/%s/cert_chain",
                    snp->signer == SKRFS_SNP_VLEK ? "vlek" : "vcek",
                    product_name(snp->product)) < 0 ||
            get(cloud, skrfs_buf_text(&url), deadline_ns, &answer, err) < 0)
        return -1;
    return skrfs_buf_append(pem, answer.body.data, answer.body.len, err);
}

int skrfs_kds_fetch(struct skrfs_cloud *cloud, const struct skrfs_snp *snp, uint64_t deadline_ns,
        struct skrfs_buf *pem, struct skrfs_error *err) {
    skrfs_autobuf url = SKRFS_BUF(URL_MAX);
    skrfs_autoanswer answer = {0};
    skrfs_autochain *leaf = NULL;
    if (skrfs_certs_by_chip(snp, err) < 0 || append_origin(cloud, &url, err) < 0 ||
            skrfs_kds_path(snp, &url, err) < 0 ||
            get(cloud, skrfs_buf_text(&url), deadline_ns, &answer, err) < 0)
        return -1;
    const struct skrfs_bytes der = skrfs_buf_bytes(&answer.body);
    if (skrfs_chain_from_der(&der, 1, &leaf, err) < 0)
        return skrfs_wrap(err, "%s", what);
    return skrfs_chain_pem(leaf, pem, err);
}
