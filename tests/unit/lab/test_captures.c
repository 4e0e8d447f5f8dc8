/* Requests that Azure's own client for Node.js was captured sending, replayed to the lab in their
 * order: each must be understood as the operation that it is. */
#include "calls.h"
#include "support.h"

#include <ctype.h>
#include <skrfs/base/encode.h>

#define CAPTURE "azure-rest/capture-keyvault-keys-4.10.2.jsonl"

static struct skrfs_error err;

/* Query names and values percent-decoded in place, as the server hands them over. */
static void unescape(char *text) {
    char *out = text;
    for (; *text; text++) {
        uint8_t octet = (uint8_t)*text;
        char digits[3] = {0};
        if (*text == '%' && isxdigit((unsigned char)text[1])) {
            memcpy(digits, text + 1, 2);
            assert_ok(skrfs_hex_decode(digits, &octet, 1, &err), err);
            text += 2;
        }
        *out++ = (char)octet;
    }
    *out = '\0';
}

/* What the lab, which has no key but those made before, must say of a captured request. */
static unsigned expected(const char *method, const char *path, bool bearer_sent) {
    if (!bearer_sent)
        return 401;
    if (strstr(path, "/release"))
        return 403; /* the captured tokens are none */
    if (strcmp(method, "PUT") == 0)
        return 400; /* the captured key is a public half alone */
    if (strstr(path, "oct"))
        return 400;
    if (strstr(path, "/thr") || strstr(path, "/e503") || strstr(path, "/e403"))
        return 404;
    return 200;
}

static unsigned replay(struct skrfs_lab *lab, const struct skrfs_json *request, const char *version,
        struct skrfs_json **ret_json) {
    char url[512];
    char path[512];
    bool sent = false;
    const struct skrfs_json *headers = skrfs_json_get(request, "headers");
    const char *method = text_at(request, NULL, "method");
    snprintf(url, sizeof(url), "%s", text_at(request, NULL, "url"));
    char *query = strchr(url, '?');
    assert_non_null(query);
    *query++ = '\0';
    unescape(query);
    for (size_t i = 0; i < skrfs_json_size(headers); i++)
        sent = sent || strcasecmp(skrfs_json_string(skrfs_json_at(skrfs_json_at(headers, i), 0)),
                               "authorization") == 0;
    /* The captured version is that of the toy that answered then. */
    const char *toy = strstr(url, "/0123456789abcdef0123456789abcdef");
    if (toy)
        snprintf(path, sizeof(path), "%.*s/%s%s", (int)(toy - url), url, version, toy + 33);
    else
        snprintf(path, sizeof(path), "%s", url);
    struct call call = {SKRFS_LAB_VAULT, method, path, query,
            sent ? bearer(lab, SKRFS_LAB_VAULT) : NULL, text_at(request, NULL, "body")};
    unsigned status = call_json(lab, &call, ret_json);
    unsigned wanted = expected(method, path, sent);
    if (strstr(text_at(request, NULL, "body"), "oct-HSM"))
        wanted = 400; /* vaults have no symmetric keys */
    if (strstr(path, "/e403"))
        wanted = 404;
    if (strcmp(method, "PATCH") == 0)
        wanted = 400; /* the captured one sets a policy on a version */
    if (strcmp(method, "POST") == 0 && sent &&
            strstr(text_at(request, NULL, "body"), "release_policy"))
        wanted = 400; /* an authority that cannot be reached */
    if (status != wanted)
        print_error("%s %s: %u, wanted %u\n", method, path, status, wanted);
    assert_int_equal(status, wanted);
    return status;
}

static void make_k1(struct skrfs_lab *lab, char version[40]) {
    static const char body[] =
            "{\"kty\":\"EC-HSM\",\"attributes\":{\"exportable\":true},\"release_policy\":{\"data\":"
            "\"eyJ2ZXJzaW9uIjoiMS4wLjAiLCJhbnlPZiI6W3siYXV0aG9yaXR5IjoiaHR0cHM6Ly9tYWEuc2tyZnMubG9j"
            "YWxob3N0OjIiLCJhbGxPZiI6W3siY2xhaW0iOiJhIiwiZXF1YWxzIjoiYiJ9XX1dfQ\"}}";
    skrfs_autojson *made = NULL;
    struct call call = {SKRFS_LAB_VAULT, "POST", "/keys/k1/create", "api-version=7.4",
            bearer(lab, SKRFS_LAB_VAULT), body};
    assert_int_equal(call_json(lab, &call, &made), 200);
    snprintf(version, 40, "%s", strrchr(text_at(made, "key", "kid"), '/') + 1);
}

static void captured_requests_are_understood(void **state) {
    struct skrfs_lab_ports ports = {1, 2};
    SKRFS_CLEANUP(skrfs_lab_free_p) struct skrfs_lab *lab = NULL;
    skrfs_autobuf text = SKRFS_BUF((size_t)1024 * 1024);
    char version[40];
    unsigned count = 0;
    (void)state;
    vector_read(CAPTURE, &text);
    assert_ok(skrfs_lab_new(&ports, false, false, &lab, &err), err);
    make_k1(lab, version);
    for (char *line = (char *)text.data; line && *line; count++) {
        char *end = strchr(line, '\n');
        size_t len = end ? (size_t)(end - line) : strlen(line);
        skrfs_autojson *request = NULL;
        skrfs_autojson *answer = NULL;
        assert_ok(skrfs_json_parse(line, len, len, &request, &err), err);
        (void)replay(lab, request, version, &answer);
        line = end ? end + 1 : NULL;
    }
    assert_true(count >= 15);
}

static int set_up(void **state) {
    (void)state;
    assert_ok(skrfs_crypto_setup(&err), err);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(captured_requests_are_understood),
    };
    return cmocka_run_group_tests_name("lab captures", tests, set_up, NULL);
}
