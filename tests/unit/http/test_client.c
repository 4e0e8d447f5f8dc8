#include "server.h"
#include "support.h"

#include <signal.h>
#include <skrfs/base/clock.h>
#include <skrfs/http/http.h>

#define OK_HI "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

struct fixture {
    struct server server;
    struct skrfs_http *http;
    struct skrfs_http_answer answer;
    struct skrfs_error err;
    char url[128];
    char pem[4096];
};

static int make_client(struct fixture *fixture, const char *ca_pem, const char *proxy) {
    const struct skrfs_http_options options = {
            .ca_pem = ca_pem, .proxy = proxy, .connect_timeout_ns = 5 * SKRFS_SECOND_NS};
    return skrfs_http_new(&options, &fixture->http, &fixture->err);
}

static void begin_plain(struct fixture *fixture) {
    server_start(&fixture->server);
    snprintf(fixture->url, sizeof(fixture->url), "http://127.0.0.1:%u/path?secret=query",
            fixture->server.port);
    assert_ok(make_client(fixture, NULL, NULL), fixture->err);
}

static void begin_tls(struct fixture *fixture) {
    fixture->server.tls = server_tls(fixture->pem, sizeof(fixture->pem));
    server_start(&fixture->server);
    snprintf(fixture->url, sizeof(fixture->url), "https://127.0.0.1:%u/path?secret=query",
            fixture->server.port);
    assert_ok(make_client(fixture, fixture->pem, NULL), fixture->err);
}

static void end(struct fixture *fixture) {
    skrfs_http_answer_done(&fixture->answer);
    skrfs_http_free(fixture->http);
    server_stop(&fixture->server);
}

static struct skrfs_http_request request_of(const struct fixture *fixture) {
    return (struct skrfs_http_request){.method = "GET",
            .url = fixture->url,
            .answer_max = 100,
            .deadline_ns = skrfs_now_ns() + 20 * SKRFS_SECOND_NS,
            .plain = strncmp(fixture->url, "http:", 5) == 0};
}

static int get(struct fixture *fixture, const struct skrfs_http_retry *retry) {
    struct skrfs_http_request request = request_of(fixture);
    return skrfs_http_send(fixture->http, &request, retry, &fixture->answer, &fixture->err);
}

static void a_plain_request_says_metadata_and_little_else(void **state) {
    (void)state;
    struct fixture f = {.server.answers = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
                                           "x-ms-request-id: 7-\x1b-1\r\n"
                                           "WWW-Authenticate: Bearer resource=\"x\"\r\n\r\nhello"}};
    /* The environment's proxies are not asked. */
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    begin_plain(&f);
    assert_ok(get(&f, NULL), f.err);
    assert_int_equal(f.answer.status, 200);
    assert_string_equal(skrfs_buf_text(&f.answer.body), "hello");
    assert_string_equal(f.answer.request_id, "7-?-1");
    assert_string_equal(f.answer.challenge, "Bearer resource=\"x\"");
    assert_int_equal(f.answer.retry_at_ns, 0);
    assert_non_null(strstr(server_last(&f.server), "GET /path?secret=query HTTP/1.1\r\n"));
    assert_non_null(strstr(server_last(&f.server), "\r\nMetadata: true\r\n"));
    assert_null(strcasestr(server_last(&f.server), "\r\nExpect:"));
    assert_null(strcasestr(server_last(&f.server), "\r\nAccept-Encoding:"));
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    end(&f);
}

static void a_body_and_headers_are_sent(void **state) {
    (void)state;
    struct fixture f = {.server.answers = {OK_HI}};
    begin_plain(&f);
    struct skrfs_http_request request = request_of(&f);
    request.method = "PUT";
    request.headers[0] = "Content-Type: application/json";
    request.headers[1] = "Authorization: Bearer t";
    request.body = (struct skrfs_bytes){.data = (const uint8_t *)"{\"a\":1}", .len = 7};
    assert_ok(skrfs_http_send(f.http, &request, NULL, &f.answer, &f.err), f.err);
    assert_non_null(strstr(server_last(&f.server), "PUT /path"));
    assert_non_null(strstr(server_last(&f.server), "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(server_last(&f.server), "\r\nAuthorization: Bearer t\r\n"));
    assert_non_null(strstr(server_last(&f.server), "\r\n\r\n{\"a\":1}"));
    request.body = (struct skrfs_bytes){0};
    request.method = "POST";
    assert_ok(skrfs_http_send(f.http, &request, NULL, &f.answer, &f.err), f.err);
    assert_non_null(strstr(server_last(&f.server), "\r\nContent-Length: 0\r\n"));
    request.headers[1] = "X: a\r\nInjected: b";
    assert_fails(skrfs_http_send(f.http, &request, NULL, &f.answer, &f.err), f.err, SKRFS_CLASS_BUG,
            "two lines");
    end(&f);
}

static void connections_are_used_again(void **state) {
    (void)state;
    struct fixture f = {.server.answers = {OK_HI}};
    begin_plain(&f);
    for (int i = 0; i < 3; i++)
        assert_ok(get(&f, NULL), f.err);
    assert_int_equal(f.server.requests, 3);
    assert_int_equal(f.server.connections, 1);
    end(&f);
}

static void an_answer_over_the_limit_is_refused(void **state) {
    (void)state;
    struct fixture f = {
            .server.answers = {"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world"}};
    begin_plain(&f);
    struct skrfs_http_request request = request_of(&f);
    request.answer_max = 10;
    assert_fails(skrfs_http_send(f.http, &request, NULL, &f.answer, &f.err), f.err,
            SKRFS_CLASS_BAD_ANSWER, "more than the 10 octets");
    assert_false(f.err.retryable);
    assert_null(f.answer.body.data);
    request.answer_max = 11;
    assert_ok(skrfs_http_send(f.http, &request, NULL, &f.answer, &f.err), f.err);
    end(&f);
}

static void redirects_are_answers(void **state) {
    (void)state;
    struct fixture f = {.server.answers = {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
                                           "Content-Length: 0\r\n\r\n"}};
    begin_plain(&f);
    assert_ok(get(&f, NULL), f.err);
    assert_int_equal(f.answer.status, 302);
    assert_int_equal(f.server.requests, 1);
    end(&f);
}

static void broken_transfers_are_retryable(void **state) {
    (void)state;
    static const char *const broken[] = {
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhalf", SERVER_CLOSE};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(broken); i++) {
        struct fixture f = {.server.answers = {broken[i]}};
        begin_plain(&f);
        assert_fails(get(&f, NULL), f.err, SKRFS_CLASS_UNAVAILABLE, "127.0.0.1:");
        assert_true(f.err.retryable);
        assert_null(strstr(f.err.message, "secret"));
        assert_null(strstr(f.err.message, "half"));
        assert_null(f.answer.body.data);
        end(&f);
    }
}

static void nobody_listening_is_unavailable(void **state) {
    (void)state;
    struct fixture f = {.server.answers = {OK_HI}};
    begin_plain(&f);
    snprintf(f.url, sizeof(f.url), "http://127.0.0.1:1/?secret=query");
    assert_fails(get(&f, NULL), f.err, SKRFS_CLASS_UNAVAILABLE, "127.0.0.1:1: ");
    assert_true(f.err.retryable);
    assert_null(strstr(f.err.message, "secret"));
    end(&f);
}

static void the_deadline_holds(void **state) {
    (void)state;
    struct fixture f = {.server.answers = {SERVER_SILENCE}};
    begin_plain(&f);
    struct skrfs_http_request request = request_of(&f);
    static const struct skrfs_http_retry retry = {.attempts = 5,
            .base_ns = SKRFS_MILLISECOND_NS,
            .max_ns = SKRFS_SECOND_NS,
            .transport = true};
    uint64_t begin = skrfs_now_ns();
    request.deadline_ns = begin + 150 * SKRFS_MILLISECOND_NS;
    assert_fails(skrfs_http_send(f.http, &request, &retry, &f.answer, &f.err), f.err,
            SKRFS_CLASS_TIMEOUT, "did not answer in time");
    assert_true(f.err.retryable);
    assert_in_range(skrfs_now_ns() - begin, 150 * SKRFS_MILLISECOND_NS, 10 * SKRFS_SECOND_NS);
    assert_fails(skrfs_http_send(f.http, &request, &retry, &f.answer, &f.err), f.err,
            SKRFS_CLASS_TIMEOUT, "deadline has passed");
    assert_int_equal(f.server.requests, 1);
    end(&f);
}

static void urls_of_the_wrong_kind_are_refused(void **state) {
    (void)state;
    struct fixture f = {.server.answers = {OK_HI}};
    begin_plain(&f);
    struct skrfs_http_request request = request_of(&f);
    request.plain = false;
    assert_fails(skrfs_http_send(f.http, &request, NULL, &f.answer, &f.err), f.err,
            SKRFS_CLASS_BAD_ANSWER, "https://");
    request.plain = true;
    request.url = "https://127.0.0.1/";
    assert_fails(skrfs_http_send(f.http, &request, NULL, &f.answer, &f.err), f.err,
            SKRFS_CLASS_BAD_ANSWER, "http://");
    request.url = "file:///etc/passwd";
    assert_fails(skrfs_http_send(f.http, &request, NULL, &f.answer, &f.err), f.err,
            SKRFS_CLASS_BAD_ANSWER, "http://");
    assert_int_equal(f.server.requests, 0);
    end(&f);
}

static void a_trusted_server_is_asked(void **state) {
    (void)state;
    struct fixture f = {.server.answers = {OK_HI}};
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    setenv("SSLKEYLOGFILE", "/nowhere", 1);
    begin_tls(&f);
    assert_ok(get(&f, NULL), f.err);
    assert_string_equal(skrfs_buf_text(&f.answer.body), "hi");
    assert_null(strstr(server_last(&f.server), "Metadata"));
    unsetenv("https_proxy");
    end(&f);
}

static void a_server_that_is_not_trusted_is_not_asked(void **state) {
    (void)state;
    struct fixture f = {.server.answers = {OK_HI}};
    static const struct skrfs_http_retry retry = {.attempts = 3,
            .base_ns = SKRFS_MILLISECOND_NS,
            .max_ns = SKRFS_SECOND_NS,
            .transport = true};
    char other[4096];
    SSL_CTX *unused = server_tls(other, sizeof(other));
    begin_tls(&f);
    skrfs_http_free(f.http);
    assert_ok(make_client(&f, other, NULL), f.err);
    assert_fails(get(&f, &retry), f.err, SKRFS_CLASS_BAD_ANSWER, "is not trusted");
    assert_false(f.err.retryable);
    assert_int_equal(f.server.connections, 1);
    skrfs_http_free(f.http);
    assert_ok(make_client(&f, NULL, NULL), f.err);
    assert_fails(get(&f, NULL), f.err, SKRFS_CLASS_BAD_ANSWER, "is not trusted");
    assert_int_equal(f.server.requests, 0);
    SSL_CTX_free(unused);
    end(&f);
}

static void a_certificate_for_another_name_is_not_trusted(void **state) {
    (void)state;
    struct fixture f = {.server.answers = {OK_HI}};
    begin_tls(&f);
    snprintf(f.url, sizeof(f.url), "https://localhost:%u/", f.server.port);
    assert_fails(get(&f, NULL), f.err, SKRFS_CLASS_BAD_ANSWER, "is not trusted");
    assert_int_equal(f.server.requests, 0);
    end(&f);
}

static void old_tls_is_refused(void **state) {
    (void)state;
    struct fixture f = {.server.answers = {OK_HI}};
    begin_tls(&f);
    SSL_CTX_set_cipher_list(f.server.tls, "ALL:@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(f.server.tls, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(f.server.tls, TLS1_1_VERSION);
    assert_fails(get(&f, NULL), f.err, SKRFS_CLASS_UNAVAILABLE, "127.0.0.1:");
    assert_int_equal(f.server.requests, 0);
    end(&f);
}

static void anchors_that_cannot_be_read_are_the_configuration_s(void **state) {
    (void)state;
    struct fixture f = {.server.answers = {OK_HI}};
    begin_tls(&f);
    skrfs_http_free(f.http);
    assert_ok(make_client(&f, "no certificate", NULL), f.err);
    assert_fails(get(&f, NULL), f.err, SKRFS_CLASS_CONFIG, "127.0.0.1:");
    assert_int_equal(f.server.requests, 0);
    end(&f);
}

static void a_configured_proxy_carries_https_alone(void **state) {
    (void)state;
    struct fixture f = {.server.answers = {"HTTP/1.1 503 No\r\nContent-Length: 0\r\n"
                                           "Connection: close\r\n\r\n"}};
    char proxy[64];
    setenv("no_proxy", "*", 1);
    server_start(&f.server);
    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", f.server.port);
    snprintf(f.url, sizeof(f.url), "https://vault.invalid/keys?secret=query");
    assert_ok(make_client(&f, NULL, proxy), f.err);
    assert_fails(get(&f, NULL), f.err, SKRFS_CLASS_UNAVAILABLE, "vault.invalid:443: ");
    assert_memory_equal(server_last(&f.server), "CONNECT vault.invalid:443 ", 26);
    assert_null(strstr(server_last(&f.server), "secret"));
    snprintf(f.url, sizeof(f.url), "http://127.0.0.1:1/");
    assert_fails(get(&f, NULL), f.err, SKRFS_CLASS_UNAVAILABLE, "127.0.0.1:1: ");
    assert_int_equal(f.server.requests, 1);
    unsetenv("no_proxy");
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_plain_request_says_metadata_and_little_else),
            cmocka_unit_test(a_body_and_headers_are_sent),
            cmocka_unit_test(connections_are_used_again),
            cmocka_unit_test(an_answer_over_the_limit_is_refused),
            cmocka_unit_test(redirects_are_answers),
            cmocka_unit_test(broken_transfers_are_retryable),
            cmocka_unit_test(nobody_listening_is_unavailable),
            cmocka_unit_test(the_deadline_holds),
            cmocka_unit_test(urls_of_the_wrong_kind_are_refused),
            cmocka_unit_test(a_trusted_server_is_asked),
            cmocka_unit_test(a_server_that_is_not_trusted_is_not_asked),
            cmocka_unit_test(a_certificate_for_another_name_is_not_trusted),
            cmocka_unit_test(old_tls_is_refused),
            cmocka_unit_test(anchors_that_cannot_be_read_are_the_configuration_s),
            cmocka_unit_test(a_configured_proxy_carries_https_alone),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
