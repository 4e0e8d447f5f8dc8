/* TD reports and TD quotes. */
#include "altered.h"

#include <skrfs/evidence/tdx.h>

static struct skrfs_td_quote parse(const struct skrfs_buf *quote) {
    struct skrfs_error err = {0};
    struct skrfs_td_quote parsed = {0};
    assert_ok(skrfs_td_quote_parse(skrfs_buf_bytes(quote), &parsed, &err), err);
    return parsed;
}

static void real_quotes_say_what_they_should(void **state) {
    static const struct {
        const char *name;
        size_t size, signed_len, total;
        unsigned version;
        const char *mrtd;
    } cases[] = {
            {"containers-sgx-tdx/tdx/tdx_prod_quote_SPR_E4.dat", 4974, 632, 4935, 4, "6363b804"},
            {"containers-sgx-tdx/tdx/quote_v5_sample.dat", 0, 702, 0, 5, "7348651a"},
            {"containers-sgx-tdx/tdx-azure/td-quote.bin", 5006, 632, 4936, 4, "024a32b0"},
            {"cvm/trustee-td-quote.bin", 5006, 632, 4936, 4, "024a32b0"},
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_error err = {0};
        skrfs_autobuf quote;
        vector_read(cases[i].name, &quote);
        struct skrfs_td_quote parsed = parse(&quote);
        assert_int_equal(parsed.version, cases[i].version);
        assert_int_equal(parsed.signed_len, cases[i].signed_len);
        if (cases[i].size) {
            assert_int_equal(quote.len, cases[i].size);
            assert_int_equal(parsed.total_len, cases[i].total);
        }
        assert_hex(parsed.mrtd, cases[i].mrtd);
        assert_false(parsed.attributes & 1);
        assert_ok(skrfs_td_quote_verify(skrfs_buf_bytes(&quote), &parsed, &err), err);
    }
}

static void the_quote_of_a_report_carries_its_data(void **state) {
    struct skrfs_error err = {0};
    skrfs_autobuf report, quote;
    static const uint8_t zeros[4][48];
    uint8_t data[64];
    (void)state;
    vector_read("cvm/trustee-tdx-hcl-report.bin", &report);
    vector_read("cvm/trustee-td-quote.bin", &quote);
    struct skrfs_td_quote parsed = parse(&quote);
    struct skrfs_bytes td = {report.data + 32, SKRFS_TD_REPORT_LEN};
    assert_ok(skrfs_td_report_data(td, data, &err), err);
    assert_memory_equal(data, parsed.report_data, 64);
    assert_memory_equal(parsed.rtmr, zeros, sizeof(zeros));
}

static void rtmrs_are_where_they_belong(void **state) {
    skrfs_autobuf quote;
    (void)state;
    vector_read("containers-sgx-tdx/tdx/tdx_prod_quote_SPR_E4.dat", &quote);
    struct skrfs_td_quote parsed = parse(&quote);
    assert_hex(parsed.rtmr[0], "2927da70");
}

static void what_is_no_td_report_is_refused(void **state) {
    struct skrfs_error err = {0};
    skrfs_autobuf report;
    uint8_t data[64];
    (void)state;
    vector_read("containers-sgx-tdx/tdx/not-a-tdreport.dat", &report);
    assert_fails(skrfs_td_report_data(skrfs_buf_bytes(&report), data, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "does not begin as TD reports do");
    skrfs_buf_truncate(&report, 1023);
    assert_fails(skrfs_td_report_data(skrfs_buf_bytes(&report), data, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "1023 octets");
}

static void altered_quotes_are_refused(void **state) {
    static const struct {
        size_t at;
        uint8_t value;
        const char *why;
    } cases[] = {
            {0, 3, "version 3"}, {0, 6, "version 6"}, {2, 3, "not ECDSA P-256"},
            {4, 0, "not a TDX quote"},
            {634, 1, "truncated"},   /* 64 KiB more of authentication data */
            {635, 255, "truncated"}, /* 4 GiB more */
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_error err = {0};
        struct skrfs_td_quote parsed;
        skrfs_autobuf quote;
        vector_read("cvm/trustee-td-quote.bin", &quote);
        quote.data[cases[i].at] = cases[i].value;
        assert_fails(skrfs_td_quote_parse(skrfs_buf_bytes(&quote), &parsed, &err), err,
                SKRFS_CLASS_BAD_ANSWER, cases[i].why);
    }
}

static void truncated_quotes_are_refused(void **state) {
    static const size_t lengths[] = {0, 1, 47, 53, 54, 631, 635, 636, 763, 764, 4935};
    struct skrfs_error err = {0};
    struct skrfs_td_quote parsed;
    skrfs_autobuf quote;
    (void)state;
    vector_read("cvm/trustee-td-quote.bin", &quote);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(lengths); i++) {
        struct skrfs_bytes part = {quote.data, lengths[i]};
        assert_fails(skrfs_td_quote_parse(part, &parsed, &err), err, SKRFS_CLASS_BAD_ANSWER,
                "truncated");
    }
    struct skrfs_bytes exact = {quote.data, 4936};
    assert_ok(skrfs_td_quote_parse(exact, &parsed, &err), err);
    struct skrfs_bytes huge = {quote.data, SKRFS_TD_QUOTE_MAX + 1};
    assert_fails(
            skrfs_td_quote_parse(huge, &parsed, &err), err, SKRFS_CLASS_BAD_ANSWER, "too long");
    memset(quote.data + 632, 0, 4);
    quote.data[632] = 127;
    assert_fails(skrfs_td_quote_parse(skrfs_buf_bytes(&quote), &parsed, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "truncated");
}

static void bodies_of_version_5_must_be_known(void **state) {
    static const size_t places[] = {48, 50, 53};
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(places); i++) {
        struct skrfs_error err = {0};
        struct skrfs_td_quote parsed;
        skrfs_autobuf quote;
        vector_read("containers-sgx-tdx/tdx/quote_v5_sample.dat", &quote);
        quote.data[places[i]] ^= 1;
        assert_fails(skrfs_td_quote_parse(skrfs_buf_bytes(&quote), &parsed, &err), err,
                SKRFS_CLASS_BAD_ANSWER, "unknown type");
    }
}

static void altered_quotes_do_not_verify(void **state) {
    static const size_t places[] = {10, 200, 570, 631, 640, 700, 760};
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(places); i++) {
        struct skrfs_error err = {0};
        skrfs_autobuf quote;
        vector_read("cvm/trustee-td-quote.bin", &quote);
        quote.data[places[i]] ^= 1;
        struct skrfs_td_quote parsed = parse(&quote);
        assert_fails(skrfs_td_quote_verify(skrfs_buf_bytes(&quote), &parsed, &err), err,
                SKRFS_CLASS_BAD_ANSWER, "TD quote");
    }
}

static const char *const quotes[] = {SAMPLES "tdx/tdx_prod_quote_SPR_E4.dat",
        SAMPLES "tdx/quote_v5_sample.dat", SAMPLES "tdx-azure/td-quote.bin"};

/* What a quote proves by itself: down to the processor's certificate and up its chain. */
static void real_quotes_verify_with_their_chains(void **state) {
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(quotes); i++) {
        struct skrfs_error err = {0};
        skrfs_autochain *chain = NULL;
        skrfs_autobuf quote;
        char name[128];
        vector_read(quotes[i], &quote);
        struct skrfs_td_quote parsed = parse(&quote);
        assert_int_equal(parsed.proof.cert_type, 5);
        assert_ok(skrfs_td_quote_verify_chain(skrfs_buf_bytes(&quote), &parsed, &chain, &err), err);
        assert_int_equal(skrfs_chain_len(chain), 3);
        assert_ok(skrfs_chain_leaf_name(chain, name, sizeof(name), &err), err);
        assert_string_equal(name, "Intel SGX PCK Certificate");
    }
}

static int judge(struct skrfs_bytes quote, void *with, struct skrfs_error *err) {
    struct skrfs_td_quote parsed;
    (void)with;
    return skrfs_td_quote_parse(quote, &parsed, err) < 0
                   ? -1
                   : skrfs_td_quote_verify_chain(quote, &parsed, NULL, err);
}

static void every_bound_octet_counts(void **state) {
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(quotes); i++) {
        skrfs_autobuf quote;
        vector_read(quotes[i], &quote);
        struct skrfs_td_quote parsed = parse(&quote);
        size_t signature = parsed.signed_len + 4, body = parsed.version == 5 ? 54 : 48;
        size_t qe = (size_t)(parsed.proof.qe_report.data - quote.data), sign = qe + 384;
        size_t auth = (size_t)(parsed.proof.qe_auth.data - quote.data);
        size_t certs = (size_t)(parsed.proof.certs.data - quote.data);
        const struct region regions[] = {
                {0, 2, 1, "version"},
                {2, 4, 1, "not ECDSA P-256"},
                {4, 8, 1, "not a TDX quote"},
                {8, 48, 1, "the TD quote: "},
                {body, parsed.signed_len, 3, "the TD quote: "},
                {signature, signature + 128, 1, "the TD quote: "},
                {signature + 128, signature + 130, 1, "certification data of type"},
                {signature + 132, signature + 134, 1, "truncated"},
                {qe, qe + 320, 3, "quoting enclave's report:"},
                {qe + 320, sign, 1, "not about the quote's attestation key"},
                {sign, sign + 64, 1, "quoting enclave's report:"},
                {auth, auth + parsed.proof.qe_auth.len, 1, "not about the quote's attestation key"},
                {certs - 6, certs - 4, 1, "certification data of type"},
                {certs + 30, certs + parsed.proof.certs.len - 30, 23,
                        "processor certificates|quoting enclave's report"},
        };
        for (size_t k = 0; k < SKRFS_ARRAY_LEN(regions); k++)
            each_octet_counts(&quote, regions[k], judge, NULL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(real_quotes_say_what_they_should),
            cmocka_unit_test(the_quote_of_a_report_carries_its_data),
            cmocka_unit_test(rtmrs_are_where_they_belong),
            cmocka_unit_test(what_is_no_td_report_is_refused),
            cmocka_unit_test(altered_quotes_are_refused),
            cmocka_unit_test(truncated_quotes_are_refused),
            cmocka_unit_test(bodies_of_version_5_must_be_known),
            cmocka_unit_test(altered_quotes_do_not_verify),
            cmocka_unit_test(real_quotes_verify_with_their_chains),
            cmocka_unit_test(every_bound_octet_counts),
    };
    return cmocka_run_group_tests_name("tdx", tests, NULL, NULL);
}
