/* Certificates of SNP reports: which fit, and those that are found on the machine. */
#include "certs.h"

#define MILAN_CHIP "b12164b4"

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
            cmocka_unit_test(says_what_is_missing_above_a_leaf),
            cmocka_unit_test(refuses_wrong_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
