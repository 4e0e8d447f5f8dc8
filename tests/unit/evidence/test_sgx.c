/* SGX quotes: what published ones say, what they prove, and that nothing of that can be altered. */
#include "altered.h"

#include <skrfs/crypto/hash.h>
#include <skrfs/evidence/sgx.h>

#define OLD_BODY SAMPLES "sgx/oe-sdk.post.attest.body.json"

struct sample {
    const char *name;
    size_t header; /* of Open Enclave, in front */
    bool debug;
    uint64_t flags;
    const char *mrenclave, *mrsigner, *data;
    unsigned product_id, svn;
};

static const struct sample samples[] = {
        {SAMPLES "sgx/intel-sdk.enclave.info.release.json", 0, false, 5, "d37d983a", "feb995eb",
                "7192385c", 1, 1},
        {SAMPLES "sgx/intel-sdk.enclave.info.debug.json", 0, true, 7, "3e2df98f", "feb995eb",
                "7192385c", 1, 1},
        {SAMPLES "sgx/oe-sdk.enclave.info.release.json", 16, false, 5, "4d62dedf", "62ba6bca",
                "f236d4f7", 1, 1},
        {OLD_BODY, 16, false, 5, "90a32821", "", "7bcccf07", 1, 8888},
};

static void hex_of(const struct skrfs_json *json, const char *name, struct skrfs_buf *out) {
    struct skrfs_error err = {0};
    const char *hex = skrfs_json_string(skrfs_json_get(json, name));
    uint8_t *space = NULL;
    assert_non_null(hex);
    *out = SKRFS_BUF(SAMPLE_MAX);
    assert_ok(skrfs_buf_extend(out, strlen(hex) / 2, &space, &err), err);
    assert_ok(skrfs_hex_decode(hex, space, strlen(hex) / 2, &err), err);
}

static void read_sample(
        const struct sample *sample, struct skrfs_buf *octets, struct skrfs_buf *held) {
    skrfs_autojson *json = NULL;
    read_json(sample->name, &json);
    if (strcmp(sample->name, OLD_BODY) != 0) {
        hex_of(json, "QuoteHex", octets);
        hex_of(json, "EnclaveHeldDataHex", held);
        return;
    }
    *octets = SKRFS_BUF(SAMPLE_MAX);
    *held = SKRFS_BUF(SAMPLE_MAX);
    base64_of(json, "Quote", octets);
    base64_of(json, "EnclaveHeldData", held);
}

/* The quote alone, of its declared length. */
static void read_quote(const struct sample *sample, struct skrfs_buf *quote) {
    struct skrfs_error err = {0};
    struct skrfs_bytes inner;
    skrfs_autobuf octets, held;
    read_sample(sample, &octets, &held);
    assert_ok(skrfs_oe_unwrap(skrfs_buf_bytes(&octets), &inner, NULL, &err), err);
    *quote = SKRFS_BUF(SAMPLE_MAX);
    assert_ok(skrfs_buf_append(quote, inner.data, inner.len, &err), err);
}

static int judge(struct skrfs_bytes quote, void *with, struct skrfs_error *err) {
    struct skrfs_sgx_quote parsed;
    (void)with;
    return skrfs_sgx_quote_parse(quote, &parsed, err) < 0
                   ? -1
                   : skrfs_sgx_quote_verify(quote, &parsed, NULL, err);
}

static int unwrap(
        struct skrfs_bytes data, struct skrfs_bytes *ret_claims, struct skrfs_error *err) {
    struct skrfs_bytes quote;
    return skrfs_oe_unwrap(data, &quote, ret_claims, err);
}

static void check_sample(const struct sample *sample) {
    struct skrfs_error err = {0};
    struct skrfs_bytes quote, claims;
    struct skrfs_sgx_quote parsed;
    skrfs_autochain *chain = NULL;
    uint8_t digest[32];
    skrfs_autobuf octets, held;
    read_sample(sample, &octets, &held);
    assert_ok(skrfs_oe_unwrap(skrfs_buf_bytes(&octets), &quote, &claims, &err), err);
    assert_ptr_equal(quote.data, octets.data + sample->header);
    assert_int_equal(claims.len, 0);
    assert_ok(skrfs_sgx_quote_parse(quote, &parsed, &err), err);
    assert_int_equal(parsed.version, 3);
    assert_int_equal(parsed.signed_len, 432);
    assert_int_equal(parsed.total_len, quote.len);
    assert_int_equal(parsed.flags, sample->flags);
    assert_int_equal(parsed.debug, sample->debug);
    assert_int_equal(parsed.product_id, sample->product_id);
    assert_int_equal(parsed.svn, sample->svn);
    assert_hex(parsed.mrenclave, sample->mrenclave);
    assert_hex(parsed.mrsigner, sample->mrsigner);
    assert_hex(parsed.report_data, sample->data);
    assert_int_equal(parsed.proof.cert_type, 5);
    assert_ok(skrfs_hash(SKRFS_SHA256, held.data, held.len, digest, &err), err);
    assert_memory_equal(digest, parsed.report_data, sizeof(digest));
    assert_ok(skrfs_sgx_quote_verify(quote, &parsed, &chain, &err), err);
    assert_int_equal(skrfs_chain_len(chain), 3);
}

static void real_quotes_say_what_they_should(void **state) {
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(samples); i++) {
        print_message("%s\n", samples[i].name);
        check_sample(&samples[i]);
    }
}

/* What the service's answer of then says of the last sample. */
static void a_quotes_digest_is_the_services(void **state) {
    struct skrfs_error err = {0};
    uint8_t digest[32];
    skrfs_autobuf quote;
    (void)state;
    read_quote(&samples[3], &quote);
    assert_ok(skrfs_hash(SKRFS_SHA256, quote.data, quote.len, digest, &err), err);
    assert_hex(digest, "e2e7d0d775f53b47b9bc9c579565cd5bca0cd0c51ccb9a99c1f076e1730607df");
}

static void altered_quotes_are_refused(void **state) {
    static const struct region regions[] = {
            {0, 2, 1, "version"}, {2, 4, 1, "not ECDSA P-256"}, {4, 8, 1, "not an SGX quote"},
            {8, 432, 3, "the SGX quote: "},             /* header and enclave */
            {434, 436, 1, "truncated"},                 /* length of what follows */
            {436, 500, 1, "the SGX quote: "},           /* signature */
            {500, 564, 1, "the SGX quote: "},           /* attestation key */
            {564, 884, 5, "quoting enclave's report:"}, /* the quoting enclave's report */
            {884, 948, 1, "not about the quote's attestation key"}, /* its report data */
            {948, 1012, 1, "quoting enclave's report:"},            /* its signature */
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(samples); i++) {
        struct skrfs_error err = {0};
        struct skrfs_sgx_quote parsed;
        skrfs_autobuf quote;
        read_quote(&samples[i], &quote);
        assert_ok(skrfs_sgx_quote_parse(skrfs_buf_bytes(&quote), &parsed, &err), err);
        for (size_t k = 0; k < SKRFS_ARRAY_LEN(regions); k++)
            each_octet_counts(&quote, regions[k], judge, NULL);
        size_t auth = (size_t)(parsed.proof.qe_auth.data - quote.data);
        size_t certs = (size_t)(parsed.proof.certs.data - quote.data);
        each_octet_counts(&quote,
                (struct region){auth, auth + parsed.proof.qe_auth.len, 1, "not about"}, judge,
                NULL);
        each_octet_counts(&quote, (struct region){certs - 6, certs - 4, 1, "certification data"},
                judge, NULL);
        each_octet_counts(&quote,
                (struct region){certs + 30, certs + parsed.proof.certs.len - 30, 23,
                        "processor certificates|quoting enclave's report"},
                judge, NULL);
    }
}

static void truncated_quotes_are_refused(void **state) {
    struct skrfs_error err = {0};
    skrfs_autobuf quote;
    (void)state;
    read_quote(&samples[0], &quote);
    for (size_t len = 0; len < quote.len; len += len < 1100 ? 1 : 97) {
        struct skrfs_bytes part = {quote.data, len};
        assert_fails(judge(part, NULL, &err), err, SKRFS_CLASS_BAD_ANSWER, "truncated");
    }
    struct skrfs_bytes huge = {quote.data, SKRFS_SGX_QUOTE_MAX + 1};
    assert_fails(judge(huge, NULL, &err), err, SKRFS_CLASS_BAD_ANSWER, "too long");
}

/* Each part is genuine, but they are of two machines. */
static void parts_of_another_quote_do_not_fit(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_sgx_quote one, other;
    skrfs_autobuf quote, foreign;
    (void)state;
    read_quote(&samples[0], &quote);
    read_quote(&samples[2], &foreign);
    assert_ok(skrfs_sgx_quote_parse(skrfs_buf_bytes(&quote), &one, &err), err);
    assert_ok(skrfs_sgx_quote_parse(skrfs_buf_bytes(&foreign), &other, &err), err);
    struct skrfs_sgx_quote mixed = one;
    mixed.proof.qe_report = other.proof.qe_report;
    mixed.proof.qe_signature = other.proof.qe_signature;
    mixed.proof.qe_auth = other.proof.qe_auth;
    mixed.proof.certs = other.proof.certs;
    assert_fails(skrfs_sgx_quote_verify(skrfs_buf_bytes(&quote), &mixed, NULL, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "not about the quote's attestation key");
    mixed = one;
    mixed.proof.certs = other.proof.certs;
    assert_fails(skrfs_sgx_quote_verify(skrfs_buf_bytes(&quote), &mixed, NULL, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "the quoting enclave's report");
    assert_fails(skrfs_sgx_quote_verify(skrfs_buf_bytes(&foreign), &one, NULL, &err), err,
            SKRFS_CLASS_BAD_ANSWER, "the SGX quote");
}

static void put(struct skrfs_buf *out, uint64_t value, size_t len) {
    struct skrfs_error err = {0};
    for (size_t i = 0; i < len; i++) {
        uint8_t octet = (uint8_t)(value >> 8 * i);
        assert_ok(skrfs_buf_append(out, &octet, 1, &err), err);
    }
}

/* An Open Enclave evidence of a real quote: none has been published with claims. */
static void make_evidence(
        const struct skrfs_buf *quote, const char *claims, struct skrfs_buf *out) {
    static const uint8_t format[16] = {0xa3, 0xa2, 0x1e, 0x87, 0x1b, 0x4d, 0x40, 0x14, 0xb7, 0x0a,
            0xa1, 0x25, 0xd2, 0xfb, 0xcd, 0x8c};
    struct skrfs_error err = {0};
    *out = SKRFS_BUF(SAMPLE_MAX);
    put(out, 3, 4);
    assert_ok(skrfs_buf_append(out, format, sizeof(format), &err), err);
    put(out, quote->len + strlen(claims), 8);
    assert_ok(skrfs_buf_append(out, quote->data, quote->len, &err), err);
    assert_ok(skrfs_buf_append_text(out, claims, &err), err);
}

static void an_evidence_is_quote_and_claims(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_bytes inner, claims;
    skrfs_autobuf quote, evidence;
    (void)state;
    read_quote(&samples[0], &quote);
    make_evidence(&quote, "claims of its own", &evidence);
    put(&evidence, 0x5555, 2); /* behind what is declared */
    assert_ok(skrfs_oe_unwrap(skrfs_buf_bytes(&evidence), &inner, &claims, &err), err);
    assert_ptr_equal(inner.data, evidence.data + 28);
    assert_int_equal(inner.len, quote.len);
    assert_int_equal(claims.len, 17);
    assert_memory_equal(claims.data, "claims of its own", 17);
    assert_ok(judge(inner, NULL, &err), err);
    evidence.data[4] ^= 1; /* another format */
    assert_fails(unwrap(skrfs_buf_bytes(&evidence), &claims, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "neither");
    evidence.data[4] ^= 1;
    evidence.data[27] = 0xff; /* a size of nearly 2^64 */
    assert_fails(unwrap(skrfs_buf_bytes(&evidence), &claims, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "truncated");
    evidence.data[27] = 0;
    evidence.data[20] = evidence.data[21] = 1; /* shorter than its quote */
    assert_fails(unwrap(skrfs_buf_bytes(&evidence), &claims, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "the Open Enclave report: the SGX quote is truncated");
    evidence.data[20] = evidence.data[21] = 0;
    assert_fails(unwrap(skrfs_buf_bytes(&evidence), &claims, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "truncated");
}

static void what_is_no_wrapping_is_refused(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_bytes claims = {0};
    skrfs_autobuf octets, held, quote;
    (void)state;
    read_sample(&samples[2], &octets, &held);
    for (size_t at = 0; at < 8; at++) {
        octets.data[at] ^= 0x10;
        assert_fails(unwrap(skrfs_buf_bytes(&octets), NULL, &err), err, SKRFS_CLASS_BAD_ANSWER,
                "neither");
        octets.data[at] ^= 0x10;
    }
    for (size_t len = 0; len < octets.len; len += len < 600 ? 1 : 101) {
        struct skrfs_bytes part = {octets.data, len};
        assert_fails(unwrap(part, NULL, &err), err, SKRFS_CLASS_BAD_ANSWER,
                len < 16 ? "neither" : "truncated");
    }
    octets.data[9] = 0; /* 232 octets are no quote */
    assert_fails(
            unwrap(skrfs_buf_bytes(&octets), NULL, &err), err, SKRFS_CLASS_BAD_ANSWER, "truncated");
    read_quote(&samples[0], &quote);
    put(&quote, 0, 8); /* padding of a bare quote is no claim */
    assert_ok(unwrap(skrfs_buf_bytes(&quote), &claims, &err), err);
    assert_int_equal(claims.len, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(real_quotes_say_what_they_should),
            cmocka_unit_test(a_quotes_digest_is_the_services),
            cmocka_unit_test(altered_quotes_are_refused),
            cmocka_unit_test(truncated_quotes_are_refused),
            cmocka_unit_test(parts_of_another_quote_do_not_fit),
            cmocka_unit_test(an_evidence_is_quote_and_claims),
            cmocka_unit_test(what_is_no_wrapping_is_refused),
    };
    return cmocka_run_group_tests_name("sgx", tests, NULL, NULL);
}
