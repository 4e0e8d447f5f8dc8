/* Certificates of SNP reports that are asked for afar, and what is said when none will do. */
#include "certs.h"

#include <errno.h>

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

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(asks_azures_cache),
            cmocka_unit_test(asks_amd_last_and_once),
            cmocka_unit_test(completes_a_leaf_that_came_alone),
            cmocka_unit_test(looks_above_a_loaded_keys_leaf),
            cmocka_unit_test(gathers_all_reasons),
            cmocka_unit_test(tells_that_the_report_may_be_stale),
            cmocka_unit_test(tells_when_to_come_back),
            cmocka_unit_test(a_silent_source_costs_its_share_alone),
            cmocka_unit_test(a_confidential_vm_asks_its_host_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
