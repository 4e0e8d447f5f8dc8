/* Taking a confidential VM's request apart: each field that is missing or malformed is named. */
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

static int decode(const struct skrfs_json *info, struct skrfs_lab_guest *guest) {
    skrfs_autobuf body = SKRFS_BUF((size_t)2 * 1024 * 1024);
    evidence_body(info, &body);
    skrfs_lab_guest_init(guest);
    return skrfs_lab_guest_decode(skrfs_buf_bytes(&body), guest, &err);
}

static void request_survives_the_journey(void **state) {
    (void)state;
    for (int tdx = 0; tdx < 2; tdx++) {
        struct recipe recipe = recipe_right();
        recipe.tdx = tdx;
        skrfs_autoguest made;
        skrfs_autoguest taken;
        evidence_make(&bench, &recipe, &made);
        skrfs_autojson *info = evidence_info(&made);
        assert_ok(decode(info, &taken), err);
        assert_ok(skrfs_lab_guest_check(&taken, &bench.anchors, &err), err);
        assert_memory_equal(taken.pcrs, made.pcrs, sizeof(made.pcrs));
        assert_string_equal(taken.os_distro, "Debian");
        assert_int_equal(taken.os_major, 12);
    }
}

/* A member deep in the document, by its path. */
static struct skrfs_json *at(struct skrfs_json *json, const char *path) {
    char name[64];
    while (strchr(path, '.')) {
        size_t len = strcspn(path, ".");
        snprintf(name, sizeof(name), "%.*s", (int)len, path);
        json = (struct skrfs_json *)(uintptr_t)skrfs_json_get(json, name);
        path += len + 1;
    }
    return json;
}

static void wrong_fields_are_named(void **state) {
    static const struct {
        const char *path, *value, *why; /* value as JSON */
    } rows[] = {
            {"AttestationProtocolVersion", "\"1.0\"", "AttestationProtocolVersion"},
            {"AttestationProtocolVersion", "2", "AttestationProtocolVersion"},
            {"OSType", "\"V2luZG93cw==\"", "OSType is not Linux"},
            {"OSType", "\"?\"", "OSType"},
            {"OSDistro", "\"\"", "OSDistro is empty"},
            {"OSBuild", "null", "OSBuild"},
            {"OSVersionMajor", "0", "OSVersionMajor"},
            {"OSVersionMajor", "\"x\"", "OSVersionMajor is no number"},
            {"OSVersionMinor", "-1", "OSVersion"},
            {"TcgLogs", "\"!\"", "TcgLogs"},
            {"TcgLogs", "null", "TcgLogs"},
            {"ClientPayload", "{}", "no nonce"},
            {"ClientPayload", "[]", "ClientPayload"},
            {"ClientPayload", "{\"nonce\": 7}", "nonce"},
            {"ClientPayload", "{\"nonce\": \"\"}", "nonce"},
            {"TpmInfo", "7", "TpmInfo"},
            {"TpmInfo.AikCert", "\"\"", "AikCert is empty"},
            {"TpmInfo.AikPub", "\"*\"", "AikPub"},
            {"TpmInfo.PcrQuote", "null", "PcrQuote"},
            {"TpmInfo.PcrSignature", "\"\"", "PcrSignature"},
            {"TpmInfo.EncKeyPub", "\"\"", "EncKeyPub"},
            {"TpmInfo.EncKeyCertifyInfo", "\"\"", "EncKeyCertifyInfo"},
            {"TpmInfo.EncKeyCertifyInfoSignature", "\"\"", "EncKeyCertifyInfoSignature"},
            {"TpmInfo.PcrSet", "[0,1,2,3,4,5,6]", "PcrSet is not 0 to 7"},
            {"TpmInfo.PcrSet", "[0,1,2,3,4,5,6,8]", "PcrSet is not 0 to 7"},
            {"TpmInfo.PcrSet", "[0,1,2,3,4,5,6,\"7\"]", "PcrSet is not 0 to 7"},
            {"TpmInfo.PCRs", "[]", "one SHA-256 for each"},
            {"TpmInfo.PCRs", "[{\"Index\":0,\"Digest\":\"AAAA\"}]", "one SHA-256 for each"},
            {"TpmInfo.PCRs", "[{\"Index\":8,\"Digest\":\"AAAA\"}]", "one SHA-256 for each"},
            {"TpmInfo.PCRs", "[{\"Index\":-1,\"Digest\":\"AAAA\"}]", "one SHA-256 for each"},
            {"IsolationInfo.Type", "\"TrustedLaunch\"", "neither SevSnp nor Tdx"},
            {"IsolationInfo.Evidence", "null", "Evidence"},
            {"IsolationInfo.Evidence.RunTimeData", "\"\"", "RunTimeData is empty"},
            {"IsolationInfo.Evidence.Proof", "\"\"", "Proof is empty"},
            {"IsolationInfo.Evidence.Proof", "\"e30=\"", "SnpReport"},
            {"IsolationInfo.Evidence.Proof", "\"AAAA\"", "Proof"},
    };
    (void)state;
    struct recipe recipe = recipe_right();
    skrfs_autoguest made;
    evidence_make(&bench, &recipe, &made);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows); i++) {
        skrfs_autojson *info = evidence_info(&made);
        struct skrfs_json *wrapped = NULL;
        struct skrfs_json *value = NULL;
        skrfs_autoguest taken;
        char text[160];
        const char *dot = strrchr(rows[i].path, '.');
        int len = snprintf(text, sizeof(text), "[%s]", rows[i].value);
        assert_ok(skrfs_json_parse(text, (size_t)len, sizeof(text), &wrapped, &err), err);
        assert_ok(skrfs_json_copy(skrfs_json_at(wrapped, 0), &value, &err), err);
        skrfs_json_free(wrapped);
        assert_ok(skrfs_json_set(at(info, rows[i].path), dot ? dot + 1 : rows[i].path, value, &err),
                err);
        assert_fails(decode(info, &taken), err, SKRFS_CLASS_BAD_ANSWER, rows[i].why);
    }
}

static void bodies_that_are_none_are_refused(void **state) {
    static const char *const bodies[] = {"", "{}", "[]", "{\"AttestationInfo\":\"\"}",
            "{\"AttestationInfo\":7}", "{\"AttestationInfo\":\"AAAA\"}",
            "{\"AttestationInfo\":\"e30\"}", "{\"AttestationInfo\":\"e30\",}"};
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(bodies); i++) {
        skrfs_autoguest guest;
        skrfs_lab_guest_init(&guest);
        struct skrfs_bytes body = {(const uint8_t *)bodies[i], strlen(bodies[i])};
        assert_int_equal(skrfs_lab_guest_decode(body, &guest, &err), -1);
        assert_int_equal(err.kind, SKRFS_CLASS_BAD_ANSWER);
    }
}

static void versions_may_be_text(void **state) {
    (void)state;
    struct recipe recipe = recipe_right();
    skrfs_autoguest made;
    skrfs_autoguest taken;
    evidence_make(&bench, &recipe, &made);
    skrfs_autojson *info = evidence_info(&made);
    struct skrfs_json *text = NULL;
    assert_ok(skrfs_json_pack(&text, &err, "s", "24"), err);
    assert_ok(skrfs_json_set(info, "OSVersionMajor", text, &err), err);
    assert_ok(decode(info, &taken), err);
    assert_int_equal(taken.os_major, 24);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(request_survives_the_journey),
            cmocka_unit_test(wrong_fields_are_named),
            cmocka_unit_test(bodies_that_are_none_are_refused),
            cmocka_unit_test(versions_may_be_text),
    };
    return cmocka_run_group_tests_name("lab decode", tests, set_up, take_down);
}
