/* The wrapping key in secret memory, and what is bound to it. */
#include "guest.h"

#include <pthread.h>
#include <skrfs/base/encode.h>
#include <skrfs/crypto/encoding.h>
#include <skrfs/evidence/snp.h>
#include <skrfs/json/json.h>

#define autotee SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee
#define autokey SKRFS_CLEANUP(skrfs_tee_key_done) struct skrfs_tee_key

static void collect(struct skrfs_tee *tee, bool fresh, struct skrfs_evidence *evidence,
        struct skrfs_tee_key *key) {
    struct skrfs_error err = {0};
    assert_ok(guest_collect(tee, fresh, evidence, key, &err), err);
}

static void the_runtime_data_names_the_key(void **state) {
    struct skrfs_error err = {0};
    autokey key = {.rsa = NULL};
    skrfs_autoevidence evidence;
    skrfs_autojson *json = NULL;
    skrfs_autobuf n = SKRFS_BUF(512), thumb = SKRFS_BUF(1024), kid = SKRFS_BUF(64);
    struct skrfs_public public;
    uint8_t digest[32];
    const char *text;
    (void)state;
    skrfs_evidence_init(&evidence);
    guest_add_device();
    autotee *tee = guest_open("snp");
    collect(tee, false, &evidence, &key);
    assert_ok(skrfs_json_parse((const char *)evidence.runtime_data.data, evidence.runtime_data.len,
                      4096, &json, &err),
            err);
    const struct skrfs_json *jwk = skrfs_json_at(skrfs_json_get(json, "keys"), 0);
    assert_int_equal(skrfs_json_size(json), 1);
    assert_int_equal(skrfs_json_size(jwk), 5);
    assert_ok(skrfs_json_need_string(jwk, "kty", &text, &err), err);
    assert_string_equal(text, "RSA");
    assert_ok(skrfs_json_need_string(jwk, "e", &text, &err), err);
    assert_string_equal(text, "AQAB");
    assert_string_equal(
            skrfs_json_string(skrfs_json_at(skrfs_json_get(jwk, "key_ops"), 0)), "encrypt");
    assert_ok(skrfs_json_need_base64(jwk, "n", SKRFS_BASE64URL, &n, &err), err);
    assert_ok(skrfs_pkey_public(key.rsa, &public, &err), err);
    assert_int_equal(public.n_len, 256);
    assert_int_equal(n.len, 256);
    assert_memory_equal(public.n, n.data, 256);
    assert_ok(skrfs_json_need_string(jwk, "n", &text, &err), err);
    assert_ok(skrfs_buf_printf(&thumb, &err, "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"%s\"}", text),
            err);
    assert_ok(skrfs_hash(SKRFS_SHA256, thumb.data, thumb.len, digest, &err), err);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, digest, 32, &kid, &err), err);
    assert_ok(skrfs_json_need_string(jwk, "kid", &text, &err), err);
    assert_string_equal(text, skrfs_buf_text(&kid));
    assert_string_equal(key.kid, skrfs_buf_text(&kid));
}

static void a_key_stays_until_a_fresh_one_is_asked_for(void **state) {
    static const bool fresh[4] = {false, false, true, false};
    char kids[4][64];
    (void)state;
    guest_add_device();
    autotee *tee = guest_open("snp");
    for (size_t i = 0; i < 4; i++) {
        autokey key = {.rsa = NULL};
        skrfs_autoevidence evidence;
        skrfs_evidence_init(&evidence);
        collect(tee, fresh[i], &evidence, &key);
        memcpy(kids[i], key.kid, sizeof(kids[i]));
    }
    assert_string_equal(kids[0], kids[1]);
    assert_string_not_equal(kids[1], kids[2]);
    assert_string_equal(kids[2], kids[3]);
}

/* A report says nothing but whose the key is: one of a moment ago does for it, and for no other. */
static void a_report_is_used_again_for_the_same_key(void **state) {
    (void)state;
    guest_add_device();
    autotee *tee = guest_open("snp");
    for (unsigned i = 0; i < 6; i++) {
        struct skrfs_error err = {0};
        autokey key = {.rsa = NULL};
        struct skrfs_snp snp;
        uint8_t digest[32];
        skrfs_autoevidence evidence;
        skrfs_evidence_init(&evidence);
        collect(tee, i == 3, &evidence, &key);
        assert_int_equal(sev_counts.firmware, i < 3 ? 1 : 2);
        assert_ok(skrfs_snp_parse(skrfs_buf_bytes(&evidence.report), &snp, &err), err);
        assert_ok(skrfs_hash(SKRFS_SHA256, evidence.runtime_data.data, evidence.runtime_data.len,
                          digest, &err),
                err);
        assert_memory_equal(snp.report_data, digest, 32);
    }
}

static void a_clear_token_is_taken_and_no_sealed_one(void **state) {
    struct skrfs_error err = {0};
    autokey key = {.rsa = NULL};
    skrfs_autoevidence evidence;
    skrfs_autosealed token;
    skrfs_autobuf out = SKRFS_BUF(SKRFS_TOKEN_MAX);
    (void)state;
    skrfs_evidence_init(&evidence);
    skrfs_sealed_token_init(&token);
    guest_add_device();
    autotee *tee = guest_open("snp");
    collect(tee, false, &evidence, &key);
    assert_fails(tee->ops->open_token(tee, &key, &token, &out, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "sealed");
    assert_ok(skrfs_buf_append_text(&token.clear, "a.b.c", &err), err);
    assert_ok(tee->ops->open_token(tee, &key, &token, &out, &err), err);
    assert_string_equal(skrfs_buf_text(&out), "a.b.c");
    assert_ok(skrfs_buf_append_text(&token.inner_key, "x", &err), err);
    assert_fails(tee->ops->open_token(tee, &key, &token, &out, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "sealed");
}

/* As the vault: RSA-OAEP of a key for AES-KWP of the plaintext. */
static void wrap(
        const struct skrfs_pkey *to, enum skrfs_enc enc, const char *plain, struct skrfs_buf *out) {
    struct skrfs_error err = {0};
    uint8_t kek_octets[32];
    skrfs_autosecret *kek = NULL, *secret = NULL;
    assert_ok(skrfs_random(kek_octets, sizeof(kek_octets), &err), err);
    assert_ok(skrfs_secret_copy(kek_octets, sizeof(kek_octets), &kek, &err), err);
    assert_ok(skrfs_secret_copy(plain, strlen(plain), &secret, &err), err);
    assert_ok(skrfs_oaep_encrypt(to, skrfs_enc_hash(enc),
                      (struct skrfs_bytes){kek_octets, sizeof(kek_octets)}, out, &err),
            err);
    assert_ok(skrfs_kwp_wrap(kek, secret, out, &err), err);
}

static void what_is_wrapped_to_it_is_unwrapped(void **state) {
    static const enum skrfs_enc encs[] = {SKRFS_ENC_SHA1, SKRFS_ENC_SHA256, SKRFS_ENC_SHA384};
    struct skrfs_error err = {0};
    autokey key = {.rsa = NULL};
    skrfs_autoevidence evidence;
    (void)state;
    skrfs_evidence_init(&evidence);
    guest_add_device();
    autotee *tee = guest_open("snp");
    collect(tee, false, &evidence, &key);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(encs); i++) {
        skrfs_autosecret *plain = NULL;
        skrfs_autobuf wrapped = SKRFS_BUF(4096);
        wrap(key.rsa, encs[i], "the released key", &wrapped);
        assert_ok(
                tee->ops->unwrap(tee, &key, encs[i], skrfs_buf_bytes(&wrapped), &plain, &err), err);
        assert_true(skrfs_secret_equal(plain, "the released key", 16));
        enum skrfs_enc other = encs[(i + 1) % 3];
        skrfs_autosecret *none = NULL;
        assert_int_equal(
                tee->ops->unwrap(tee, &key, other, skrfs_buf_bytes(&wrapped), &none, &err), -1);
        assert_int_equal(err.kind, SKRFS_CLASS_CRYPTO);
        for (size_t at = 0; at < wrapped.len; at += 37) {
            wrapped.data[at] ^= 1;
            assert_int_equal(
                    tee->ops->unwrap(tee, &key, encs[i], skrfs_buf_bytes(&wrapped), &none, &err),
                    -1);
            assert_int_equal(err.kind, SKRFS_CLASS_CRYPTO);
            wrapped.data[at] ^= 1;
        }
        assert_null(none);
    }
}

static void what_is_too_short_or_anothers_is_not(void **state) {
    struct skrfs_error err = {0};
    autokey key = {.rsa = NULL}, fresh = {.rsa = NULL};
    skrfs_autoevidence evidence;
    skrfs_autosecret *plain = NULL;
    skrfs_autobuf wrapped = SKRFS_BUF(4096);
    (void)state;
    skrfs_evidence_init(&evidence);
    guest_add_device();
    autotee *tee = guest_open("snp");
    collect(tee, false, &evidence, &key);
    wrap(key.rsa, SKRFS_ENC_SHA256, "the released key", &wrapped);
    for (size_t len = 0; len <= 256; len += 64)
        assert_fails(tee->ops->unwrap(tee, &key, SKRFS_ENC_SHA256,
                             (struct skrfs_bytes){wrapped.data, len}, &plain, &err),
                err, SKRFS_CLASS_BAD_ANSWER, "truncated");
    skrfs_evidence_done(&evidence);
    skrfs_evidence_init(&evidence);
    collect(tee, true, &evidence, &fresh);
    assert_fails(tee->ops->unwrap(
                         tee, &fresh, SKRFS_ENC_SHA256, skrfs_buf_bytes(&wrapped), &plain, &err),
            err, SKRFS_CLASS_CRYPTO, "unwrap the released key");
    /* The old one still opens what was wrapped to it. */
    assert_ok(
            tee->ops->unwrap(tee, &key, SKRFS_ENC_SHA256, skrfs_buf_bytes(&wrapped), &plain, &err),
            err);
}

static void a_key_outlives_its_tee(void **state) {
    struct skrfs_error err = {0};
    autokey key = {.rsa = NULL};
    skrfs_autoevidence evidence;
    struct skrfs_public public;
    (void)state;
    skrfs_evidence_init(&evidence);
    guest_add_device();
    struct skrfs_tee *tee = guest_open("snp");
    collect(tee, false, &evidence, &key);
    skrfs_tee_close(tee);
    assert_ok(skrfs_pkey_public(key.rsa, &public, &err), err);
}

static int answer_vector(void *context, const uint8_t report_data[64], unsigned privlevel,
        struct skrfs_buf *report, struct skrfs_buf *table) {
    struct skrfs_error err = {0};
    const struct skrfs_buf *vector = context;
    (void)report_data;
    (void)privlevel;
    (void)table;
    assert_ok(skrfs_buf_append(report, vector->data, vector->len, &err), err);
    return 0;
}

/* Real reports are taken apart, and refused because they are over another's data. */
static void anothers_real_report_is_rejected(void **state) {
    static const struct {
        const char *provider, *kind, *name;
    } cases[] = {{"sev_guest", "snp", "containers-sgx-tdx/snp-aci-a/snp_report.bin"},
            {"sev_guest", "snp", "containers-sgx-tdx/snp-turin-v5/turin_attestation_report.bin"},
            {"tdx_guest", "tdx", "containers-sgx-tdx/tdx/tdx_prod_quote_SPR_E4.dat"},
            {"tdx_guest", "tdx", "containers-sgx-tdx/tdx/quote_v5_sample.dat"},
            {"tdx_guest", "tdx", "containers-sgx-tdx/tdx-azure/td-quote.bin"}};
    (void)state;
    guest_add_tsm("sev_guest");
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        skrfs_autobuf vector = SKRFS_BUF(1);
        vector_read(cases[i].name, &vector);
        const struct tsm_settings settings = {
                .provider = cases[i].provider, .firmware = answer_vector, .context = &vector};
        tsm_set(&settings);
        autotee *tee = guest_open(cases[i].kind);
        guest_collect_fails(tee, SKRFS_CLASS_REJECTED, "over other data");
    }
}

static void a_debug_guest_is_refused_unless_allowed(void **state) {
    struct skrfs_error err = {0};
    (void)state;
    guest.debug = true;
    for (unsigned i = 0; i < 2; i++) {
        const char *kind = i ? "tdx" : "snp";
        if (i)
            guest_add_tsm("tdx_guest");
        else
            guest_add_device();
        autotee *strict = guest_open(kind), *lax = NULL;
        guest_collect_fails(strict, SKRFS_CLASS_REJECTED, "debug guest");
        struct skrfs_tee_options options = guest_options(kind);
        options.allow_debug = true;
        assert_ok(skrfs_tee_open(&options, &lax, &err), err);
        guest_collect_ok(lax);
    }
}

static int open_with(const char *init_data, struct skrfs_tee **ret_tee, struct skrfs_error *err) {
    char path[128];
    guest_write("init.json", init_data, strlen(init_data));
    snprintf(path, sizeof(path), "%s/init.json", guest.dir);
    struct skrfs_tee_options options = guest_options("snp");
    options.init_data_file = path;
    return skrfs_tee_open(&options, ret_tee, err);
}

static void init_data_must_be_the_guests(void **state) {
    static const char data[] = "{\"app\":\"one\"}";
    struct skrfs_error err = {0};
    struct skrfs_tee *none = NULL;
    autokey key = {.rsa = NULL};
    skrfs_autoevidence evidence;
    (void)state;
    skrfs_evidence_init(&evidence);
    guest_add_device();
    assert_fails(open_with("package policy", &none, &err), err, SKRFS_CLASS_CONFIG, "JSON");
    autotee *tee = NULL;
    assert_ok(open_with(data, &tee, &err), err);
    guest_collect_fails(tee, SKRFS_CLASS_REJECTED, "host data");
    assert_ok(skrfs_hash(SKRFS_SHA256, data, strlen(data), guest.host_data, &err), err);
    collect(tee, true, &evidence, &key);
    assert_string_equal(skrfs_buf_text(&evidence.init_data), data);
    struct skrfs_tee_options options = guest_options("snp");
    options.init_data_file = "/nonexistent/init.json";
    assert_fails(skrfs_tee_open(&options, &none, &err), err, SKRFS_CLASS_CONFIG, "[tee] init-data");
}

static void a_certificates_file_travels_as_it_is(void **state) {
    struct skrfs_error err = {0};
    autokey key = {.rsa = NULL};
    skrfs_autoevidence evidence;
    char path[128];
    autotee *tee = NULL;
    struct skrfs_tee *none = NULL;
    (void)state;
    skrfs_evidence_init(&evidence);
    guest_add_device();
    guest_write("chain", "whatever it is", 14);
    snprintf(path, sizeof(path), "%s/chain", guest.dir);
    struct skrfs_tee_options options = guest_options("snp");
    options.certificates_file = path;
    assert_ok(skrfs_tee_open(&options, &tee, &err), err);
    collect(tee, false, &evidence, &key);
    assert_string_equal(skrfs_buf_text(&evidence.certificates[SKRFS_CERTS_FILE]), "whatever it is");
    options.certificates_file = "/nonexistent/chain";
    assert_fails(skrfs_tee_open(&options, &none, &err), err, SKRFS_CLASS_CONFIG,
            "[tee] certificates-file");
}

static void a_trace_tells_the_steps(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_trace trace;
    struct skrfs_evidence none;
    autokey key = {.rsa = NULL};
    skrfs_autoevidence evidence;
    (void)state;
    skrfs_evidence_init(&evidence);
    skrfs_trace_start(&trace);
    guest_add_device();
    autotee *tee = guest_open("snp");
    assert_ok(tee->ops->collect(tee, NONCE, false, &trace, &evidence, &key, &err), err);
    assert_int_equal(trace.count, 3);
    for (size_t i = 0; i < trace.count; i++)
        assert_false(trace.steps[i].failed);
    sev_settings.wiped = true;
    struct skrfs_tee_key no_key;
    assert_int_equal(tee->ops->collect(tee, NONCE, true, &trace, &none, &no_key, &err), -1);
    assert_true(trace.steps[trace.count - 1].failed);
}

static void *collect_in_thread(void *argument) {
    guest_collect_ok(argument);
    return NULL;
}

/* The teardown sees to it that never two are with the firmware. */
static void one_call_of_the_firmware_at_a_time(void **state) {
    pthread_t threads[6];
    (void)state;
    guest_add_device();
    sev_settings.delay_ms = 30;
    autotee *tee = guest_open("snp");
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, collect_in_thread, tee), 0);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(sev_counts.firmware, SKRFS_ARRAY_LEN(threads));
    assert_int_equal(sev_counts.most, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            GUEST_TEST(the_runtime_data_names_the_key),
            GUEST_TEST(a_key_stays_until_a_fresh_one_is_asked_for),
            GUEST_TEST(a_report_is_used_again_for_the_same_key),
            GUEST_TEST(a_clear_token_is_taken_and_no_sealed_one),
            GUEST_TEST(what_is_wrapped_to_it_is_unwrapped),
            GUEST_TEST(what_is_too_short_or_anothers_is_not),
            GUEST_TEST(a_key_outlives_its_tee),
            GUEST_TEST(anothers_real_report_is_rejected),
            GUEST_TEST(a_debug_guest_is_refused_unless_allowed),
            GUEST_TEST(init_data_must_be_the_guests),
            GUEST_TEST(a_certificates_file_travels_as_it_is),
            GUEST_TEST(a_trace_tells_the_steps),
            GUEST_TEST(one_call_of_the_firmware_at_a_time),
    };
    return cmocka_run_group_tests_name("direct", tests, NULL, NULL);
}
