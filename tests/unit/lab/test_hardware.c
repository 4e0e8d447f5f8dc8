/* What the lab's processor makes is what the product's own parsers verify. */
#include "hardware.h"
#include "pki.h"
#include "support.h"

#include <skrfs/base/file.h>
#include <skrfs/evidence/sgx.h>
#include <skrfs/evidence/snp.h>
#include <skrfs/evidence/tdx.h>
#include <skrfs/lab/hardware.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct skrfs_error err;
static struct skrfs_lab_pki *pki;
static struct skrfs_lab_hardware *hardware;
static uint8_t asked[64];

static int set_up(void **state) {
    char dir[] = "/tmp/skrfs-hardware-XXXXXX", path[64];
    struct stat st;
    (void)state;
    for (size_t i = 0; i < sizeof(asked); i++)
        asked[i] = (uint8_t)(i * 3);
    assert_ok(skrfs_crypto_setup(&err), err);
    assert_ok(skrfs_lab_pki_new("https://maa.skrfs.localhost:1", &pki, &err), err);
    assert_non_null(mkdtemp(dir));
    assert_ok(skrfs_lab_hardware_save(dir, pki, &err), err);
    assert_ok(skrfs_lab_hardware_load(dir, &hardware, &err), err);
    (void)snprintf(path, sizeof(path), "%s/hardware.json", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(unlink(path), 0);
    assert_fails(skrfs_lab_hardware_load(dir, &(struct skrfs_lab_hardware *){NULL}, &err), err,
            SKRFS_CLASS_SYSTEM, "hardware.json");
    assert_int_equal(rmdir(dir), 0);
    return 0;
}

static int take_down(void **state) {
    (void)state;
    skrfs_lab_hardware_free(hardware);
    skrfs_lab_pki_free(pki);
    return 0;
}

static void snp(void **state) {
    struct skrfs_lab_guest_facts facts = {.vmpl = 2, .host_data = {1, 2, 3}};
    skrfs_autobuf report = SKRFS_BUF(4096), table = SKRFS_BUF(65536), pem = SKRFS_BUF(65536);
    skrfs_autochain *chain = NULL;
    struct skrfs_snp parsed;
    (void)state;
    assert_ok(skrfs_lab_snp_report(hardware, asked, &facts, &report, &err), err);
    assert_ok(skrfs_lab_snp_table(hardware, &table, &err), err);
    assert_ok(skrfs_snp_table_pem(skrfs_buf_bytes(&table), &pem, &err), err);
    assert_ok(skrfs_chain_from_pem(skrfs_buf_text(&pem), pem.len, &chain, &err), err);
    assert_int_equal(skrfs_chain_len(chain), 3);
    assert_true(skrfs_chain_same_root(chain, pki->ark.chain));
    assert_ok(skrfs_snp_parse(skrfs_buf_bytes(&report), &parsed, &err), err);
    assert_int_equal(parsed.version, 3);
    assert_int_equal(parsed.vmpl, 2);
    assert_false(parsed.debug);
    assert_memory_equal(parsed.report_data, asked, sizeof(asked));
    assert_memory_equal(parsed.host_data, facts.host_data, sizeof(facts.host_data));
    assert_ok(skrfs_snp_verify(skrfs_buf_bytes(&report), chain, &err), err);
    assert_ok(skrfs_snp_check_certificate(&parsed, chain, &err), err);
    facts.debug = true;
    skrfs_buf_truncate(&report, 0);
    assert_ok(skrfs_lab_snp_report(hardware, asked, &facts, &report, &err), err);
    assert_ok(skrfs_snp_parse(skrfs_buf_bytes(&report), &parsed, &err), err);
    assert_true(parsed.debug);
}

static void tdx(void **state) {
    struct skrfs_lab_guest_facts facts = {.debug = true};
    skrfs_autobuf quote = SKRFS_BUF(65536);
    skrfs_autochain *chain = NULL;
    struct skrfs_td_quote parsed;
    (void)state;
    assert_ok(skrfs_lab_td_quote(hardware, asked, &facts, &quote, &err), err);
    assert_ok(skrfs_td_quote_parse(skrfs_buf_bytes(&quote), &parsed, &err), err);
    assert_int_equal(parsed.total_len, quote.len);
    assert_int_equal(parsed.attributes & 1, 1);
    assert_memory_equal(parsed.report_data, asked, sizeof(asked));
    assert_ok(skrfs_td_quote_verify_chain(skrfs_buf_bytes(&quote), &parsed, &chain, &err), err);
    assert_true(skrfs_chain_same_root(chain, pki->tdx_root.chain));
}

static void sgx(void **state) {
    struct skrfs_lab_guest_facts facts = {.host_data = {9}};
    skrfs_autobuf quote = SKRFS_BUF(65536);
    skrfs_autochain *chain = NULL;
    struct skrfs_sgx_quote parsed;
    (void)state;
    assert_ok(skrfs_lab_sgx_quote(hardware, asked, &facts, &quote, &err), err);
    assert_ok(skrfs_sgx_quote_parse(skrfs_buf_bytes(&quote), &parsed, &err), err);
    assert_int_equal(parsed.total_len, quote.len);
    assert_false(parsed.debug);
    assert_int_equal(parsed.product_id, 1);
    assert_int_equal(parsed.svn, 2);
    assert_int_equal(parsed.config_id[0], 9);
    assert_memory_equal(parsed.report_data, asked, sizeof(asked));
    assert_ok(skrfs_sgx_quote_verify(skrfs_buf_bytes(&quote), &parsed, &chain, &err), err);
    assert_true(skrfs_chain_same_root(chain, pki->tdx_root.chain));
    /* Each part that is bound: body, key, quoting enclave's report and its authentication data. */
    static const size_t places[] = {100, 120, 440, 510, 600, 1000, 1040};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(places); i++) {
        quote.data[places[i]] ^= 1;
        assert_ok(skrfs_sgx_quote_parse(skrfs_buf_bytes(&quote), &parsed, &err), err);
        assert_int_equal(skrfs_sgx_quote_verify(skrfs_buf_bytes(&quote), &parsed, NULL, &err), -1);
        quote.data[places[i]] ^= 1;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(snp),
            cmocka_unit_test(tdx),
            cmocka_unit_test(sgx),
    };
    return cmocka_run_group_tests_name("hardware", tests, set_up, take_down);
}
