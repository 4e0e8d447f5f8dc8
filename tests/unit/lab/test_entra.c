/* Logins of applications: what a tenant publishes, each kind of proof and each of its refusals, and
 * challenges that follow a login. Without the network. */
#include "calls.h"
#include "entra.h"
#include "jwt.h"
#include "support.h"

#include <ctype.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>

#define LOGIN SKRFS_LAB_LOGIN
#define VAULT SKRFS_LAB_VAULT
#define IMDS SKRFS_LAB_IMDS
#define TOKEN "/" SKRFS_LAB_TENANT "/oauth2/v2.0/token"
#define FORM "Content-Type=application/x-www-form-urlencoded"
#define GRANT "grant_type=client_credentials"
#define CLIENT GRANT "&client_id=" SKRFS_LAB_CLIENT
#define SCOPE "&scope=https%3A%2F%2Fvault.azure.net%2F.default"
#define ASSERTED                                                                                   \
    "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"      \
    "&client_assertion="

static struct skrfs_error err;

static int set_up(void **state) {
    struct skrfs_lab_ports ports = {1, 2};
    struct skrfs_lab *lab = NULL;
    assert_ok(skrfs_crypto_setup(&err), err);
    assert_ok(skrfs_lab_new(&ports, false, false, &lab, &err), err);
    *state = lab;
    return 0;
}

static int take_down(void **state) {
    skrfs_lab_free(*state);
    return 0;
}

static void escape(const char *text, struct skrfs_buf *out) {
    for (; *text; text++)
        if (isalnum((unsigned char)*text) || strchr("-._~", *text))
            assert_ok(skrfs_buf_append(out, text, 1, &err), err);
        else
            assert_ok(skrfs_buf_printf(out, &err, "%%%02X", (unsigned char)*text), err);
}

/* Posts a form; the answer's JSON is the caller's. */
static unsigned post(struct skrfs_lab *lab, const char *form, struct skrfs_json **ret_json) {
    struct call call = {LOGIN, "POST", TOKEN, NULL, FORM, form};
    return call_json(lab, &call, ret_json);
}

static unsigned with_secret(struct skrfs_lab *lab, const char *more, struct skrfs_json **ret_json) {
    skrfs_autobuf form = SKRFS_BUF(4096);
    assert_ok(skrfs_buf_append_text(&form, CLIENT SCOPE "&client_secret=", &err), err);
    escape(lab->directory->secret, &form);
    assert_ok(skrfs_buf_append_text(&form, more, &err), err);
    return post(lab, skrfs_buf_text(&form), ret_json);
}

static unsigned with_assertion(
        struct skrfs_lab *lab, const struct skrfs_buf *assertion, struct skrfs_json **ret_json) {
    skrfs_autobuf form = SKRFS_BUF((size_t)16 * 1024);
    assert_ok(
            skrfs_buf_printf(&form, &err, "%s%s", CLIENT SCOPE ASSERTED, skrfs_buf_text(assertion)),
            err);
    return post(lab, skrfs_buf_text(&form), ret_json);
}

static int64_t code_of(const struct skrfs_json *json) {
    return skrfs_json_integer(skrfs_json_at(skrfs_json_get(json, "error_codes"), 0));
}

/* The answer of a vault to the token of a login. */
static unsigned ask_vault(
        struct skrfs_lab *lab, const struct skrfs_json *login, struct skrfs_lab_answer *answer) {
    char header[4096];
    snprintf(header, sizeof(header), "Authorization=Bearer %s",
            text_at(login, NULL, "access_token"));
    struct call call = {VAULT, "GET", "/keys", "api-version=7.4", header, NULL};
    call_lab(lab, &call, answer);
    return answer->status;
}

static void tenants_are_described(void **state) {
    static const struct row rows[] = {
            {LOGIN, "GET", "/" SKRFS_LAB_TENANT "/v2.0/.well-known/openid-configuration", NULL,
                    NULL, NULL, 200,
                    "\"token_endpoint\":\"https://login.skrfs.localhost:2/" SKRFS_LAB_TENANT
                    "/oauth2/v2.0/token\""},
            {LOGIN, "GET", "/" SKRFS_LAB_TENANT "/discovery/v2.0/keys", NULL, NULL, NULL, 200,
                    SKRFS_LAB_ENTRA_KID},
            {LOGIN, "GET", "/common/discovery/instance", NULL, NULL, NULL, 200,
                    "tenant_discovery_endpoint"},
            {LOGIN, "GET",
                    "/1ab00000-0000-4000-8000-0000000000ff/v2.0/.well-known/openid-configuration",
                    NULL, NULL, NULL, 400, "AADSTS90002"},
            {LOGIN, "GET", "/elsewhere.example/v2.0/.well-known/openid-configuration", NULL, NULL,
                    NULL, 400, "AADSTS90002"},
            {LOGIN, "GET", "/no_tenant/v2.0/.well-known/openid-configuration", NULL, NULL, NULL,
                    400, "AADSTS900023"},
            {LOGIN, "POST", "/no_tenant/oauth2/v2.0/token", NULL, FORM, "x", 400, "AADSTS900023"},
            {LOGIN, "GET", TOKEN, NULL, NULL, NULL, 405, "MethodNotAllowed"},
            {LOGIN, "GET", "/", NULL, NULL, NULL, 404, "NotFound"},
    };
    run_rows(*state, rows, SKRFS_ARRAY_LEN(rows));
}

#define POST(form, status, said)                                                                   \
    { LOGIN, "POST", TOKEN, NULL, FORM, form, status, said }

static void forms_are_checked(void **state) {
    static const struct row rows[] = {
            {LOGIN, "POST", TOKEN, NULL, "Content-Type=application/json", CLIENT, 400,
                    "AADSTS900144"},
            POST("", 400, "'grant_type'"),
            POST("grant_type=password", 400, "\"error\":\"unsupported_grant_type\""),
            POST(GRANT, 400, "'client_id'"),
            POST(CLIENT, 400, "'scope'"),
            POST(GRANT "&client_id=elsewhere" SCOPE, 400, "AADSTS700016"),
            POST(CLIENT SCOPE, 401, "AADSTS7000216"),
            POST(CLIENT SCOPE "&client_secret=wrong", 401, "AADSTS7000215"),
            POST(CLIENT SCOPE "&client_assertion=a.b.c", 400, "'client_assertion_type'"),
            POST(CLIENT SCOPE "&client_assertion_type=x&client_assertion=a.b.c", 400,
                    "AADSTS90100"),
            POST(CLIENT SCOPE ASSERTED "a.b", 401, "AADSTS50027"),
            POST(CLIENT SCOPE ASSERTED "a.b.c", 401, "AADSTS50027"),
            POST(GRANT "&" GRANT, 400, "twice"),
            POST(GRANT "&x=%0", 400, "cut off"),
            POST(GRANT "&x=%zz", 400, "AADSTS90100"),
            POST(GRANT "&x=a%00b", 400, "NUL"),
    };
    run_rows(*state, rows, SKRFS_ARRAY_LEN(rows));
}

static void secret_opens_the_vault(void **state) {
    struct skrfs_lab *lab = *state;
    struct skrfs_lab_answer answer;
    skrfs_autojson *login = NULL;
    assert_int_equal(with_secret(lab, "", &login), 200);
    assert_string_equal(text_at(login, NULL, "token_type"), "Bearer");
    assert_int_equal(skrfs_json_integer(skrfs_json_get(login, "expires_in")), 86400);
    assert_int_equal(skrfs_json_integer(skrfs_json_get(login, "refresh_in")), 43200);
    assert_int_equal(ask_vault(lab, login, &answer), 200);
    skrfs_lab_answer_done(&answer);
    skrfs_autojson *short_login = NULL;
    lab->settings.access_life_s = 3600;
    assert_int_equal(with_secret(lab, "", &short_login), 200);
    assert_null(skrfs_json_get(short_login, "refresh_in"));
    lab->settings.access_life_s = 86400;
}

static void scopes_are_checked(void **state) {
    struct skrfs_lab *lab = *state;
    static const struct {
        const char *scope;
        int64_t code;
    } rows[] = {{"https%3A%2F%2Fvault.azure.net", 1002012},
            {"https%3A%2F%2Fvault.azure.net%2F.default+openid", 1002012}, {"%2F.default", 1002012},
            {"https%3A%2F%2Felsewhere.example%2F.default", 500011},
            {"https%3A%2F%2Fvault.azure.net%2F%2F.default", 0}};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows); i++) {
        skrfs_autobuf form = SKRFS_BUF(4096);
        skrfs_autojson *json = NULL;
        assert_ok(skrfs_buf_printf(&form, &err, CLIENT "&scope=%s&client_secret=", rows[i].scope),
                err);
        escape(lab->directory->secret, &form);
        assert_int_equal(post(lab, skrfs_buf_text(&form), &json), rows[i].code == 0 ? 200 : 400);
        assert_int_equal(code_of(json), rows[i].code);
    }
}

/* An assertion's members; a test changes one. */
struct claims {
    const char *issuer, *subject, *audience, *id, *thumbprint;
    int64_t since_s, until_s;
    const struct skrfs_pkey *key;
};

static void thumbprint(struct skrfs_lab *lab, struct skrfs_buf *out) {
    skrfs_autobuf der = SKRFS_BUF(SKRFS_CERT_MAX);
    uint8_t digest[32];
    assert_ok(skrfs_chain_der(lab->directory->client.chain, 0, &der, &err), err);
    assert_ok(skrfs_hash(SKRFS_SHA256, der.data, der.len, digest, &err), err);
    assert_ok(skrfs_base64_encode(SKRFS_BASE64URL, digest, 32, out, &err), err);
}

static void sign(const struct claims *wish, struct skrfs_buf *out) {
    skrfs_autojson *header = NULL;
    skrfs_autojson *claims = NULL;
    int64_t now = skrfs_wall_s();
    assert_ok(skrfs_json_pack(
                      &header, &err, "{s:s,s:s*}", "alg", "RS256", "x5t#S256", wish->thumbprint),
            err);
    assert_ok(skrfs_json_pack(&claims, &err, "{s:s,s:s,s:s,s:s*,s:I,s:I}", "iss", wish->issuer,
                      "sub", wish->subject, "aud", wish->audience, "jti", wish->id, "nbf",
                      now + wish->since_s, "exp", now + wish->until_s),
            err);
    assert_ok(skrfs_lab_jwt_sign(wish->key, header, claims, out, &err), err);
}

#define CHANGE(name, change)                                                                       \
    static void name(struct claims *claims, const struct skrfs_lab *lab) {                         \
        (void)lab;                                                                                 \
        change;                                                                                    \
    }
CHANGE(nothing, (void)claims)
CHANGE(audience_v1, claims->audience = lab->login_url)
CHANGE(other_audience, claims->audience = "https://elsewhere.example/oauth2/v2.0/token")
CHANGE(other_issuer, claims->issuer = "elsewhere")
CHANGE(other_subject, claims->subject = "elsewhere")
CHANGE(no_id, claims->id = NULL)
CHANGE(other_thumbprint, claims->thumbprint = "AAAA")
CHANGE(other_key, claims->key = lab->directory->federation)
CHANGE(expired, claims->until_s = -400)
CHANGE(too_early, claims->since_s = 400)
CHANGE(too_long, claims->until_s = 90000)

static void certificates_prove_who_signs(void **state) {
    struct skrfs_lab *lab = *state;
    static const struct {
        void (*change)(struct claims *, const struct skrfs_lab *);
        int64_t code;
    } rows[] = {{nothing, 0}, {audience_v1, 0}, {other_audience, 700023}, {other_issuer, 700021},
            {other_subject, 700021}, {no_id, 50027}, {other_thumbprint, 700027},
            {other_key, 700027}, {expired, 700024}, {too_early, 700024}, {too_long, 700024}};
    skrfs_autobuf print = SKRFS_BUF(64);
    char audience[256];
    thumbprint(lab, &print);
    snprintf(audience, sizeof(audience), "%s/oauth2/v2.0/token", lab->login_url);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows); i++) {
        struct claims claims = {SKRFS_LAB_CLIENT, SKRFS_LAB_CLIENT, audience, "one",
                skrfs_buf_text(&print), 0, 600, lab->directory->client.key};
        skrfs_autobuf assertion = SKRFS_BUF(8192);
        skrfs_autojson *json = NULL;
        rows[i].change(&claims, lab);
        sign(&claims, &assertion);
        unsigned status = with_assertion(lab, &assertion, &json);
        if (code_of(json) != rows[i].code)
            print_error("row %zu: %s\n", i, text_at(json, NULL, "error_description"));
        assert_int_equal(code_of(json), rows[i].code);
        assert_int_equal(status, rows[i].code ? 401 : 200);
    }
}

static void federated_tokens_are_checked(void **state) {
    struct skrfs_lab *lab = *state;
    static const struct {
        void (*change)(struct claims *, const struct skrfs_lab *);
        int64_t code;
    } rows[] = {{nothing, 0}, {other_issuer, 700211}, {other_subject, 700213},
            {other_audience, 700212}, {expired, 700024}, {too_early, 700024}};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows); i++) {
        struct claims claims = {lab->directory->issuer, SKRFS_LAB_FEDERATED_SUBJECT,
                SKRFS_LAB_FEDERATED_AUDIENCE, NULL, NULL, 0, 600, lab->directory->federation};
        skrfs_autobuf assertion = SKRFS_BUF(8192);
        skrfs_autojson *json = NULL;
        rows[i].change(&claims, lab);
        sign(&claims, &assertion);
        (void)with_assertion(lab, &assertion, &json);
        assert_int_equal(code_of(json), rows[i].code);
    }
    /* The one that the lab writes, and the same altered. */
    for (int bad = 0; bad < 2; bad++) {
        skrfs_autobuf token = SKRFS_BUF(8192);
        skrfs_autojson *json = NULL;
        assert_ok(skrfs_lab_federated_token(lab->directory, skrfs_wall_s(), &token, &err), err);
        if (bad)
            skrfs_lab_jwt_spoil(&token, 0);
        assert_int_equal(with_assertion(lab, &token, &json), bad ? 401 : 200);
        assert_int_equal(code_of(json), bad ? 700027 : 0);
    }
}

static void refusals_have_their_shape(void **state) {
    skrfs_autojson *json = NULL;
    assert_int_equal(post(*state, CLIENT SCOPE "&client_secret=wrong", &json), 401);
    assert_string_equal(text_at(json, NULL, "error"), "invalid_client");
    const char *description = text_at(json, NULL, "error_description");
    assert_non_null(strstr(description, "Trace ID: "));
    assert_non_null(strstr(description, text_at(json, NULL, "correlation_id")));
    assert_int_equal(strlen(text_at(json, NULL, "timestamp")), strlen("2026-11-25 07:12:00Z"));
    assert_non_null(strstr(text_at(json, NULL, "error_uri"), "code=7000215"));
}

static void tell(struct skrfs_lab *lab, const char *path, const char *text) {
    struct call call = {IMDS, "POST", path, NULL, NULL, text};
    assert_int_equal(call_json(lab, &call, NULL), 200);
}

static void faults_have_the_shape_too(void **state) {
    skrfs_autojson *json = NULL;
    skrfs_autojson *plain = NULL;
    tell(*state, "/lab/faults",
            "{\"at\":\"login\",\"status\":401,\"code\":\"7000222\",\"message\":\"The secret has "
            "expired\"}");
    assert_int_equal(with_secret(*state, "", &json), 401);
    assert_int_equal(code_of(json), 7000222);
    assert_non_null(strstr(text_at(json, NULL, "error_description"), "The secret has expired"));
    tell(*state, "/lab/faults", "{\"at\":\"login\",\"status\":500,\"code\":\"server_error\"}");
    assert_int_equal(with_secret(*state, "", &plain), 500);
    assert_string_equal(text_at(plain, NULL, "error"), "server_error");
}

/* After a challenge a capable client's token must have been asked for with its claims. */
static void challenges_are_answered_with_claims(void **state) {
    struct skrfs_lab *lab = *state;
    struct skrfs_lab_answer answer;
    skrfs_autojson *before = NULL;
    skrfs_autojson *without = NULL;
    skrfs_autojson *with = NULL;
    skrfs_autobuf claims = SKRFS_BUF(1024);
    skrfs_autobuf more = SKRFS_BUF(2048);
    static const char capable[] =
            "&claims=%7B%22access_token%22%3A%7B%22xms_cc%22%3A%7B%22values%22%3A%5B%22cp1%22%5D"
            "%7D%7D%7D";
    assert_int_equal(with_secret(lab, capable, &before), 200);
    tell(lab, "/lab/faults", "{\"at\":\"list\",\"do\":\"claims-challenge\"}");
    assert_int_equal(ask_vault(lab, before, &answer), 401);
    const char *found = strstr(answer.challenge, "error=\"insufficient_claims\", claims=\"");
    assert_non_null(found);
    found += strlen("error=\"insufficient_claims\", claims=\"");
    assert_ok(skrfs_base64_decode(SKRFS_BASE64, found, strcspn(found, "\""), &claims, &err), err);
    skrfs_lab_answer_done(&answer);
    assert_int_equal(with_secret(lab, capable, &without), 200);
    assert_int_equal(ask_vault(lab, without, &answer), 401);
    skrfs_lab_answer_done(&answer);
    assert_ok(skrfs_buf_append_text(&more, "&claims=", &err), err);
    escape(skrfs_buf_text(&claims), &more);
    assert_int_equal(with_secret(lab, skrfs_buf_text(&more), &with), 200);
    assert_int_equal(ask_vault(lab, with, &answer), 200);
    skrfs_lab_answer_done(&answer);
    tell(lab, "/lab/settings", "{\"reset\":true}");
}

/* A client that did not say that it heeds them is told that its token is no longer good. */
static void others_get_no_challenge(void **state) {
    struct skrfs_lab *lab = *state;
    struct skrfs_lab_answer answer;
    skrfs_autojson *before = NULL;
    assert_int_equal(with_secret(lab, "", &before), 200);
    tell(lab, "/lab/faults", "{\"at\":\"list\",\"do\":\"claims-challenge\"}");
    assert_int_equal(ask_vault(lab, before, &answer), 401);
    assert_non_null(strstr(answer.challenge, "invalid_token"));
    skrfs_lab_answer_done(&answer);
    struct call call = {VAULT, "GET", "/keys", "api-version=7.4", bearer(lab, VAULT), NULL};
    assert_int_equal(call_json(lab, &call, NULL), 200);
    tell(lab, "/lab/settings", "{\"reset\":true}");
    assert_int_equal(ask_vault(lab, before, &answer), 200);
    skrfs_lab_answer_done(&answer);
}

static void clock_can_be_off(void **state) {
    struct skrfs_lab *lab = *state;
    struct skrfs_lab_answer answer;
    skrfs_autojson *login = NULL;
    assert_int_equal(with_secret(lab, "", &login), 200);
    tell(lab, "/lab/settings", "{\"clock_skew_s\":90000}");
    assert_int_equal(ask_vault(lab, login, &answer), 401); /* expired by the lab's clock */
    skrfs_lab_answer_done(&answer);
    tell(lab, "/lab/settings", "{\"clock_skew_s\":-90000}");
    assert_int_equal(ask_vault(lab, login, &answer), 401); /* not valid yet */
    skrfs_lab_answer_done(&answer);
    tell(lab, "/lab/settings", "{\"reset\":true}");
    assert_int_equal(ask_vault(lab, login, &answer), 200);
    skrfs_lab_answer_done(&answer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(tenants_are_described),
            cmocka_unit_test(forms_are_checked),
            cmocka_unit_test(secret_opens_the_vault),
            cmocka_unit_test(scopes_are_checked),
            cmocka_unit_test(certificates_prove_who_signs),
            cmocka_unit_test(federated_tokens_are_checked),
            cmocka_unit_test(refusals_have_their_shape),
            cmocka_unit_test(faults_have_the_shape_too),
            cmocka_unit_test(challenges_are_answered_with_claims),
            cmocka_unit_test(others_get_no_challenge),
            cmocka_unit_test(clock_can_be_off),
    };
    return cmocka_run_group_tests_name("lab logins", tests, set_up, take_down);
}
