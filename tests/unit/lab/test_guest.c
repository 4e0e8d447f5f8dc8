/* Each check that the attestation service makes has evidence here which fails that check alone. */
#include "evidence.h"
#include "support.h"

static struct bench bench;
static struct skrfs_error err;

static int set_up(void **state) {
    (void)state;
    bench_set_up(&bench);
    return 0;
}

static int take_down(void **state) {
    (void)state;
    bench_take_down(&bench);
    return 0;
}

static void right_evidence_is_taken(void **state) {
    (void)state;
    for (int tdx = 0; tdx < 2; tdx++)
        for (int log = 0; log < 2; log++) {
            struct recipe recipe = recipe_right();
            recipe.tdx = tdx;
            recipe.no_event_log = log;
            skrfs_autoguest guest;
            evidence_make(&bench, &recipe, &guest);
            assert_ok(skrfs_lab_guest_check(&guest, &bench.anchors, &err), err);
        }
}

/* Changes to what the evidence is made of: everything is rightly signed. */
#define MADE(name, change)                                                                         \
    static void name(struct recipe *recipe) {                                                      \
        change;                                                                                    \
    }
MADE(snp_debug, recipe->snp_policy |= UINT64_C(1) << 19)
MADE(stale_vcek, recipe->vcek_stale = true)
MADE(other_chip, recipe->vcek_other_chip = true)
MADE(other_ark, recipe->ark_other = true)
MADE(other_binding, recipe->binding_other = true)
MADE(td_debug, (recipe->tdx = true, recipe->td_attributes = 1))
MADE(td_binding, (recipe->tdx = true, recipe->binding_other = true))
MADE(other_ak, recipe->claims_other_ak = true)
MADE(ak_unrestricted, recipe->ak_attributes &= ~0x00010000U)
MADE(ak_moves, recipe->ak_attributes &= ~0x00000002U)
MADE(ak_decrypts, recipe->ak_attributes |= 0x00020000U)
MADE(cert_stranger, recipe->cert_by_stranger = true)
MADE(cert_other, recipe->cert_for_other = true)
MADE(more_pcrs, recipe->pcr_select[1] = 0x40)
MADE(fewer_pcrs, recipe->pcr_select[0] = 0x7f)
MADE(no_quote, recipe->quote_type = 0x8017)
MADE(bad_magic, recipe->magic = 0xff544346)
MADE(key_with_auth, recipe->key_attributes |= 0x40)
MADE(key_moves, recipe->key_attributes &= ~0x10U)
MADE(key_signs, recipe->key_attributes |= 0x00040000U)
MADE(key_restricted, recipe->key_attributes |= 0x00010000U)
MADE(key_no_decrypt, recipe->key_attributes &= ~0x00020000U)
MADE(key_imported, recipe->key_attributes &= ~0x20U)
MADE(other_policy, recipe->policy_other = true)
MADE(certify_other, recipe->certify_other = true)
MADE(no_certify, recipe->certify_type = 0x8018)

static void wrongly_made_evidence_is_refused(void **state) {
    static const struct {
        void (*change)(struct recipe *);
        const char *why;
    } rows[] = {
            {snp_debug, "allows debugging"},
            {stale_vcek, "not for the report's reported TCB"},
            {other_chip, "not for the report's chip"},
            {other_ark, "does not end in the processor maker's root"},
            {other_binding, "not what the hardware's report was made over"},
            {td_debug, "trust domain allows debugging"},
            {td_binding, "not what the hardware's report was made over"},
            {other_ak, "not the HCLAkPub"},
            {ak_unrestricted, "not a restricted signing key"},
            {ak_moves, "not a restricted signing key"},
            {ak_decrypts, "not a restricted signing key"},
            {cert_stranger, "AikCert is not issued by the vTPM's authority"},
            {cert_other, "AikCert is for another key"},
            {more_pcrs, "not over PCR 0 to 7"},
            {fewer_pcrs, "not over PCR 0 to 7"},
            {no_quote, "PcrQuote is no quote"},
            {bad_magic, "PcrQuote"},
            {key_with_auth, "only its policy opens"},
            {key_moves, "only its policy opens"},
            {key_signs, "only its policy opens"},
            {key_restricted, "only its policy opens"},
            {key_no_decrypt, "only its policy opens"},
            {key_imported, "only its policy opens"},
            {other_policy, "not bound to PCRs"},
            {certify_other, "EncKeyCertifyInfo is for another key"},
            {no_certify, "EncKeyCertifyInfo certifies nothing"},
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows); i++) {
        struct recipe recipe = recipe_right();
        rows[i].change(&recipe);
        skrfs_autoguest guest;
        evidence_make(&bench, &recipe, &guest);
        assert_fails(skrfs_lab_guest_check(&guest, &bench.anchors, &err), err, SKRFS_CLASS_REJECTED,
                rows[i].why);
    }
}

/* Changes to right evidence after it was signed. */
#define ALTERED(name, change)                                                                      \
    static void name(struct skrfs_lab_guest *guest) {                                              \
        change;                                                                                    \
    }
ALTERED(report_altered, guest->report.data[0x90] ^= 1)
ALTERED(report_signature, guest->report.data[0x2A0] ^= 1)
ALTERED(report_r_range, guest->report.data[0x2A0 + 60] = 1)
ALTERED(report_s_range, guest->report.data[0x2A0 + 72 + 60] = 1)
ALTERED(report_vmpl, guest->report.data[0x30] = 1)
ALTERED(report_short, skrfs_buf_truncate(&guest->report, 1000))
ALTERED(chain_short, skrfs_buf_truncate(&guest->chain, guest->chain.len / 2))
ALTERED(chain_none, skrfs_buf_truncate(&guest->chain, 0))
ALTERED(claims_altered, guest->claims.data[guest->claims.len - 5] ^= 1)
ALTERED(cert_altered, guest->ak_cert.data[200] ^= 1)
ALTERED(cert_none, skrfs_buf_truncate(&guest->ak_cert, 0))
ALTERED(cert_padded_wrongly, assert_ok(skrfs_buf_append(&guest->ak_cert, "\0x", 2, &err), err))
ALTERED(quote_altered, guest->quote.data[guest->quote.len - 1] ^= 1)
ALTERED(quote_signature, guest->quote_signature.data[7] ^= 1)
ALTERED(quote_signature_short, skrfs_buf_truncate(&guest->quote_signature, 255))
ALTERED(pcr_altered, guest->pcrs[3][0] ^= 1)
ALTERED(log_altered, guest->event_log.data[32 + 33 + 14] ^= 1)
ALTERED(log_short, skrfs_buf_truncate(&guest->event_log, guest->event_log.len - 1))
ALTERED(certify_altered, guest->key_certify.data[guest->key_certify.len - 1] ^= 1)
ALTERED(certify_signature, guest->key_certify_signature.data[9] ^= 1)
ALTERED(key_altered, guest->key_public.data[guest->key_public.len - 1] ^= 1)
ALTERED(key_short, skrfs_buf_truncate(&guest->key_public, 40))
ALTERED(ak_short, skrfs_buf_truncate(&guest->ak_public, 40))

static void altered_evidence_is_refused(void **state) {
    static const struct {
        void (*change)(struct skrfs_lab_guest *);
        const char *why;
    } rows[] = {
            {report_altered, "not signed by this VCEK"},
            {report_signature, "not signed by this VCEK"},
            {report_r_range, "out of range"},
            {report_s_range, "out of range"},
            {report_vmpl, "not signed by this VCEK"},
            {report_short, "SnpReport"},
            {chain_short, "VcekCertChain"},
            {chain_none, "VcekCertChain"},
            {claims_altered, "not what the hardware's report was made over"},
            {cert_altered, "AikCert"},
            {cert_none, "AikCert is no certificate"},
            {cert_padded_wrongly, "AikCert is no certificate"},
            {quote_altered, "PcrSignature is not the attestation key's"},
            {quote_signature, "PcrSignature is not the attestation key's"},
            {quote_signature_short, "PcrSignature is not the attestation key's"},
            {pcr_altered, "PCRs are not what PcrQuote was made over"},
            {log_altered, "TcgLogs do not lead to PCRs"},
            {log_short, "TcgLogs"},
            {certify_altered, "EncKeyCertifyInfoSignature is not the attestation key's"},
            {certify_signature, "EncKeyCertifyInfoSignature is not the attestation key's"},
            {key_altered, "EncKeyCertifyInfo is for another key"},
            {key_short, "EncKeyPub"},
            {ak_short, "AikPub"},
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows); i++) {
        struct recipe recipe = recipe_right();
        skrfs_autoguest guest;
        evidence_make(&bench, &recipe, &guest);
        rows[i].change(&guest);
        assert_fails(skrfs_lab_guest_check(&guest, &bench.anchors, &err), err, SKRFS_CLASS_REJECTED,
                rows[i].why);
    }
}

/* An AK certificate comes padded with zeros to the size of its index. */
static void padded_certificate_is_taken(void **state) {
    static const uint8_t zeros[100];
    (void)state;
    struct recipe recipe = recipe_right();
    skrfs_autoguest guest;
    evidence_make(&bench, &recipe, &guest);
    assert_ok(skrfs_buf_append(&guest.ak_cert, zeros, sizeof(zeros), &err), err);
    assert_ok(skrfs_lab_guest_check(&guest, &bench.anchors, &err), err);
}

/* Every octet of a TD quote is either signed or names the signer; behind it is padding. */
static void altered_quote_is_refused(void **state) {
    static const struct {
        size_t at;
        const char *why;
    } rows[] = {
            {0, "TD quote"},                                 /* version */
            {48 + 136, "not signed by its attestation key"}, /* MRTD */
            {48 + 120, "not signed by its attestation key"}, /* attributes */
            {636, "not signed by its attestation key"},      /* the signature */
            {636 + 64, "attestation key is not the quoting enclave's"},
            {636 + 128 + 6 + 320, "this platform did not sign"}, /* the enclave's report */
            {636 + 128 + 6 + 384, "this platform did not sign"}, /* and its signature */
            {636 + 128, "TD quote"},                             /* kind of certification data */
            {636 + 128 + 6 + 384 + 64 + 2, "attestation key is not the quoting enclave's"},
    };
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows); i++) {
        struct recipe recipe = recipe_right();
        recipe.tdx = true;
        skrfs_autoguest guest;
        evidence_make(&bench, &recipe, &guest);
        guest.report.data[rows[i].at] ^= 1;
        assert_fails(skrfs_lab_guest_check(&guest, &bench.anchors, &err), err, SKRFS_CLASS_REJECTED,
                rows[i].why);
    }
}

/* A quote from another platform: its chain is whole, its root another. */
static void quote_of_stranger_is_refused(void **state) {
    (void)state;
    struct bench swapped = bench;
    struct recipe recipe = recipe_right();
    recipe.tdx = true;
    swapped.pki = bench.stranger;
    skrfs_autoguest guest;
    evidence_make(&swapped, &recipe, &guest);
    assert_fails(skrfs_lab_guest_check(&guest, &bench.anchors, &err), err, SKRFS_CLASS_REJECTED,
            "does not end in the processor maker's root");
}

static void td_report_of_stranger_is_not_quoted(void **state) {
    uint8_t data[64] = {1};
    uint8_t report[SKRFS_LAB_TD_REPORT_LEN];
    skrfs_autobuf quote = SKRFS_BUF((size_t)64 * 1024);
    (void)state;
    assert_ok(skrfs_lab_make_td_report(bench.pki, data, 0, report, &err), err);
    report[600] ^= 1;
    assert_fails(skrfs_lab_quote_td(
                         bench.pki, (struct skrfs_bytes){report, sizeof(report)}, &quote, &err),
            err, SKRFS_CLASS_REJECTED, "not made on this machine");
    assert_fails(skrfs_lab_quote_td(bench.pki, (struct skrfs_bytes){report, 1000}, &quote, &err),
            err, SKRFS_CLASS_REJECTED, "1024");
}

static const char *claim(const struct skrfs_json *claims, const char *outer, const char *name) {
    const char *text =
            skrfs_json_string(skrfs_json_get(outer ? skrfs_json_get(claims, outer) : claims, name));
    return text ? text : "";
}

static void token_says_what_the_service_says(void **state) {
    struct skrfs_lab_token_wish wish = {.issuer = "https://maa",
            .now_s = 1000,
            .life_s = 28800,
            .compliance = "azure-compliant-cvm"};
    (void)state;
    for (int tdx = 0; tdx < 2; tdx++) {
        struct recipe recipe = recipe_right();
        recipe.tdx = tdx;
        skrfs_autoguest guest;
        skrfs_autojson *claims = NULL;
        evidence_make(&bench, &recipe, &guest);
        assert_ok(skrfs_lab_guest_claims(&guest, &wish, &claims, &err), err);
        assert_string_equal(claim(claims, NULL, "x-ms-attestation-type"), "azurevm");
        assert_string_equal(claim(claims, "x-ms-isolation-tee", "x-ms-attestation-type"),
                tdx ? "tdxvm" : "sevsnpvm");
        assert_string_equal(claim(claims, "x-ms-isolation-tee", "x-ms-compliance-status"),
                "azure-compliant-cvm");
        assert_int_equal(skrfs_json_integer(skrfs_json_get(claims, "exp")), 29800);
        const struct skrfs_json *runtime = skrfs_json_get(claims, "x-ms-runtime");
        assert_string_equal(claim(runtime, "client-payload", "nonce"), "bXkgbm9uY2U=");
        const struct skrfs_json *key = skrfs_json_at(skrfs_json_get(runtime, "keys"), 0);
        assert_string_equal(claim(key, NULL, "kid"), "TpmEphemeralEncryptionKey");
    }
}

/* The captured token's members are all there, but those that are Windows'. */
static void token_has_the_real_members(void **state) {
    struct skrfs_lab_token_wish wish = {.issuer = "https://maa", .life_s = 1, .compliance = "x"};
    skrfs_autobuf text = SKRFS_BUF((size_t)64 * 1024);
    skrfs_autojson *real = NULL;
    skrfs_autojson *claims = NULL;
    struct recipe recipe = recipe_right();
    skrfs_autoguest guest;
    const struct skrfs_json *objects[2][2];
    (void)state;
    vector_read("azure-rest/maa-azureguest-snp.claims.json", &text);
    assert_ok(skrfs_json_parse(skrfs_buf_text(&text), text.len, text.max, &real, &err), err);
    evidence_make(&bench, &recipe, &guest);
    assert_ok(skrfs_lab_guest_claims(&guest, &wish, &claims, &err), err);
    objects[0][0] = real;
    objects[0][1] = claims;
    objects[1][0] = skrfs_json_get(real, "x-ms-isolation-tee");
    objects[1][1] = skrfs_json_get(claims, "x-ms-isolation-tee");
    for (int i = 0; i < 2; i++) {
        void *iterator = NULL;
        const char *name = NULL;
        const struct skrfs_json *value = NULL;
        while (skrfs_json_next(objects[i][0], &iterator, &name, &value)) {
            if (strstr(name, "hvci") || strstr(name, "hypervisordebug"))
                continue;
            const struct skrfs_json *own = skrfs_json_get(objects[i][1], name);
            if (!own)
                print_error("no %s\n", name);
            assert_non_null(own);
            bool flags = skrfs_json_kind(own) == SKRFS_JSON_FALSE &&
                         skrfs_json_kind(value) == SKRFS_JSON_TRUE;
            assert_true(flags || skrfs_json_kind(own) == skrfs_json_kind(value));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(right_evidence_is_taken),
            cmocka_unit_test(wrongly_made_evidence_is_refused),
            cmocka_unit_test(altered_evidence_is_refused),
            cmocka_unit_test(padded_certificate_is_taken),
            cmocka_unit_test(altered_quote_is_refused),
            cmocka_unit_test(quote_of_stranger_is_refused),
            cmocka_unit_test(td_report_of_stranger_is_not_quoted),
            cmocka_unit_test(token_says_what_the_service_says),
            cmocka_unit_test(token_has_the_real_members),
    };
    return cmocka_run_group_tests_name("lab guest", tests, set_up, take_down);
}
