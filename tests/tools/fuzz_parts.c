/* Writes what a lab's hardware and authorities make into a folder, for fuzz-seeds: fuzz_parts
 * FOLDER */
#include "hardware.h"
#include "platform.h"
#include "proof.h"

#include <fcntl.h>
#include <limits.h>
#include <skrfs/base/file.h>
#include <skrfs/crypto/encoding.h>
#include <skrfs/crypto/hash.h>
#include <skrfs/evidence/hcl.h>
#include <stdio.h>
#include <string.h>

static const char *folder;
static struct skrfs_error err;

static void check(int result) {
    if (result == 0)
        return;
    fprintf(stderr, "%s\n", err.message);
    exit(1);
}

static void put(const char *name, const void *data, size_t len) {
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    skrfs_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        check(skrfs_fail_errno(&err, errno, "%s", path));
    check(skrfs_fd_write(fd, data, len, &err));
}

static void put_buf(const char *name, const struct skrfs_buf *buf) {
    put(name, buf->data, buf->len);
}

static void put_chain(const char *name, const struct skrfs_chain *chain, bool leaf_too) {
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    skrfs_autobuf der = SKRFS_BUF(SKRFS_PEM_MAX);
    static const char end[] = "-----END CERTIFICATE-----\n";
    char path[64];
    check(skrfs_chain_pem(chain, &pem, &err));
    const char *text = skrfs_buf_text(&pem);
    const char *above = strstr(text, end);
    if (!leaf_too && above)
        text = above + sizeof(end) - 1;
    (void)snprintf(path, sizeof(path), "%s.pem", name);
    put(path, text, strlen(text));
    check(skrfs_chain_der(chain, 0, &der, &err));
    (void)snprintf(path, sizeof(path), "%s.der", name);
    put_buf(path, &der);
}

static void put_json(const char *name, struct skrfs_json *json) {
    skrfs_autobuf text = SKRFS_BUF((size_t)64 * 1024);
    check(skrfs_json_print(json, false, &text, &err));
    put_buf(name, &text);
    skrfs_json_free(json);
}

static void put_snp(const struct skrfs_lab_pki *pki) {
    const struct skrfs_lab_snp_wish wish = {.policy = SKRFS_LAB_SNP_POLICY};
    const struct skrfs_lab_endorsement endorsement = {.svn = 100};
    uint8_t report[SKRFS_LAB_SNP_REPORT_LEN];
    struct skrfs_json *json = NULL;
    skrfs_autobuf out = SKRFS_BUF((size_t)64 * 1024);
    check(skrfs_lab_make_snp_report(pki, &wish, report, &err));
    put("snp-report", report, sizeof(report));
    put_chain("vcek", pki->vcek.chain, true);
    put_chain("vcek-issuers", pki->vcek.chain, false);
    check(skrfs_lab_thim_json(pki, false, &json, &err));
    put_json("thim", json);
    json = NULL;
    check(skrfs_lab_thim_json(pki, true, &json, &err));
    put_json("thim-stale", json);
    check(skrfs_lab_endorsement_make(&pki->uvm, &endorsement, &out, &err));
    put_buf("endorsement", &out);
}

static void put_quotes(const struct skrfs_lab_pki *pki) {
    const uint8_t data[64] = {1, 2, 3};
    const struct skrfs_lab_sgx_wish wish = {.report_data = {1, 2, 3}};
    uint8_t report[SKRFS_LAB_TD_REPORT_LEN];
    skrfs_autobuf quote = SKRFS_BUF(SKRFS_LAB_PROOF_MAX), sgx = SKRFS_BUF(SKRFS_LAB_PROOF_MAX);
    check(skrfs_lab_make_td_report(pki, data, 0, report, &err));
    put("td-report", report, sizeof(report));
    check(skrfs_lab_quote_td(pki, (struct skrfs_bytes){report, sizeof(report)}, &quote, &err));
    put_buf("td-quote", &quote);
    check(skrfs_lab_make_sgx_quote(pki, &wish, &sgx, &err));
    put_buf("sgx-quote", &sgx);
}

/* With what the metadata service would give for the report in it. */
static void put_hcl(const struct skrfs_lab_pki *pki, bool tdx) {
    skrfs_autopkey *ak = NULL;
    struct skrfs_hcl hcl;
    skrfs_autobuf claims = SKRFS_BUF(SKRFS_HCL_MAX), report = SKRFS_BUF(SKRFS_HCL_MAX);
    skrfs_autobuf quote = SKRFS_BUF(SKRFS_LAB_PROOF_MAX);
    check(skrfs_pkey_new_rsa(2048, &ak, &err));
    check(skrfs_lab_claims(ak, NULL, &claims, &err));
    check(skrfs_lab_hcl_report(
            pki, tdx, skrfs_buf_bytes(&claims), SKRFS_LAB_HCL_NV_LEN, &report, &err));
    put_buf(tdx ? "hcl-tdx" : "hcl-snp", &report);
    put_buf("claims", &claims);
    if (!tdx)
        return;
    check(skrfs_hcl_parse(skrfs_buf_bytes(&report), &hcl, &err));
    check(skrfs_lab_quote_td(pki, hcl.hardware, &quote, &err));
    put_buf("hcl-td-quote", &quote);
}

static void put_key(const char *name, const struct skrfs_pkey *key, enum skrfs_key_type type) {
    static const enum skrfs_format formats[] = {
            SKRFS_FORMAT_PEM, SKRFS_FORMAT_DER, SKRFS_FORMAT_JWK, SKRFS_FORMAT_OPENSSH};
    skrfs_autosecret *plain = NULL;
    check(skrfs_pkey_pkcs8(key, &plain, &err));
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(formats); i++) {
        skrfs_autosecret *text = NULL;
        char path[64];
        /* Not each format is of each type. */
        if (skrfs_key_encode(plain, type, formats[i], "kid", &text, &err) < 0)
            continue;
        (void)snprintf(path, sizeof(path), "%s.%s", name, skrfs_format_name(formats[i]));
        put(path, skrfs_secret_data(text), skrfs_secret_len(text));
    }
}

static void put_keys(void) {
    static const enum skrfs_curve curves[] = {SKRFS_P256, SKRFS_P384, SKRFS_P521, SKRFS_P256K};
    skrfs_autopkey *rsa = NULL;
    check(skrfs_pkey_new_rsa(2048, &rsa, &err));
    put_key("rsa", rsa, SKRFS_KEY_RSA);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(curves); i++) {
        skrfs_autopkey *key = NULL;
        char name[32];
        check(skrfs_pkey_new_ec(curves[i], &key, &err));
        (void)snprintf(name, sizeof(name), "ec-%zu", i);
        put_key(name, key, SKRFS_KEY_EC);
    }
}

int main(int argc, char **argv) {
    SKRFS_CLEANUP(skrfs_lab_pki_free_p) struct skrfs_lab_pki *pki = NULL;
    skrfs_autobuf log = SKRFS_BUF(SKRFS_LAB_EVENT_LOG_MAX);
    if (argc != 2)
        return 2;
    folder = argv[1];
    check(skrfs_crypto_setup(&err));
    check(skrfs_lab_pki_new("https://maa.skrfs.localhost", &pki, &err));
    put_snp(pki);
    put_quotes(pki);
    put_hcl(pki, false);
    put_hcl(pki, true);
    put_chain("server", pki->server.chain, true);
    put_chain("release", pki->release[0][0].chain, true);
    check(skrfs_lab_event_log(&log, &err));
    put_buf("event-log", &log);
    put_keys();
    return 0;
}
