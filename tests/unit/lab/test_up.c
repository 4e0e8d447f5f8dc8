/* The lab as it is used: brought up with its software TPM, asked over TLS, brought down. */
#include "evidence.h"
#include "jwt.h"
#include "support.h"

#include <signal.h>
#include <skrfs/base/encode.h>
#include <skrfs/base/file.h>
#include <skrfs/crypto/encoding.h>
#include <skrfs/crypto/wrap.h>
#include <skrfs/evidence/hcl.h>
#include <skrfs/lab/lab.h>
#include <skrfs/policy/policy.h>
#include <skrfs/tpm/tpm.h>
#include <sys/stat.h>

static struct skrfs_error err;
static char base[64], dir[80];

static int set_up(void **state) {
    (void)state;
    assert_ok(skrfs_crypto_setup(&err), err);
    snprintf(base, sizeof(base), "/tmp/skrfs-lab-XXXXXX");
    assert_non_null(mkdtemp(base));
    snprintf(dir, sizeof(dir), "%s/lab", base);
    return 0;
}

static int take_down(void **state) {
    char body[96];
    (void)state;
    int rc = skrfs_lab_down(dir, &err);
    snprintf(body, sizeof(body), "%s/body", base);
    (void)unlink(body);
    (void)rmdir(base);
    return rc;
}

static void up(const char *tee) {
    struct skrfs_lab_options options = {.dir = dir, .tee = tee, .throttle = true};
    assert_ok(skrfs_lab_up(&options, &err), err);
}

/* Runs the client; the status is returned (0: no whole answer), the body appended to `out`. */
static unsigned ask(const char *service, const char *method, const char *path, const char *body,
        const char *more, struct skrfs_buf *out) {
    char file[96];
    char command[1024];
    char line[32] = "";
    snprintf(file, sizeof(file), "%s/body", base);
    if (body)
        assert_ok(skrfs_file_write(file, body, strlen(body), 0600, &err), err);
    const char *source = getenv("SKRFS_SOURCE");
    snprintf(command, sizeof(command),
            "exec python3 '%s/tests/lab_client.py' '%s' %s %s '%s' %s %s %s", source ? source : ".",
            dir, service, method, path, body ? "--body" : "", body ? file : "", more);
    FILE *client = popen(command, "r");
    assert_non_null(client);
    assert_non_null(fgets(line, sizeof(line), client));
    uint8_t piece[4096];
    for (size_t len = fread(piece, 1, sizeof(piece), client); len > 0;
            len = fread(piece, 1, sizeof(piece), client))
        assert_ok(skrfs_buf_append(out, piece, len, &err), err);
    assert_int_equal(pclose(client), 0);
    return (unsigned)strtoul(line, NULL, 10);
}

static struct skrfs_json *parse(const struct skrfs_buf *text) {
    struct skrfs_json *json = NULL;
    assert_ok(skrfs_json_parse(skrfs_buf_text(text), text->len, text->max, &json, &err), err);
    return json;
}

static const char *tcti_of(char out[64]) {
    char path[96];
    skrfs_autobuf text = SKRFS_BUF(4096);
    snprintf(path, sizeof(path), "%s/lab.json", dir);
    assert_ok(skrfs_file_read(path, &text, &err), err);
    skrfs_autojson *json = parse(&text);
    snprintf(out, 64, "%s", skrfs_json_string(skrfs_json_get(json, "tcti")));
    return out;
}

static void put_blob(struct skrfs_buf *out, const struct skrfs_tpm_blob *blob) {
    assert_ok(skrfs_buf_append(out, blob->data, blob->len, &err), err);
}

static void collect_tpm(
        struct skrfs_tpm *tpm, struct skrfs_lab_guest *guest, struct skrfs_tpm_ephemeral *key) {
    struct skrfs_tpm_blob public;
    struct skrfs_tpm_attestation quote;
    struct skrfs_tpm_attestation certified;
    uint8_t modulus[256];
    assert_ok(skrfs_tpm_pcr_read(tpm, guest->pcrs, &err), err);
    assert_ok(skrfs_tpm_read_public(tpm, SKRFS_TPM_AK, &public, modulus, &err), err);
    assert_ok(skrfs_tpm_quote(tpm, SKRFS_TPM_AK, &quote, &err), err);
    assert_ok(
            skrfs_tpm_ephemeral(tpm, SKRFS_TPM_AK, guest->pcrs, NULL, key, &certified, &err), err);
    put_blob(&guest->ak_public, &public);
    put_blob(&guest->quote, &quote.attest);
    put_blob(&guest->quote_signature, &quote.signature);
    put_blob(&guest->key_public, &key->public);
    put_blob(&guest->key_certify, &certified.attest);
    put_blob(&guest->key_certify_signature, &certified.signature);
    assert_ok(skrfs_tpm_nv_read(tpm, SKRFS_TPM_NV_AK_CERT, &guest->ak_cert, &err), err);
}

static void collect_snp(const struct skrfs_hcl *hcl, struct skrfs_lab_guest *guest) {
    skrfs_autobuf text = SKRFS_BUF((size_t)64 * 1024);
    assert_int_equal(ask("imds", "GET", "/metadata/THIM/amd/certification", NULL,
                             "--header Metadata:true", &text),
            200);
    skrfs_autojson *json = parse(&text);
    assert_ok(skrfs_buf_append_text(
                      &guest->chain, skrfs_json_string(skrfs_json_get(json, "vcekCert")), &err),
            err);
    assert_ok(skrfs_buf_append_text(&guest->chain,
                      skrfs_json_string(skrfs_json_get(json, "certificateChain")), &err),
            err);
    assert_ok(skrfs_buf_append(&guest->report, hcl->hardware.data, hcl->hardware.len, &err), err);
}

static void collect_tdx(const struct skrfs_hcl *hcl, struct skrfs_lab_guest *guest) {
    skrfs_autobuf text = SKRFS_BUF((size_t)128 * 1024);
    skrfs_autobuf body = SKRFS_BUF(4096);
    skrfs_autobuf report = SKRFS_BUF(4096);
    guest->isolation = SKRFS_LAB_TDX;
    assert_int_equal(hcl->kind, SKRFS_HCL_TDX);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, hcl->hardware.data, 1024, &report, &err), err);
    assert_ok(skrfs_buf_printf(&body, &err, "{\"report\":\"%s\"}", skrfs_buf_text(&report)), err);
    assert_int_equal(ask("imds", "POST", "/acc/tdquote", skrfs_buf_text(&body), "", &text), 200);
    skrfs_autojson *json = parse(&text);
    assert_ok(skrfs_json_need_base64(json, "quote", SKRFS_BASE64URL, &guest->report, &err), err);
}

/* All evidence as a guest gathers it; `full` takes the report of 2600 octets instead of the TPM's.
 */
static void collect(struct skrfs_tpm *tpm, bool tdx, bool full, struct skrfs_lab_guest *guest,
        struct skrfs_tpm_ephemeral *key) {
    char path[96];
    skrfs_autobuf index = SKRFS_BUF(SKRFS_TPM_NV_MAX);
    struct skrfs_hcl hcl;
    skrfs_lab_guest_init(guest);
    snprintf(path, sizeof(path), "%s/hcl-2600.bin", dir);
    if (full)
        assert_ok(skrfs_file_read(path, &index, &err), err);
    else
        assert_ok(skrfs_tpm_nv_read(tpm, SKRFS_TPM_NV_HCL_REPORT, &index, &err), err);
    assert_int_equal(index.len, full ? 2600 : 2048);
    assert_ok(skrfs_hcl_parse(skrfs_buf_bytes(&index), &hcl, &err), err);
    assert_ok(skrfs_hcl_check_binding(&hcl, &err), err);
    snprintf(path, sizeof(path), "%s/event-log", dir);
    assert_ok(skrfs_file_read(path, &guest->event_log, &err), err);
    assert_ok(skrfs_buf_append(&guest->claims, hcl.claims.data, hcl.claims.len, &err), err);
    assert_ok(skrfs_json_pack(&guest->client_payload, &err, "{s:s}", "nonce", "bm9uY2U="), err);
    collect_tpm(tpm, guest, key);
    if (tdx)
        collect_tdx(&hcl, guest);
    else
        collect_snp(&hcl, guest);
}

/* Sends evidence and opens the sealed token with the TPM. */
static void attest(struct skrfs_tpm *tpm, const struct skrfs_lab_guest *guest,
        const struct skrfs_tpm_ephemeral *key, struct skrfs_buf *ret_token) {
    skrfs_autobuf body = SKRFS_BUF((size_t)1024 * 1024);
    skrfs_autobuf text = SKRFS_BUF((size_t)256 * 1024);
    skrfs_autobuf sealed_text = SKRFS_BUF((size_t)256 * 1024);
    skrfs_autobuf inner = SKRFS_BUF(512);
    skrfs_autobuf cipher = SKRFS_BUF((size_t)128 * 1024);
    skrfs_autobuf iv = SKRFS_BUF(32);
    skrfs_autobuf tag = SKRFS_BUF(32);
    skrfs_autosecret *aes = NULL;
    skrfs_autojson *info = evidence_info(guest);
    evidence_body(info, &body);
    unsigned status = ask("attestation", "POST", "/attest/AzureGuest?api-version=2020-10-01",
            skrfs_buf_text(&body), "", &text);
    if (status != 200)
        print_error("%s\n", skrfs_buf_text(&text));
    assert_int_equal(status, 200);
    skrfs_autojson *answer = parse(&text);
    assert_ok(skrfs_json_need_base64(answer, "token", SKRFS_BASE64URL, &sealed_text, &err), err);
    skrfs_autojson *sealed = parse(&sealed_text);
    assert_ok(skrfs_json_need_base64(sealed, "EncryptedInnerKey", SKRFS_BASE64, &inner, &err), err);
    assert_ok(skrfs_json_need_base64(sealed, "Jwt", SKRFS_BASE64, &cipher, &err), err);
    assert_ok(skrfs_json_need_base64(sealed, "AuthenticationData", SKRFS_BASE64, &tag, &err), err);
    assert_ok(skrfs_json_need_base64(
                      skrfs_json_get(sealed, "EncryptionParams"), "Iv", SKRFS_BASE64, &iv, &err),
            err);
    assert_ok(
            skrfs_tpm_decrypt(tpm, key, SKRFS_TPM_RSAES, skrfs_buf_bytes(&inner), &aes, &err), err);
    struct skrfs_bytes aad = {(const uint8_t *)"Transport Key", 13};
    assert_ok(skrfs_gcm_open(aes, skrfs_buf_bytes(&iv), aad, skrfs_buf_bytes(&cipher),
                      skrfs_buf_bytes(&tag), ret_token, &err),
            err);
}

static void create_key(const char *service, bool tdx) {
    skrfs_autobuf policy = SKRFS_BUF(4096);
    skrfs_autobuf data = SKRFS_BUF(8192);
    skrfs_autobuf body = SKRFS_BUF(8192);
    skrfs_autobuf text = SKRFS_BUF(8192);
    skrfs_autobuf lab_text = SKRFS_BUF(4096);
    char path[96];
    snprintf(path, sizeof(path), "%s/lab.json", dir);
    assert_ok(skrfs_file_read(path, &lab_text, &err), err);
    skrfs_autojson *lab = parse(&lab_text);
    assert_ok(skrfs_policy_new_cvm(skrfs_json_string(skrfs_json_get(lab, "attestation")),
                      tdx ? "tdxvm" : "sevsnpvm", NULL, 0, &policy, &err),
            err);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, policy.data, policy.len, &data, &err), err);
    assert_ok(skrfs_buf_printf(&body, &err,
                      "{\"kty\":\"EC-HSM\",\"attributes\":{\"exportable\":true},\"release_policy\":"
                      "{\"data\":\"%s\"}}",
                      skrfs_buf_text(&data)),
            err);
    assert_int_equal(ask(service, "POST", "/keys/k/create?api%2Dversion=7.4", skrfs_buf_text(&body),
                             "--token", &text),
            200);
}

/* Asks for the key and unwraps it with the TPM. */
static void release_key(struct skrfs_tpm *tpm, const char *service, const struct skrfs_buf *token,
        const struct skrfs_tpm_ephemeral *key) {
    skrfs_autobuf body = SKRFS_BUF((size_t)64 * 1024);
    skrfs_autobuf text = SKRFS_BUF((size_t)64 * 1024);
    skrfs_autobuf part = SKRFS_BUF((size_t)64 * 1024);
    skrfs_autobuf inner = SKRFS_BUF((size_t)64 * 1024);
    skrfs_autobuf cipher = SKRFS_BUF((size_t)64 * 1024);
    skrfs_autosecret *aes = NULL;
    skrfs_autosecret *plain = NULL;
    skrfs_autopkey *pkey = NULL;
    assert_ok(skrfs_buf_printf(&body, &err, "{\"target\":\"%s\",\"enc\":\"RSA_AES_KEY_WRAP_256\"}",
                      skrfs_buf_text(token)),
            err);
    unsigned status = ask(service, "POST", "/keys/k/release?api-version=7.4", skrfs_buf_text(&body),
            "--token", &text);
    if (status != 200)
        print_error("%s\n", skrfs_buf_text(&text));
    assert_int_equal(status, 200);
    skrfs_autojson *answer = parse(&text);
    const char *payload = strchr(skrfs_json_string(skrfs_json_get(answer, "value")), '.') + 1;
    assert_ok(
            skrfs_base64_decode(SKRFS_BASE64URL, payload, strcspn(payload, "."), &part, &err), err);
    skrfs_autojson *said = parse(&part);
    const struct skrfs_json *released =
            skrfs_json_get(skrfs_json_get(skrfs_json_get(said, "response"), "key"), "key");
    assert_ok(skrfs_json_need_base64(released, "key_hsm", SKRFS_BASE64URL, &inner, &err), err);
    skrfs_autojson *wrapped = parse(&inner);
    assert_ok(skrfs_json_need_base64(wrapped, "ciphertext", SKRFS_BASE64URL, &cipher, &err), err);
    assert_ok(skrfs_tpm_decrypt(tpm, key, SKRFS_TPM_OAEP_SHA256,
                      (struct skrfs_bytes){cipher.data, 256}, &aes, &err),
            err);
    assert_ok(skrfs_kwp_unwrap(
                      aes, (struct skrfs_bytes){cipher.data + 256, cipher.len - 256}, &plain, &err),
            err);
    assert_ok(skrfs_pkey_from_pkcs8(skrfs_secret_data(plain), skrfs_secret_len(plain), &pkey, &err),
            err);
}

static void guest_gets_its_key(bool tdx) {
    char tcti[64];
    up(tdx ? "tdx" : "snp");
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = NULL;
    assert_ok(skrfs_tpm_open(tcti_of(tcti), &tpm, &err), err);
    create_key("vault", tdx);
    create_key("hsm", tdx);
    for (int full = 0; full < 2; full++) {
        struct skrfs_tpm_ephemeral key;
        skrfs_autoguest guest;
        skrfs_autobuf token = SKRFS_BUF((size_t)64 * 1024);
        collect(tpm, tdx, full, &guest, &key);
        attest(tpm, &guest, &key, &token);
        release_key(tpm, full ? "hsm" : "vault", &token, &key);
    }
    assert_ok(skrfs_lab_down(dir, &err), err);
}

static void snp_guest_gets_its_key(void **state) {
    (void)state;
    guest_gets_its_key(false);
}

static void tdx_guest_gets_its_key(void **state) {
    (void)state;
    guest_gets_its_key(true);
}

static pid_t pid_in(const char *name) {
    char path[120];
    skrfs_autobuf text = SKRFS_BUF(64);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_ok(skrfs_file_read(path, &text, &err), err);
    return (pid_t)strtol(skrfs_buf_text(&text), NULL, 10);
}

static void up_and_down_keep_to_their_folder(void **state) {
    struct skrfs_lab_options options = {.dir = dir};
    struct stat st;
    char path[120];
    skrfs_autobuf conf = SKRFS_BUF((size_t)64 * 1024);
    (void)state;
    up("snp");
    pid_t lab = pid_in("pid");
    pid_t swtpm = pid_in("swtpm.pid");
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    snprintf(path, sizeof(path), "%s/skrfs.conf", dir);
    assert_ok(skrfs_file_read(path, &conf, &err), err);
    assert_non_null(
            strstr(skrfs_buf_text(&conf), "[attestation]\nurl = https://maa.skrfs.localhost:"));
    assert_fails(skrfs_lab_up(&options, &err), err, SKRFS_CLASS_CONFIG, "is up already");
    assert_ok(skrfs_lab_down(dir, &err), err);
    assert_int_equal(kill(lab, 0), -1);
    assert_int_equal(kill(swtpm, 0), -1);
    assert_int_equal(stat(dir, &st), -1);
    assert_ok(skrfs_lab_down(dir, &err), err);
}

/* A lab that was killed leaves a folder without a process: swtpm ends with it, and `up` begins
 * anew. */
static void killed_lab_can_come_up_again(void **state) {
    (void)state;
    up("snp");
    pid_t swtpm = pid_in("swtpm.pid");
    assert_int_equal(kill(pid_in("pid"), SIGKILL), 0);
    for (int i = 0; i < 200 && kill(swtpm, 0) == 0; i++)
        usleep(10000);
    assert_int_equal(kill(swtpm, 0), -1);
    up("snp");
    assert_ok(skrfs_lab_down(dir, &err), err);
}

static void folders_of_others_are_left_alone(void **state) {
    struct skrfs_lab_options options = {.dir = base};
    char path[96];
    struct stat st;
    (void)state;
    snprintf(path, sizeof(path), "%s/body", base);
    assert_ok(skrfs_file_write(path, "mine", 4, 0600, &err), err);
    assert_fails(
            skrfs_lab_up(&options, &err), err, SKRFS_CLASS_CONFIG, "neither empty nor a lab's");
    assert_fails(skrfs_lab_down(base, &err), err, SKRFS_CLASS_CONFIG, "no lab's folder");
    assert_int_equal(stat(path, &st), 0);
    options.dir = dir;
    options.tee = "sgx";
    assert_fails(skrfs_lab_up(&options, &err), err, SKRFS_CLASS_CONFIG, "no TEE 'sgx'");
}

static unsigned list_with(const char *fault) {
    skrfs_autobuf text = SKRFS_BUF((size_t)16 * 1024 * 1024);
    assert_int_equal(ask("imds", "POST", "/lab/faults", fault, "", &text), 200);
    skrfs_buf_truncate(&text, 0);
    return ask("vault", "GET", "/keys?api-version=7.4", NULL, "--token --timeout 2", &text);
}

static void transport_breaks_when_told_to(void **state) {
    (void)state;
    up("snp");
    assert_int_equal(list_with("{\"at\":\"list\",\"status\":503}"), 503);
    assert_int_equal(list_with("{\"at\":\"list\",\"do\":\"reset\"}"), 0);
    assert_int_equal(list_with("{\"at\":\"list\",\"do\":\"half-body\"}"), 0);
    assert_int_equal(list_with("{\"at\":\"list\",\"do\":\"no-answer\"}"), 0);
    assert_int_equal(list_with("{\"at\":\"list\",\"cut_at\":0}"), 0);
    assert_int_equal(list_with("{\"at\":\"list\",\"cut_at\":1000000}"), 0);
    assert_int_equal(list_with("{\"at\":\"list\",\"stall_at\":3}"), 0);
    assert_int_equal(list_with("{\"at\":\"list\",\"status\":307,\"location\":\"https://x\"}"), 307);
    assert_int_equal(list_with("{\"at\":\"list\",\"do\":\"garbage\"}"), 200);
    assert_int_equal(list_with("{\"at\":\"list\",\"do\":\"oversize\"}"), 200);
    assert_int_equal(list_with("{\"at\":\"get\",\"status\":500}"), 200);
    assert_ok(skrfs_lab_down(dir, &err), err);
}

/* A test that failed leaves its lab up; the next wants none. */
static int down(void **state) {
    (void)state;
    return skrfs_lab_down(dir, &err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_teardown(snp_guest_gets_its_key, down),
            cmocka_unit_test_teardown(tdx_guest_gets_its_key, down),
            cmocka_unit_test_teardown(up_and_down_keep_to_their_folder, down),
            cmocka_unit_test_teardown(killed_lab_can_come_up_again, down),
            cmocka_unit_test_teardown(folders_of_others_are_left_alone, down),
            cmocka_unit_test_teardown(transport_breaks_when_told_to, down),
    };
    return cmocka_run_group_tests_name("lab up", tests, set_up, take_down);
}
