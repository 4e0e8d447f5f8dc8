/* Searches for certificates of captured SNP reports, on a server of the test's own. */
#ifndef SKRFS_TESTS_AZURE_CERTS_H
#define SKRFS_TESTS_AZURE_CERTS_H

#include "server.h"
#include "snp.h"

#define DEADLINE (skrfs_now_ns() + 60 * SKRFS_SECOND_NS)
#define THIM "'GET /metadata/THIM/amd/certification'"

static inline void parse(const struct sample *sample, struct skrfs_snp *snp) {
    struct skrfs_error err = {0};
    assert_ok(skrfs_snp_parse(skrfs_buf_bytes(&sample->report), snp, &err), err);
}

static inline void put_hex(struct skrfs_buf *out, const void *data, size_t len) {
    skrfs_autofree char *hex = malloc(2 * len + 1);
    assert_non_null(hex);
    skrfs_hex_encode(data, len, hex);
    snp_put(out, hex);
}

/* A route that answers with these octets. */
static inline void put_route(
        struct skrfs_buf *routes, const char *route, const void *data, size_t len) {
    snp_put(routes, route);
    snp_put(routes, ": [(200, '@HEX@");
    put_hex(routes, data, len);
    snp_put(routes, "')], ");
}

/* A certificate of a chain alone, as DER; those behind it, as PEM. */
static inline void take_apart(
        const struct skrfs_buf *pem, struct skrfs_buf *ret_leaf, struct skrfs_buf *ret_rest) {
    struct skrfs_error err = {0};
    skrfs_autochain *chain = NULL, *rest = NULL;
    struct skrfs_buf ders[SKRFS_CHAIN_MAX];
    struct skrfs_bytes bytes[SKRFS_CHAIN_MAX];
    assert_ok(skrfs_chain_from_pem(skrfs_buf_text(pem), pem->len, &chain, &err), err);
    size_t count = skrfs_chain_len(chain);
    for (size_t i = 0; i < count; i++) {
        ders[i] = SKRFS_BUF(SKRFS_CERT_MAX);
        assert_ok(skrfs_chain_der(chain, i, &ders[i], &err), err);
        bytes[i] = skrfs_buf_bytes(&ders[i]);
    }
    assert_ok(skrfs_buf_append(ret_leaf, ders[0].data, ders[0].len, &err), err);
    if (ret_rest) {
        assert_ok(skrfs_chain_from_der(bytes + 1, count - 1, &rest, &err), err);
        assert_ok(skrfs_chain_pem(rest, ret_rest, &err), err);
    }
    for (size_t i = 0; i < count; i++)
        skrfs_buf_done(&ders[i]);
}

/* One search: a server, a cloud that asks it, and evidence with one sample's report. */
struct setup {
    struct server server;
    struct skrfs_cloud *cloud;
    struct skrfs_evidence evidence;
    struct skrfs_trace trace;
};

static inline void setup_done(struct setup *setup) {
    skrfs_cloud_free(setup->cloud);
    skrfs_evidence_done(&setup->evidence);
    server_done(&setup->server);
}

#define autosetup SKRFS_CLEANUP(setup_done) struct setup

static inline void set_report(struct setup *setup, int which) {
    struct skrfs_error err = {0};
    autosample sample;
    snp_read(which, &sample);
    skrfs_evidence_done(&setup->evidence);
    skrfs_evidence_init(&setup->evidence);
    setup->evidence.kind = SKRFS_EVIDENCE_SNP;
    assert_ok(
            skrfs_buf_append(&setup->evidence.report, sample.report.data, sample.report.len, &err),
            err);
}

static inline void begin(struct setup *setup, int which, const struct skrfs_buf *routes,
        const enum skrfs_cert_source *order, size_t count) {
    struct skrfs_error err = {0};
    skrfs_autobuf text = SKRFS_BUF(SAMPLE_MAX);
    memset(setup, 0, sizeof(*setup));
    skrfs_evidence_init(&setup->evidence);
    set_report(setup, which); /* before there is a server: without samples the test ends here */
    snp_put(&text, "{");
    snp_put(&text, skrfs_buf_text(routes));
    snp_put(&text, "}");
    server_start(&setup->server, skrfs_buf_text(&text));
    struct skrfs_cloud_options options = {
            .attestation_url = setup->server.https,
            .imds_url = setup->server.http,
            .cache_url = setup->server.https,
            .kds_url = setup->server.https,
            .certificate_count = count,
            .http = {.ca_pem = skrfs_buf_text(&setup->server.ca),
                    .connect_timeout_ns = 5 * SKRFS_SECOND_NS},
    };
    if (count)
        memcpy(options.certificates, order, count * sizeof(*order));
    assert_ok(skrfs_cloud_new(&options, &setup->cloud, &err), err);
    skrfs_trace_start(&setup->trace);
}

static inline int search(struct setup *setup, struct skrfs_buf *pem, struct skrfs_error *err) {
    return skrfs_certs_chain(setup->cloud, skrfs_buf_bytes(&setup->evidence.report),
            &setup->evidence, DEADLINE, &setup->trace, pem, err);
}

/* It finds the sample's whole chain, and says from where. */
static inline void finds(struct setup *setup, int which, const char *from) {
    struct skrfs_error err = {0};
    autosample sample;
    skrfs_autochain *found = NULL, *wanted = NULL;
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX), a = SKRFS_BUF(SAMPLE_MAX),
                  b = SKRFS_BUF(SAMPLE_MAX);
    snp_read(which, &sample);
    assert_ok(search(setup, &pem, &err), err);
    assert_ok(skrfs_chain_from_pem(skrfs_buf_text(&pem), pem.len, &found, &err), err);
    assert_ok(
            skrfs_chain_from_pem(skrfs_buf_text(&sample.pem), sample.pem.len, &wanted, &err), err);
    assert_ok(skrfs_chain_pem(found, &a, &err), err);
    assert_ok(skrfs_chain_pem(wanted, &b, &err), err);
    assert_string_equal(skrfs_buf_text(&a), skrfs_buf_text(&b));
    assert_non_null(strstr(setup->trace.steps[setup->trace.count - 1].note, from));
}

static inline void put_local(
        struct setup *setup, enum skrfs_cert_source source, const char *vector) {
    snp_add(vector, &setup->evidence.certificates[source]);
}

static inline void put_chip(int which, char chip[129]) {
    autosample sample;
    struct skrfs_snp snp;
    snp_read(which, &sample);
    parse(&sample, &snp);
    skrfs_hex_encode(snp.chip_id, sizeof(snp.chip_id), chip);
}

#endif
