/* Certificates of SNP reports: which fit, and from where they are taken. */
#include "server.h"
#include "snp.h"

#include <errno.h>

#define DEADLINE (skrfs_now_ns() + 60 * SKRFS_SECOND_NS)
#define MILAN_CHIP "b12164b4"
#define THIM "'GET /metadata/THIM/amd/certification'"

static void a_chain_fits_its_own_report_alone(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    struct sample samples[SAMPLE_COUNT];
    for (int i = 0; i < SAMPLE_COUNT; i++)
        snp_read(i, &samples[i]);
    for (int i = 0; i < SAMPLE_COUNT; i++)
        for (int j = 0; j < SAMPLE_COUNT; j++) {
            int result = skrfs_certs_fit(
                    skrfs_buf_bytes(&samples[i].report), skrfs_buf_bytes(&samples[j].pem), &err);
            if ((result == 0) != (i == j))
                print_error("report %d, chain %d: %s\n", i, j, result ? err.message : "fits");
            assert_int_equal(result, i == j ? 0 : -1);
        }
    for (int i = 0; i < SAMPLE_COUNT; i++) {
        /* Chip, measurement, reported TCB: all of it is signed. */
        static const size_t bound[] = {0x08, 0x50, 0x90, 0xc0, 0x180, 0x1a0, 0x29f, 0x2a0, 0x2e8};
        for (size_t j = 0; j < SKRFS_ARRAY_LEN(bound); j++) {
            samples[i].report.data[bound[j]] ^= 1;
            assert_int_equal(skrfs_certs_fit(skrfs_buf_bytes(&samples[i].report),
                                     skrfs_buf_bytes(&samples[i].pem), &err),
                    -1);
            samples[i].report.data[bound[j]] ^= 1;
        }
        snp_sample_done(&samples[i]);
    }
}

static void parse(const struct sample *sample, struct skrfs_snp *snp) {
    struct skrfs_error err = {0};
    assert_ok(skrfs_snp_parse(skrfs_buf_bytes(&sample->report), snp, &err), err);
}

static void kds_path(int which, char out[512]) {
    struct skrfs_error err = {0};
    struct skrfs_snp snp;
    skrfs_autobuf path = SKRFS_BUF(URL_MAX);
    autosample sample;
    snp_read(which, &sample);
    parse(&sample, &snp);
    assert_ok(skrfs_kds_path(&snp, &path, &err), err);
    snprintf(out, 512, "%s", skrfs_buf_text(&path));
}

static void asks_amd_for_a_chip_and_its_reported_tcb(void **state) {
    (void)state;
    char path[512];
    kds_path(SAMPLE_ACI, path);
    assert_non_null(strstr(path, "/vcek/v1/Milan/" MILAN_CHIP));
    assert_int_equal(strcspn(path + strlen("/vcek/v1/Milan/"), "?"), 128);
    assert_non_null(strstr(path, "?blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=115"));
    kds_path(SAMPLE_ROOM, path); /* a number whose DER has two octets */
    assert_non_null(strstr(path, "?blSPL=4&teeSPL=0&snpSPL=24&ucodeSPL=219"));
    kds_path(SAMPLE_TURIN, path);
    assert_string_equal(
            path, "/vcek/v1/Turin/59790fb1c39f35c1?fmcSPL=1&blSPL=1&teeSPL=1&snpSPL=4&ucodeSPL=81");
}

static void put_hex(struct skrfs_buf *out, const void *data, size_t len) {
    skrfs_autofree char *hex = malloc(2 * len + 1);
    assert_non_null(hex);
    skrfs_hex_encode(data, len, hex);
    snp_put(out, hex);
}

/* A route that answers with these octets. */
static void put_route(struct skrfs_buf *routes, const char *route, const void *data, size_t len) {
    snp_put(routes, route);
    snp_put(routes, ": [(200, '@HEX@");
    put_hex(routes, data, len);
    snp_put(routes, "')], ");
}

/* A certificate of a chain alone, as DER; those behind it, as PEM. */
static void take_apart(
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

static void setup_done(struct setup *setup) {
    skrfs_cloud_free(setup->cloud);
    skrfs_evidence_done(&setup->evidence);
    server_done(&setup->server);
}
#define autosetup SKRFS_CLEANUP(setup_done) struct setup

static void set_report(struct setup *setup, int which) {
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

static void begin(struct setup *setup, int which, const struct skrfs_buf *routes,
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

static int search(struct setup *setup, struct skrfs_buf *pem, struct skrfs_error *err) {
    return skrfs_certs_chain(setup->cloud, skrfs_buf_bytes(&setup->evidence.report),
            &setup->evidence, DEADLINE, &setup->trace, pem, err);
}

/* It finds the sample's whole chain, and says from where. */
static void finds(struct setup *setup, int which, const char *from) {
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

static void put_local(struct setup *setup, enum skrfs_cert_source source, const char *vector) {
    snp_add(vector, &setup->evidence.certificates[source]);
}

static void takes_what_is_on_the_machine_first(void **state) {
    (void)state;
    autosetup setup;
    skrfs_autobuf routes = SKRFS_BUF(SAMPLE_MAX);
    begin(&setup, SAMPLE_ACI, &routes, NULL, 0);
    put_local(&setup, SKRFS_CERTS_CONTEXT, SAMPLES "snp-aci-a/uvm_host_amd_certificate.json");
    finds(&setup, SAMPLE_ACI, "from context");
    finds(&setup, SAMPLE_ACI, "kept from before");
    assert_int_equal(server_count(&setup.server, "GET"), 0);
}

static void goes_on_to_the_next_source(void **state) {
    (void)state;
    autosetup setup;
    skrfs_autobuf routes = SKRFS_BUF(SAMPLE_MAX), thim = SKRFS_BUF(SAMPLE_MAX);
    snp_add(SAMPLES "snp-aci-a/uvm_host_amd_certificate.json", &thim);
    put_route(&routes, THIM, thim.data, thim.len);
    begin(&setup, SAMPLE_ACI, &routes, NULL, 0);
    /* A document without a certificate, a table that is none, and another chip's leaf. */
    snp_put(&setup.evidence.certificates[SKRFS_CERTS_CONTEXT], "{\"vcekCert\":\"\"}");
    snp_put(&setup.evidence.certificates[SKRFS_CERTS_REPORT], "no table");
    put_local(&setup, SKRFS_CERTS_FILE, SAMPLES "snp-turin-v5/turin_vcek.pem");
    finds(&setup, SAMPLE_ACI, "from thim");
    assert_int_equal(server_count(&setup.server, "GET"), 1);
}

static void keeps_chains_by_chip_and_tcb(void **state) {
    (void)state;
    autosetup setup;
    skrfs_autobuf routes = SKRFS_BUF(SAMPLE_MAX);
    const enum skrfs_cert_source order[] = {SKRFS_CERTS_CONTEXT, SKRFS_CERTS_FILE};
    begin(&setup, SAMPLE_ACI, &routes, order, 2);
    put_local(&setup, SKRFS_CERTS_CONTEXT, SAMPLES "snp-aci-a/uvm_host_amd_certificate.json");
    finds(&setup, SAMPLE_ACI, "from context");
    /* Another report: what was kept is of no use, and stays of use for the first. */
    autosample other;
    struct skrfs_error err = {0};
    snp_read(SAMPLE_TURIN, &other);
    set_report(&setup, SAMPLE_TURIN);
    assert_ok(skrfs_buf_append(&setup.evidence.certificates[SKRFS_CERTS_FILE], other.pem.data,
                      other.pem.len, &err),
            err);
    finds(&setup, SAMPLE_TURIN, "from file");
    set_report(&setup, SAMPLE_ACI);
    finds(&setup, SAMPLE_ACI, "kept from before");
    set_report(&setup, SAMPLE_TURIN);
    finds(&setup, SAMPLE_TURIN, "kept from before");
}

static void takes_the_table_of_an_extended_report(void **state) {
    (void)state;
    static const uint8_t guids[3][16] = {{0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad,
                                                 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd},
            {0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27,
                    0xc7, 0x82},
            {0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c,
                    0xd0, 0xae}};
    struct skrfs_error err = {0};
    autosetup setup;
    autosample sample;
    skrfs_autochain *chain = NULL;
    skrfs_autobuf routes = SKRFS_BUF(SAMPLE_MAX), certs = SKRFS_BUF(SAMPLE_MAX);
    const enum skrfs_cert_source order[] = {SKRFS_CERTS_REPORT};
    begin(&setup, SAMPLE_GUEST, &routes, order, 1);
    snp_read(SAMPLE_GUEST, &sample);
    assert_ok(skrfs_chain_from_pem(skrfs_buf_text(&sample.pem), sample.pem.len, &chain, &err), err);
    struct skrfs_buf *table = &setup.evidence.certificates[SKRFS_CERTS_REPORT];
    for (size_t i = 0; i < 3; i++) {
        uint32_t entry[2] = {(uint32_t)(4 * 24 + certs.len)};
        size_t before = certs.len;
        assert_ok(skrfs_chain_der(chain, i, &certs, &err), err);
        entry[1] = (uint32_t)(certs.len - before);
        assert_ok(skrfs_buf_append(table, guids[i], 16, &err), err);
        assert_ok(skrfs_buf_append(table, entry, sizeof(entry), &err), err); /* little endian */
    }
    static const uint8_t end[24] = {0};
    assert_ok(skrfs_buf_append(table, end, sizeof(end), &err), err);
    assert_ok(skrfs_buf_append(table, certs.data, certs.len, &err), err);
    finds(&setup, SAMPLE_GUEST, "from report");
}

static void put_chip(int which, char chip[129]) {
    autosample sample;
    struct skrfs_snp snp;
    snp_read(which, &sample);
    parse(&sample, &snp);
    skrfs_hex_encode(snp.chip_id, sizeof(snp.chip_id), chip);
}

static void asks_azures_cache(void **state) {
    (void)state;
    char chip[129], route[512];
    autosetup setup;
    autosample sample;
    skrfs_autobuf routes = SKRFS_BUF(SAMPLE_MAX);
    const enum skrfs_cert_source order[] = {SKRFS_CERTS_CACHE};
    put_chip(SAMPLE_ROOM, chip);
    snp_read(SAMPLE_ROOM, &sample);
    snprintf(route, sizeof(route), "'GET /SevSnpVM/certificates/%s/db18000000000004'", chip);
    put_route(&routes, route, sample.pem.data, sample.pem.len);
    begin(&setup, SAMPLE_ROOM, &routes, order, 1);
    finds(&setup, SAMPLE_ROOM, "from cache");
    assert_int_equal(server_count(&setup.server, "?api-version=2020-10-15-preview&clientId="), 1);
}

static void put_kds(struct skrfs_buf *routes, int which, const char *product, bool whole) {
    char chip[129], route[512];
    autosample sample;
    skrfs_autobuf leaf = SKRFS_BUF(SAMPLE_MAX), rest = SKRFS_BUF(SAMPLE_MAX);
    snp_read(which, &sample);
    put_chip(which, chip);
    if (strcmp(product, "Turin") == 0)
        chip[16] = '\0';
    take_apart(&sample.pem, &leaf, &rest);
    snprintf(route, sizeof(route), "'GET /vcek/v1/%s/%s'", product, chip);
    put_route(routes, route, leaf.data, leaf.len);
    snprintf(route, sizeof(route), "'GET /vcek/v1/%s/cert_chain'", product);
    if (whole)
        put_route(routes, route, rest.data, rest.len);
}

static void asks_amd_last_and_once(void **state) {
    (void)state;
    autosetup setup;
    skrfs_autobuf routes = SKRFS_BUF(SAMPLE_MAX);
    snp_put(&routes, THIM ": [(404, 'none')], ");
    put_kds(&routes, SAMPLE_GUEST, "Milan", true);
    put_kds(&routes, SAMPLE_TURIN, "Turin", true);
    const enum skrfs_cert_source order[] = {SKRFS_CERTS_CONTEXT, SKRFS_CERTS_KDS};
    begin(&setup, SAMPLE_GUEST, &routes, order, 2);
    finds(&setup, SAMPLE_GUEST, "from kds");
    assert_int_equal(server_count(&setup.server, "ucodeSPL=68"), 1);
    assert_int_equal(server_count(&setup.server, "/vcek/v1/Milan/cert_chain"), 1);
    finds(&setup, SAMPLE_GUEST, "kept from before");
    set_report(&setup, SAMPLE_TURIN);
    finds(&setup, SAMPLE_TURIN, "from kds");
    assert_int_equal(server_count(&setup.server, "fmcSPL=1&blSPL=1"), 1);
    assert_int_equal(server_count(&setup.server, "GET /vcek/"), 4);
}

static void completes_a_leaf_that_came_alone(void **state) {
    (void)state;
    autosetup setup;
    skrfs_autobuf routes = SKRFS_BUF(SAMPLE_MAX);
    put_kds(&routes, SAMPLE_GUEST, "Milan", true);
    begin(&setup, SAMPLE_GUEST, &routes, NULL, 0);
    put_local(&setup, SKRFS_CERTS_FILE, SAMPLES "snp-gosevguest/vcek.der");
    finds(&setup, SAMPLE_GUEST, "from file");
    assert_int_equal(server_count(&setup.server, "GET"), 1);
    /* What AMD publishes for Milan is known now: a leaf of another chip needs nothing from afar. */
    autosample sample;
    struct skrfs_error err = {0};
    skrfs_autobuf leaf = SKRFS_BUF(SAMPLE_MAX);
    snp_read(SAMPLE_ROOM, &sample);
    take_apart(&sample.pem, &leaf, NULL);
    set_report(&setup, SAMPLE_ROOM);
    assert_ok(skrfs_buf_append(
                      &setup.evidence.certificates[SKRFS_CERTS_FILE], leaf.data, leaf.len, &err),
            err);
    finds(&setup, SAMPLE_ROOM, "from file");
    assert_int_equal(server_count(&setup.server, "GET"), 1);
}

static void says_what_is_missing_above_a_leaf(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    autosetup setup;
    skrfs_autobuf routes = SKRFS_BUF(SAMPLE_MAX), pem = SKRFS_BUF(SKRFS_PEM_MAX);
    const enum skrfs_cert_source order[] = {SKRFS_CERTS_FILE};
    begin(&setup, SAMPLE_GUEST, &routes, order, 1);
    put_local(&setup, SKRFS_CERTS_FILE, SAMPLES "snp-gosevguest/vcek.der");
    assert_fails(search(&setup, &pem, &err), err, SKRFS_CLASS_UNAVAILABLE,
            "file: the leaf fits, what is above it is missing");
    assert_int_equal(pem.len, 0);
}

/* A loaded key's leaf comes from the machine; what is above it is another list at AMD's. */
static void looks_above_a_loaded_keys_leaf(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    autosetup setup;
    autosample other;
    skrfs_autobuf routes = SKRFS_BUF(SAMPLE_MAX), pem = SKRFS_BUF(SKRFS_PEM_MAX),
                  leaf = SKRFS_BUF(SAMPLE_MAX), rest = SKRFS_BUF(SAMPLE_MAX);
    snp_put(&routes, THIM ": [(404, 'none')], ");
    snp_read(SAMPLE_GUEST, &other);
    take_apart(&other.pem, &leaf, &rest);
    put_route(&routes, "'GET /vlek/v1/Milan/cert_chain'", rest.data, rest.len);
    const enum skrfs_cert_source order[] = {SKRFS_CERTS_FILE, SKRFS_CERTS_CACHE, SKRFS_CERTS_KDS};
    begin(&setup, SAMPLE_VLEK, &routes, order, 3);
    put_local(&setup, SKRFS_CERTS_FILE, SAMPLES "snp-vlek/test-vlek.der");
    /* Those of VCEKs did not sign it: they are not put above it. */
    assert_fails(search(&setup, &pem, &err), err, SKRFS_CLASS_UNAVAILABLE, "file: ");
    assert_non_null(strstr(err.message, "cache: the report is signed by a loaded key (VLEK)"));
    assert_non_null(strstr(err.message, "kds: the report is signed by a loaded key (VLEK)"));
    assert_int_equal(server_count(&setup.server, "GET"), 1);
    assert_int_equal(server_count(&setup.server, "GET /vlek/v1/Milan/cert_chain"), 1);
}

static void gathers_all_reasons(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    autosetup setup;
    skrfs_autobuf routes = SKRFS_BUF(SAMPLE_MAX), pem = SKRFS_BUF(SKRFS_PEM_MAX);
    char chip[129], route[512];
    put_chip(SAMPLE_ACI, chip);
    snp_put(&routes, THIM ": [(400, {'error': 'no such host'})], ");
    snprintf(route, sizeof(route),
            "'GET /SevSnpVM/certificates/%s/7308000000000003': [(404, 'x')], "
            "'GET /vcek/v1/Milan/%s': [(429, 'slowly', {'Retry-After': '7'})], ",
            chip, chip);
    snp_put(&routes, route);
    begin(&setup, SAMPLE_ACI, &routes, NULL, 0);
    put_local(&setup, SKRFS_CERTS_CONTEXT, SAMPLES "snp-aci-a/snp_report.bin");
    assert_fails(search(&setup, &pem, &err), err, SKRFS_CLASS_UNAVAILABLE,
            "no certificates fit this machine's report (TCB 7308000000000003): context: ");
    assert_non_null(strstr(err.message, "; report: not there; file: not there; thim: "));
    assert_non_null(
            strstr(err.message, "; cache: Azure's certificate cache gives no certificates"));
    assert_non_null(strstr(err.message, "; kds: AMD's key distribution service gives no"));
    assert_non_null(strstr(err.message, "HTTP 429, again in 7 s"));
    assert_true(err.retryable);
    assert_int_equal(err.errnum, 0); /* a new report would change nothing */
    assert_int_equal(pem.len, 0);
    /* AMD's service is left alone, whoever asks next. */
    assert_int_equal(search(&setup, &pem, &err), -1);
    assert_non_null(strstr(err.message, "kds: AMD's key distribution service is not asked again"));
    assert_int_equal(server_count(&setup.server, "GET /vcek/"), 1);
    assert_int_equal(server_count(&setup.server, "GET /SevSnpVM/"), 2);
}

/* The host's firmware was updated: its certificates, or our report, are from before. */
static void tells_that_the_report_may_be_stale(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    autosetup setup;
    skrfs_autobuf routes = SKRFS_BUF(SAMPLE_MAX), thim = SKRFS_BUF(SAMPLE_MAX),
                  pem = SKRFS_BUF(SKRFS_PEM_MAX);
    const enum skrfs_cert_source order[] = {SKRFS_CERTS_CONTEXT, SKRFS_CERTS_THIM};
    snp_add(SAMPLES "snp-aci-a/uvm_host_amd_certificate.json", &thim);
    put_route(&routes, THIM, thim.data, thim.len);
    begin(&setup, SAMPLE_ROOM, &routes, order, 2);
    put_local(&setup, SKRFS_CERTS_CONTEXT, SAMPLES "snp-aci-a/uvm_host_amd_certificate.json");
    assert_fails(search(&setup, &pem, &err), err, SKRFS_CLASS_UNAVAILABLE,
            "thim: the host's certificates (TCB 7308000000000003) do not fit");
    assert_int_equal(err.errnum, ESTALE);
    assert_true(err.retryable);
    assert_int_equal(err.not_before_ns, 0);
    assert_int_equal(server_count(&setup.server, "tcbVersion=db18000000000004"), 1);
}

static void tells_when_to_come_back(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    autosetup setup;
    skrfs_autobuf routes = SKRFS_BUF(SAMPLE_MAX), pem = SKRFS_BUF(SKRFS_PEM_MAX);
    const enum skrfs_cert_source order[] = {SKRFS_CERTS_THIM};
    snp_put(&routes, THIM ": [(410, 'updating')], ");
    begin(&setup, SAMPLE_ACI, &routes, order, 1);
    uint64_t now = skrfs_now_ns();
    /* While the host is updated it is asked every ten seconds: not within these five. */
    assert_int_equal(skrfs_certs_chain(setup.cloud, skrfs_buf_bytes(&setup.evidence.report),
                             &setup.evidence, now + 5 * SKRFS_SECOND_NS, NULL, &pem, &err),
            -1);
    assert_non_null(strstr(err.message, "HTTP 410, again in "));
    assert_true(err.not_before_ns >= now + 9 * SKRFS_SECOND_NS);
    assert_int_equal(server_count(&setup.server, "GET"), 1);
}

/* One that never answers leaves the others their time. */
static void a_silent_source_costs_its_share_alone(void **state) {
    (void)state;
    autosetup setup;
    skrfs_autobuf routes = SKRFS_BUF(SAMPLE_MAX), pem = SKRFS_BUF(SKRFS_PEM_MAX);
    struct skrfs_error err = {0};
    const enum skrfs_cert_source order[] = {SKRFS_CERTS_THIM, SKRFS_CERTS_KDS};
    snp_put(&routes, THIM ": [(0, 'silence')], ");
    put_kds(&routes, SAMPLE_GUEST, "Milan", true);
    begin(&setup, SAMPLE_GUEST, &routes, order, 2);
    assert_ok(
            skrfs_certs_chain(setup.cloud, skrfs_buf_bytes(&setup.evidence.report), &setup.evidence,
                    skrfs_now_ns() + 8 * SKRFS_SECOND_NS, &setup.trace, &pem, &err),
            err);
    assert_non_null(strstr(setup.trace.steps[0].note, "from kds"));
}

static void a_confidential_vm_asks_its_host_alone(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    autosetup setup;
    skrfs_autobuf routes = SKRFS_BUF(SAMPLE_MAX), pem = SKRFS_BUF(SKRFS_PEM_MAX);
    put_kds(&routes, SAMPLE_GUEST, "Milan", true);
    begin(&setup, SAMPLE_GUEST, &routes, NULL, 0);
    assert_fails(skrfs_certs_chain(setup.cloud, skrfs_buf_bytes(&setup.evidence.report), NULL,
                         DEADLINE, NULL, &pem, &err),
            err, SKRFS_CLASS_UNAVAILABLE, "thim: ");
    assert_int_equal(server_count(&setup.server, "/vcek/"), 0);
}

static void refuses_wrong_addresses(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    struct skrfs_cloud *cloud = NULL;
    struct skrfs_cloud_options options = {.kds_url = "http://127.0.0.1"};
    assert_fails(skrfs_cloud_new(&options, &cloud, &err), err, SKRFS_CLASS_CONFIG, "kds-url");
    options = (struct skrfs_cloud_options){.cache_url = "file:///etc"};
    assert_fails(skrfs_cloud_new(&options, &cloud, &err), err, SKRFS_CLASS_CONFIG, "cache-url");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_chain_fits_its_own_report_alone),
            cmocka_unit_test(asks_amd_for_a_chip_and_its_reported_tcb),
            cmocka_unit_test(takes_what_is_on_the_machine_first),
            cmocka_unit_test(goes_on_to_the_next_source),
            cmocka_unit_test(keeps_chains_by_chip_and_tcb),
            cmocka_unit_test(takes_the_table_of_an_extended_report),
            cmocka_unit_test(asks_azures_cache),
            cmocka_unit_test(asks_amd_last_and_once),
            cmocka_unit_test(completes_a_leaf_that_came_alone),
            cmocka_unit_test(says_what_is_missing_above_a_leaf),
            cmocka_unit_test(looks_above_a_loaded_keys_leaf),
            cmocka_unit_test(gathers_all_reasons),
            cmocka_unit_test(tells_that_the_report_may_be_stale),
            cmocka_unit_test(tells_when_to_come_back),
            cmocka_unit_test(a_silent_source_costs_its_share_alone),
            cmocka_unit_test(a_confidential_vm_asks_its_host_alone),
            cmocka_unit_test(refuses_wrong_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
