/* The TPM's commands against a software TPM. */
#include "handles.h"
#include "keys.h"
#include "support.h"
#include "swtpm.h"

#include <pthread.h>
#include <skrfs/base/file.h>
#include <skrfs/crypto/wrap.h>
#include <skrfs/tpm/attest.h>
#include <skrfs/tpm/provision.h>

static struct swtpm soft;

static struct skrfs_bytes view(const struct skrfs_tpm_blob *blob) {
    return (struct skrfs_bytes){blob->data, blob->len};
}

static struct skrfs_tpm *open_tpm(void) {
    struct skrfs_error err = {0};
    struct skrfs_tpm *tpm = NULL;
    assert_ok(skrfs_tpm_open(soft.tcti, &tpm, &err), err);
    return tpm;
}

static void verify(const uint8_t modulus[256], const struct skrfs_tpm_attestation *made) {
    struct skrfs_error err = {0};
    skrfs_autopkey *key = rsa_key(modulus);
    assert_ok(
            skrfs_rsa_verify(key, SKRFS_SHA256, view(&made->attest), view(&made->signature), &err),
            err);
}

static int start(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = NULL;
    struct skrfs_tpm_blob public;
    uint8_t modulus[256];
    (void)state;
    if (skrfs_crypto_setup(&err) < 0 || swtpm_start(&soft) != 0)
        return -1;
    if (skrfs_tpm_open(soft.tcti, &tpm, &err) < 0 ||
            skrfs_tpm_make_ak(tpm, &public, modulus, &err) < 0) {
        print_error("%s\n", err.message);
        return -1;
    }
    return 0;
}

static int stop(void **state) {
    (void)state;
    swtpm_stop(&soft);
    return 0;
}

static int nothing_stays(void **state) {
    (void)state;
    unsigned count = handles_loaded(soft.tcti);
    if (count != 0)
        print_error("%u handles stayed loaded\n", count);
    return count == 0 ? 0 : -1;
}

static void no_tpm_is_no_tee(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tpm *tpm = NULL;
    (void)state;
    assert_fails(skrfs_tpm_open("device:/nonexistent/tpmrm0", &tpm, &err), err, SKRFS_CLASS_NO_TEE,
            "no TPM at /nonexistent/tpmrm0");
    assert_fails(skrfs_tpm_open("nonsense:x", &tpm, &err), err, SKRFS_CLASS_NO_TEE,
            "no TPM can be reached");
    assert_null(tpm);
}

/* At level "debug" libtss2 writes every response: keys that the TPM decrypted, too. */
static void libtss2_writes_no_log(void **state) {
    (void)state;
    struct skrfs_tpm *tpm = NULL;
    struct skrfs_error err = {0};
    assert_int_equal(setenv("TSS2_LOG", "all+TRACE", 1), 0);
    assert_int_equal(skrfs_tpm_open("device:/nonexistent", &tpm, &err), -1);
    assert_string_equal(getenv("TSS2_LOG"), "all+NONE");
    assert_int_equal(setenv("TSS2_LOG", "all+TRACE", 1), 0);
    assert_int_equal(skrfs_tpm_open_fd(-1, &tpm, &err), -1);
    assert_string_equal(getenv("TSS2_LOG"), "all+NONE");
}

static void an_attestation_key_is_as_azures(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    struct skrfs_tpm_blob made, read;
    struct skrfs_tpm_rsa_public public;
    uint8_t made_modulus[256], read_modulus[256];
    (void)state;
    assert_ok(skrfs_tpm_make_ak(tpm, &made, made_modulus, &err), err);
    assert_ok(skrfs_tpm_read_public(tpm, SKRFS_TPM_AK, &read, read_modulus, &err), err);
    assert_memory_equal(made_modulus, read_modulus, 256);
    assert_int_equal(made.len, read.len);
    assert_memory_equal(made.data, read.data, made.len);
    assert_ok(skrfs_tpm_public_parse(view(&read), &public, &err), err);
    /* fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign */
    assert_int_equal(public.attributes, 0x00050472);
    assert_memory_equal(public.modulus, read_modulus, 256);
    assert_int_equal(public.policy_len, 0);
    assert_fails(skrfs_tpm_read_public(tpm, 0x81000077, &read, read_modulus, &err), err,
            SKRFS_CLASS_NO_TEE, "0x81000077");
}

static void an_index_is_read_whole(void **state) {
    static const size_t sizes[] = {1, 64, 1023, 1024, 1025, 2048};
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    uint8_t data[2048];
    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(sizes); i++) {
        skrfs_autobuf got = SKRFS_BUF(4096);
        struct skrfs_bytes part = {data, sizes[i] - (sizes[i] > 100 ? 10 : 0)};
        assert_ok(skrfs_tpm_nv_define(tpm, 0x01400001, part, sizes[i], &err), err);
        assert_ok(skrfs_buf_append_text(&got, "x", &err), err);
        assert_ok(skrfs_tpm_nv_read(tpm, 0x01400001, &got, &err), err);
        assert_int_equal(got.len, 1 + sizes[i]);
        assert_memory_equal(got.data + 1, data, part.len);
        for (size_t k = part.len; k < sizes[i]; k++)
            assert_int_equal(got.data[1 + k], 0);
    }
}

static void an_index_that_is_none_is_told_apart(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    skrfs_autobuf got = SKRFS_BUF(4096), small = SKRFS_BUF(100);
    char command[256];
    (void)state;
    assert_fails(skrfs_tpm_nv_read(tpm, 0x01400077, &got, &err), err, SKRFS_CLASS_NO_TEE,
            "index 0x01400077");
    assert_false(err.retryable);
    assert_int_equal(err.upstream, 0x18B);
    snprintf(command, sizeof(command),
            "TPM2TOOLS_TCTI=%s tpm2_nvdefine -Q 0x01400078 -C o -s 64 -a 'ownerread|ownerwrite'",
            soft.tcti);
    assert_int_equal(system(command), 0);
    assert_fails(skrfs_tpm_nv_read(tpm, 0x01400078, &got, &err), err, SKRFS_CLASS_UNAVAILABLE,
            "not provisioned yet");
    assert_true(err.retryable);
    assert_int_equal(err.upstream, 0x14A);
    assert_int_equal(got.len, 0);
    struct skrfs_bytes none = {NULL, 0};
    assert_ok(skrfs_tpm_nv_define(tpm, 0x01400079, none, 1500, &err), err);
    assert_fails(skrfs_tpm_nv_read(tpm, 0x01400079, &small, &err), err, SKRFS_CLASS_BAD_ANSWER, "");
    assert_int_equal(small.len, 0);
    assert_fails(skrfs_tpm_nv_define(tpm, 0x0140007A, none, 2600, &err), err, SKRFS_CLASS_CONFIG,
            "2048");
}

static void a_quote_covers_pcr_0_to_7(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    struct skrfs_tpm_attestation quote;
    struct skrfs_tpm_blob public;
    struct skrfs_attest attest;
    uint8_t modulus[256], pcrs[8][32], before[32], digest[32];
    (void)state;
    assert_ok(skrfs_tpm_pcr_read(tpm, pcrs, &err), err);
    memcpy(before, pcrs[3], 32);
    assert_ok(skrfs_tpm_pcr_extend(tpm, 3, (const uint8_t[32]){7}, &err), err);
    assert_ok(skrfs_tpm_pcr_read(tpm, pcrs, &err), err);
    assert_memory_not_equal(before, pcrs[3], 32);
    assert_ok(skrfs_tpm_read_public(tpm, SKRFS_TPM_AK, &public, modulus, &err), err);
    assert_ok(skrfs_tpm_quote(tpm, SKRFS_TPM_AK, &quote, &err), err);
    verify(modulus, &quote);
    assert_ok(skrfs_attest_parse(view(&quote.attest), &attest, &err), err);
    assert_int_equal(attest.kind, SKRFS_ATTEST_QUOTE);
    assert_true(attest.pcrs_0_to_7_only);
    assert_int_equal(attest.extra_len, 0);
    assert_ok(skrfs_hash(SKRFS_SHA256, pcrs, sizeof(pcrs), digest, &err), err);
    assert_int_equal(attest.digest_len, 32);
    assert_memory_equal(attest.digest, digest, 32);
    assert_fails(skrfs_tpm_quote(tpm, 0x81000077, &quote, &err), err, SKRFS_CLASS_NO_TEE, "");
}

static void the_ephemeral_key_is_made_anew_bit_for_bit(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    static struct skrfs_tpm_ephemeral first, second, other;
    static struct skrfs_tpm_attestation certified;
    struct skrfs_tpm_blob ak;
    struct skrfs_tpm_rsa_public public;
    struct skrfs_attest attest;
    uint8_t pcrs[8][32], modulus[256], policy[32], unique[256] = {1};
    (void)state;
    assert_ok(skrfs_tpm_pcr_read(tpm, pcrs, &err), err);
    assert_ok(skrfs_tpm_ephemeral(tpm, SKRFS_TPM_AK, pcrs, NULL, &first, &certified, &err), err);
    assert_ok(skrfs_tpm_ephemeral(tpm, SKRFS_TPM_AK, pcrs, NULL, &second, &certified, &err), err);
    assert_int_equal(first.public.len, second.public.len);
    assert_memory_equal(first.public.data, second.public.data, first.public.len);
    assert_memory_equal(first.modulus, second.modulus, 256);
    assert_memory_equal(first.pcr_digest, second.pcr_digest, 32);
    assert_memory_equal(first.unique, second.unique, 256);
    assert_ok(skrfs_tpm_read_public(tpm, SKRFS_TPM_AK, &ak, modulus, &err), err);
    verify(modulus, &certified);
    assert_ok(skrfs_tpm_public_parse(view(&first.public), &public, &err), err);
    assert_ok(skrfs_attest_parse(view(&certified.attest), &attest, &err), err);
    assert_int_equal(attest.kind, SKRFS_ATTEST_CERTIFY);
    assert_int_equal(attest.name_len, sizeof(public.name));
    assert_memory_equal(attest.name, public.name, sizeof(public.name));
    /* decrypt, fixedTPM, fixedParent, sensitiveDataOrigin, noDA and nothing else */
    assert_int_equal(public.attributes, 0x00020432);
    assert_ok(skrfs_tpm_pcr_policy(first.pcr_digest, policy, &err), err);
    assert_int_equal(public.policy_len, 32);
    assert_memory_equal(public.policy, policy, 32);
    assert_memory_equal(public.modulus, first.modulus, 256);
    assert_ok(skrfs_tpm_ephemeral(tpm, SKRFS_TPM_AK, pcrs, unique, &other, &certified, &err), err);
    assert_memory_not_equal(first.modulus, other.modulus, 256);
}

/* Also plaintexts that end in zeros, which a text-minded reader would cut. */
static void every_scheme_decrypts(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    struct skrfs_tpm_ephemeral key;
    (void)state;
    make_key(tpm, &key);
    for (enum skrfs_tpm_scheme scheme = SKRFS_TPM_RSAES; scheme <= SKRFS_TPM_OAEP_SHA384;
            scheme++) {
        uint8_t plain[32] = {0, 1, 2, 3};
        for (size_t len = 16; len <= 32; len += 16) {
            skrfs_autobuf cipher = SKRFS_BUF(512);
            skrfs_autosecret *got = NULL;
            encrypt(&key, scheme, (struct skrfs_bytes){plain, len}, &cipher);
            assert_ok(skrfs_tpm_decrypt(tpm, &key, scheme, skrfs_buf_bytes(&cipher), &got, &err),
                    err);
            assert_int_equal(skrfs_secret_len(got), len);
            assert_true(skrfs_secret_equal(got, plain, len));
        }
    }
}

static void a_wrong_ciphertext_is_refused(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    struct skrfs_tpm_ephemeral key;
    (void)state;
    make_key(tpm, &key);
    for (enum skrfs_tpm_scheme scheme = SKRFS_TPM_RSAES; scheme <= SKRFS_TPM_OAEP_SHA256;
            scheme++) {
        skrfs_autobuf cipher = SKRFS_BUF(512);
        skrfs_autosecret *got = NULL;
        encrypt(&key, scheme, (struct skrfs_bytes){(const uint8_t *)"0123456789abcdef", 16},
                &cipher);
        cipher.data[100] ^= 1;
        assert_fails(skrfs_tpm_decrypt(tpm, &key, scheme, skrfs_buf_bytes(&cipher), &got, &err),
                err, SKRFS_CLASS_CRYPTO, "not wrapped to this key");
        skrfs_buf_truncate(&cipher, 255);
        assert_fails(skrfs_tpm_decrypt(tpm, &key, scheme, skrfs_buf_bytes(&cipher), &got, &err),
                err, SKRFS_CLASS_CRYPTO, "255");
        assert_null(got);
    }
    skrfs_autobuf cipher = SKRFS_BUF(512);
    skrfs_autosecret *got = NULL;
    encrypt(&key, SKRFS_TPM_OAEP_SHA1, (struct skrfs_bytes){(const uint8_t *)"x", 1}, &cipher);
    assert_fails(skrfs_tpm_decrypt(
                         tpm, &key, SKRFS_TPM_OAEP_SHA256, skrfs_buf_bytes(&cipher), &got, &err),
            err, SKRFS_CLASS_CRYPTO, "not wrapped to this key");
}

static void changed_pcrs_lock_the_key(void **state) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    struct skrfs_tpm_ephemeral key;
    skrfs_autobuf cipher = SKRFS_BUF(512);
    skrfs_autosecret *got = NULL;
    (void)state;
    make_key(tpm, &key);
    encrypt(&key, SKRFS_TPM_OAEP_SHA256, (struct skrfs_bytes){(const uint8_t *)"secret", 6},
            &cipher);
    /* A PCR outside of 0 to 7 does not matter. */
    assert_ok(skrfs_tpm_pcr_extend(tpm, 11, (const uint8_t[32]){1}, &err), err);
    assert_ok(skrfs_tpm_decrypt(
                      tpm, &key, SKRFS_TPM_OAEP_SHA256, skrfs_buf_bytes(&cipher), &got, &err),
            err);
    skrfs_secret_unref(skrfs_take(got));
    assert_ok(skrfs_tpm_pcr_extend(tpm, 7, (const uint8_t[32]){1}, &err), err);
    assert_fails(skrfs_tpm_decrypt(
                         tpm, &key, SKRFS_TPM_OAEP_SHA256, skrfs_buf_bytes(&cipher), &got, &err),
            err, SKRFS_CLASS_CRYPTO, "PCR 0 to 7");
}

static void a_reset_makes_another_key(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tpm_ephemeral key;
    skrfs_autobuf cipher = SKRFS_BUF(512);
    skrfs_autosecret *got = NULL;
    (void)state;
    {
        SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
        make_key(tpm, &key);
    }
    encrypt(&key, SKRFS_TPM_RSAES, (struct skrfs_bytes){(const uint8_t *)"secret", 6}, &cipher);
    assert_int_equal(swtpm_restart(&soft), 0);
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    assert_fails(
            skrfs_tpm_decrypt(tpm, &key, SKRFS_TPM_RSAES, skrfs_buf_bytes(&cipher), &got, &err),
            err, SKRFS_CLASS_CRYPTO, "reset");
}

struct user {
    struct skrfs_tpm *tpm;
    const struct skrfs_tpm_ephemeral *key;
    const struct skrfs_buf *cipher;
    unsigned good;
};

static void *use(void *argument) {
    struct user *user = argument;
    for (unsigned i = 0; i < 4; i++) {
        struct skrfs_error err = {0};
        struct skrfs_tpm_attestation quote;
        skrfs_autosecret *got = NULL;
        user->good += skrfs_tpm_quote(user->tpm, SKRFS_TPM_AK, &quote, &err) == 0 &&
                      skrfs_tpm_decrypt(user->tpm, user->key, SKRFS_TPM_RSAES,
                              skrfs_buf_bytes(user->cipher), &got, &err) == 0 &&
                      skrfs_secret_equal(got, "shared", 6);
    }
    return NULL;
}

static void threads_may_share_it(void **state) {
    SKRFS_CLEANUP(skrfs_tpm_close_p) struct skrfs_tpm *tpm = open_tpm();
    struct skrfs_tpm_ephemeral key;
    skrfs_autobuf cipher = SKRFS_BUF(512);
    struct user users[3];
    pthread_t threads[3];
    (void)state;
    make_key(tpm, &key);
    encrypt(&key, SKRFS_TPM_RSAES, (struct skrfs_bytes){(const uint8_t *)"shared", 6}, &cipher);
    for (size_t i = 0; i < 3; i++) {
        users[i] = (struct user){.tpm = tpm, .key = &key, .cipher = &cipher};
        assert_int_equal(pthread_create(&threads[i], NULL, use, &users[i]), 0);
    }
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(users[i].good, 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(no_tpm_is_no_tee),
            cmocka_unit_test(libtss2_writes_no_log),
            cmocka_unit_test_teardown(an_attestation_key_is_as_azures, nothing_stays),
            cmocka_unit_test_teardown(an_index_is_read_whole, nothing_stays),
            cmocka_unit_test_teardown(an_index_that_is_none_is_told_apart, nothing_stays),
            cmocka_unit_test_teardown(a_quote_covers_pcr_0_to_7, nothing_stays),
            cmocka_unit_test_teardown(the_ephemeral_key_is_made_anew_bit_for_bit, nothing_stays),
            cmocka_unit_test_teardown(every_scheme_decrypts, nothing_stays),
            cmocka_unit_test_teardown(a_wrong_ciphertext_is_refused, nothing_stays),
            cmocka_unit_test_teardown(changed_pcrs_lock_the_key, nothing_stays),
            cmocka_unit_test_teardown(a_reset_makes_another_key, nothing_stays),
            cmocka_unit_test_teardown(threads_may_share_it, nothing_stays),
    };
    return cmocka_run_group_tests_name("tpm", tests, start, stop);
}
