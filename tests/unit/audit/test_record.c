/* What a record says, and how it stands in its line. */
#include "chain.h"

#include <skrfs/base/encode.h>
#include <skrfs/crypto/hash.h>
#include <stdlib.h>

static const struct timespec when = {.tv_sec = 1700000000, .tv_nsec = 123456789};

static void body_of(const struct skrfs_audit_entry *entry, struct skrfs_buf *out) {
    struct skrfs_error err;
    skrfs_buf_done(out);
    out->max = SKRFS_AUDIT_BODY_MAX;
    assert_ok(skrfs_audit_body(entry, out, &err), err);
}

static void tell(const struct skrfs_buf *body, const char *wanted) {
    skrfs_autojson *json = NULL;
    skrfs_autobuf out = SKRFS_BUF(SKRFS_AUDIT_RECORD_MAX);
    struct skrfs_error err;
    assert_ok(skrfs_json_parse(skrfs_buf_text(body), body->len, body->len, &json, &err), err);
    assert_ok(skrfs_audit_tell(json, &out, &err), err);
    assert_string_equal(skrfs_buf_text(&out), wanted);
}

static struct skrfs_caller *caller_new(void) {
    struct skrfs_caller *caller = calloc(1, sizeof(*caller));
    caller->uid = 33;
    caller->gid = 34;
    caller->pid = 812;
    caller->known = SKRFS_FACT_EXE | SKRFS_FACT_CGROUP;
    memcpy(caller->exe, "/usr/sbin/nginx", 16);
    memcpy(caller->unit, "nginx.service", 14);
    return caller;
}

static void test_open(void **state) {
    struct skrfs_caller *caller = caller_new();
    skrfs_autobuf body = SKRFS_BUF(SKRFS_AUDIT_BODY_MAX);
    struct skrfs_audit_entry entry = {.kind = SKRFS_AUDIT_OPEN,
            .when = when,
            .key = "tls",
            .path = "keys/tls",
            .caller = caller,
            .rule = "allow exe:/usr/sbin/nginx",
            .version = "v1",
            .release = 3};
    (void)state;
    body_of(&entry, &body);
    assert_string_equal(skrfs_buf_text(&body),
            "{\"time\":\"2023-11-14T22:13:20.123456Z\",\"kind\":\"open\",\"key\":\"tls\","
            "\"path\":\"keys/tls\",\"verdict\":\"granted\",\"rule\":\"allow exe:/usr/sbin/nginx\","
            "\"version\":\"v1\",\"release\":3,\"who\":{\"uid\":33,\"gid\":34,\"pid\":812,"
            "\"exe\":\"/usr/sbin/nginx\",\"unit\":\"nginx.service\"}}");
    tell(&body, "keys/tls opened by uid 33 gid 34 pid 812 exe /usr/sbin/nginx unit nginx.service, "
                "version v1, release 3, by allow exe:/usr/sbin/nginx");
    caller->known = 0;
    memcpy(caller->lack, "exe: gone", 10);
    body_of(&entry, &body);
    assert_non_null(strstr(skrfs_buf_text(&body), "\"pid\":812,\"unknown\":\"exe: gone\"}"));
    assert_null(strstr(skrfs_buf_text(&body), "/usr/sbin/nginx\",\"unit"));
    free(caller);
}

static void test_refusal(void **state) {
    struct skrfs_caller *caller = caller_new();
    skrfs_autobuf body = SKRFS_BUF(SKRFS_AUDIT_BODY_MAX), again = SKRFS_BUF(SKRFS_AUDIT_BODY_MAX);
    struct skrfs_error err, refusal;
    const struct timespec later = {.tv_sec = 1700000001};
    (void)state;
    (void)skrfs_fail(&refusal, SKRFS_CLASS_DENIED, "mode 0400 does not let uid 33 read");
    const struct skrfs_audit_entry entry = {.kind = SKRFS_AUDIT_READ,
            .when = when,
            .key = "tls",
            .path = "keys/tls",
            .caller = caller,
            .rule = "mode 0400",
            .err = &refusal};
    body_of(&entry, &body);
    assert_non_null(strstr(skrfs_buf_text(&body),
            "\"verdict\":\"refused\",\"class\":\"denied\",\"reason\":\"mode 0400 does not"));
    assert_ok(skrfs_audit_body_repeat(skrfs_buf_text(&body), &later, 41, &again, &err), err);
    assert_non_null(strstr(skrfs_buf_text(&again), "{\"time\":\"2023-11-14T22:13:21.000000Z\""));
    tell(&again, "keys/tls not read through another's descriptor for uid 33 gid 34 pid 812 exe "
                 "/usr/sbin/nginx unit nginx.service: mode 0400 does not let uid 33 read, by mode "
                 "0400 (41 times more)");
    free(caller);
}

static void test_release(void **state) {
    skrfs_autobuf body = SKRFS_BUF(SKRFS_AUDIT_BODY_MAX);
    struct skrfs_error failure;
    struct skrfs_proof proof = {.release = 7,
            .vault = "prod",
            .name = "tls",
            .kid = "https://a.vault.azure.net/keys/tls/v1",
            .enc = "RSA_AES_KEY_WRAP_256",
            .token_sha256 = "aa",
            .jws_sha256 = "bb",
            .tee = "snp",
            .measurement = "cc",
            .boot_id = "dd"};
    struct skrfs_audit_entry entry = {.kind = SKRFS_AUDIT_RELEASE,
            .when = when,
            .key = "tls",
            .version = "v1",
            .release = 7,
            .proof = &proof};
    (void)state;
    body_of(&entry, &body);
    assert_string_equal(skrfs_buf_text(&body),
            "{\"time\":\"2023-11-14T22:13:20.123456Z\",\"kind\":\"release\",\"key\":\"tls\","
            "\"verdict\":\"released\",\"version\":\"v1\",\"release\":7,\"vault\":\"prod\","
            "\"name\":\"tls\",\"kid\":\"https://a.vault.azure.net/keys/tls/v1\","
            "\"enc\":\"RSA_AES_KEY_WRAP_256\",\"token_sha256\":\"aa\",\"jws_sha256\":\"bb\","
            "\"tee\":\"snp\",\"measurement\":\"cc\",\"boot_id\":\"dd\"}");
    tell(&body, "tls released by prod, version v1, release 7, snp measured cc");
    (void)skrfs_fail(&failure, SKRFS_CLASS_REJECTED, "refused (request id 12)");
    failure.upstream = 403;
    entry.err = &failure;
    body_of(&entry, &body);
    assert_non_null(strstr(skrfs_buf_text(&body),
            "\"verdict\":\"failed\",\"class\":\"rejected\",\"upstream\":403,\"reason\":\"refused "
            "(request id 12)\""));
}

/* What a caller may choose freely cannot leave its place in the record, nor make it too long. */
static void test_hostile_texts(void **state) {
    struct skrfs_caller *caller = caller_new();
    skrfs_autobuf body = SKRFS_BUF(SKRFS_AUDIT_BODY_MAX);
    struct skrfs_error refusal;
    (void)state;
    memset(caller->exe, '"', sizeof(caller->exe) - 1);
    memset(caller->unit, '\\', sizeof(caller->unit) - 1);
    memset(caller->container, '\n', sizeof(caller->container) - 1);
    memset(caller->lack, '\xff', sizeof(caller->lack) - 1);
    char rule[SKRFS_RULE_TEXT_MAX], version[2000], key[300];
    memset(rule, '\\', sizeof(rule));
    rule[sizeof(rule) - 1] = 0;
    memset(version, '"', sizeof(version));
    version[sizeof(version) - 1] = 0;
    memset(key, '\x01', sizeof(key));
    key[sizeof(key) - 1] = 0;
    (void)skrfs_fail(&refusal, SKRFS_CLASS_DENIED, "\"%s", version);
    const struct skrfs_audit_entry entry = {.kind = SKRFS_AUDIT_OPEN,
            .when = when,
            .key = key,
            .path = key,
            .caller = caller,
            .rule = rule,
            .version = version,
            .err = &refusal};
    body_of(&entry, &body);
    struct skrfs_audit_post *post = calloc(1, sizeof(*post));
    post->type = SKRFS_POST_RECORD;
    post->number = 1;
    post->len = (uint32_t)body.len;
    memcpy(post->text, body.data, body.len);
    assert_true(skrfs_audit_post_check(post, SKRFS_AUDIT_POST_HEAD + body.len));
    assert_non_null(strstr(skrfs_buf_text(&body), "\\\\x01\\\\x01"));
    assert_non_null(strstr(skrfs_buf_text(&body), "\"container\":\"\\\\x0a"));
    free(post);
    free(caller);
}

static void test_begin_and_end(void **state) {
    skrfs_autobuf body = SKRFS_BUF(SKRFS_AUDIT_BODY_MAX);
    struct skrfs_audit_begin begin = {.process = "scribe",
            .version = "0.1.0",
            .config = "/etc/skrfs/skrfs.conf",
            .config_sha256 = "ab",
            .mount = "/run/skrfs",
            .boot_id = "b",
            .file = "/var/log/skrfs/audit.log",
            .required = true};
    struct skrfs_audit_entry entry = {.kind = SKRFS_AUDIT_BEGIN, .when = when, .begin = &begin};
    (void)state;
    body_of(&entry, &body);
    assert_string_equal(skrfs_buf_text(&body),
            "{\"time\":\"2023-11-14T22:13:20.123456Z\",\"kind\":\"begin\",\"process\":\"scribe\","
            "\"skrfs\":\"0.1.0\",\"config\":\"/etc/skrfs/skrfs.conf\",\"config_sha256\":\"ab\","
            "\"mount\":\"/run/skrfs\",\"boot_id\":\"b\",\"journal\":false,"
            "\"log\":\"/var/log/skrfs/audit.log\",\"required\":true}");
    begin.torn = 17;
    begin.head_seq = 40;
    begin.head_digest = "cd";
    body_of(&entry, &body);
    assert_non_null(
            strstr(skrfs_buf_text(&body), "\"torn\":17,\"cut\":{\"seq\":40,\"digest\":\"cd\"}}"));
    tell(&body, "scribe begins, mount /run/skrfs, configuration /etc/skrfs/skrfs.conf; a "
                "half-written record of 17 octets was cut off; the records behind this place up to "
                "40 were gone");
    entry = (struct skrfs_audit_entry){.kind = SKRFS_AUDIT_LOST, .when = when, .lost = 3};
    body_of(&entry, &body);
    tell(&body, "3 records could not be written");
}

static void test_a_line(void **state) {
    struct skrfs_audit_head head = test_head();
    skrfs_autobuf line = SKRFS_BUF(SKRFS_AUDIT_LINE_MAX);
    const struct skrfs_audit_volume volume = {.number = 1};
    struct skrfs_error err;
    uint8_t digest[32];
    char digits[65];
    (void)state;
    assert_ok(skrfs_audit_seal(&head, &volume, "{\"kind\":\"end\"}", 14, &line, &err), err);
    const char *text = "{\"seq\":1,\"prev\":\"0000000000000000000000000000000000000000000000000000"
                       "000000000000\",\"chain\":\"0123456789abcdef\",\"file\":{\"number\":1,"
                       "\"oldest\":1},\"kind\":\"end\"}";
    assert_ok(skrfs_hash(SKRFS_SHA256, text, strlen(text), digest, &err), err);
    skrfs_hex_encode(digest, 32, digits);
    assert_memory_equal(line.data, digits, 64);
    assert_int_equal(line.data[64], ' ');
    assert_memory_equal(line.data + 65, text, strlen(text));
    assert_string_equal((const char *)line.data + 65 + strlen(text), "\n");
    assert_int_equal(head.seq, 1);
    assert_memory_equal(head.digest, digest, 32);
    skrfs_autorecord record = {0};
    assert_ok(skrfs_audit_parse((const char *)line.data, line.len - 1, &record, &err), err);
    assert_int_equal(record.seq, 1);
    assert_int_equal(record.kind, SKRFS_AUDIT_END);
    assert_int_equal(record.volume.number, 1);
    assert_string_equal(record.chain, TEST_CHAIN);
    assert_memory_equal(record.made, record.written, 32);
}

static void test_no_body(void **state) {
    static const char *const bodies[] = {"", "{", "}", "[]", "{\"a\":1}\n", "{\"a\":\"\n\"}",
            "{\"a\":\"\xc3\xa4\"}", "{\"a\":\"\x7f\"}", " {}"};
    struct skrfs_audit_head head = test_head();
    skrfs_autobuf line = SKRFS_BUF(SKRFS_AUDIT_LINE_MAX);
    struct skrfs_error err;
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(bodies); i++)
        assert_fails(skrfs_audit_seal(&head, NULL, bodies[i], strlen(bodies[i]), &line, &err), err,
                SKRFS_CLASS_BAD_ANSWER, "no JSON object");
    assert_int_equal(head.seq, 0);
    assert_int_equal(line.len, 0);
}

static void no_record(const char *line) {
    skrfs_autorecord record = {0};
    struct skrfs_error err;
    assert_int_equal(skrfs_audit_parse(line, strlen(line), &record, &err), -1);
    assert_int_equal(err.kind, SKRFS_CLASS_BAD_ANSWER);
}

#define Z16 "0000000000000000"
#define Z64 Z16 Z16 Z16 Z16
#define RECORD(members) Z64 " {" members "}"

static void test_no_record(void **state) {
    (void)state;
    no_record("");
    no_record(Z64);
    no_record(Z64 " ");
    no_record(Z64 " {}");
    no_record(RECORD("\"seq\":0,\"prev\":\"" Z64 "\",\"chain\":\"" Z16 "\",\"kind\":\"end\""));
    no_record(RECORD("\"seq\":1,\"prev\":\"" Z16 "\",\"chain\":\"" Z16 "\",\"kind\":\"end\""));
    no_record(RECORD("\"seq\":1,\"prev\":\"" Z64 "\",\"chain\":\"0\",\"kind\":\"end\""));
    no_record(RECORD("\"seq\":1,\"prev\":\"" Z64 "\",\"chain\":\"" Z16 "\",\"kind\":\"else\""));
    no_record(RECORD("\"seq\":1,\"prev\":\"" Z64 "\",\"chain\":\"" Z16
                     "\",\"kind\":\"end\",\"file\":{\"number\":0,\"oldest\":1}"));
    no_record(RECORD(
            "\"seq\":1,\"seq\":1,\"prev\":\"" Z64 "\",\"chain\":\"" Z16 "\",\"kind\":\"end\""));
}

struct fields {
    char text[1024];
};

static int take_field(void *context, const char *name, const char *value, struct skrfs_error *err) {
    struct fields *fields = context;
    size_t len = strlen(fields->text);
    (void)err;
    (void)snprintf(fields->text + len, sizeof(fields->text) - len, "%s=%s;", name, value);
    return 0;
}

static void test_fields(void **state) {
    static const char text[] = "{\"kind\":\"open\",\"who\":{\"uid\":0,\"deep\":{\"er\":1}},"
                               "\"required\":true,\"nothing\":null,\"odd name\":\"x\"}";
    skrfs_autojson *json = NULL;
    struct fields fields = {""};
    struct skrfs_error err;
    (void)state;
    assert_ok(skrfs_json_parse(text, strlen(text), 1024, &json, &err), err);
    assert_ok(skrfs_audit_fields(json, take_field, &fields, &err), err);
    assert_string_equal(
            fields.text, "SKRFS_KIND=open;SKRFS_WHO_UID=0;SKRFS_REQUIRED=yes;SKRFS_ODD_NAME=x;");
}

static void test_receipt(void **state) {
    const struct skrfs_proof proof = {.release = 2,
            .wall_s = 1700000000,
            .vault = "prod",
            .kid = "https://v/keys/tls/1",
            .version = "1",
            .tee = "tdx",
            .measurement = "ab"};
    struct skrfs_audit_head head = {.seq = 12, .chain = TEST_CHAIN};
    skrfs_autobuf text = SKRFS_BUF(8192), told = SKRFS_BUF(8192);
    skrfs_autojson *json = NULL;
    struct skrfs_error err;
    (void)state;
    memset(head.digest, 0xcd, sizeof(head.digest));
    assert_ok(skrfs_receipt_print("tls", &proof, &head, &text, &err), err);
    assert_ok(skrfs_json_parse(skrfs_buf_text(&text), text.len, 8192, &json, &err), err);
    assert_ok(skrfs_receipt_tell(json, &told, &err), err);
    assert_string_equal(skrfs_buf_text(&told), "key:          tls\n"
                                               "released:     2023-11-14T22:13:20Z\n"
                                               "vault:        prod\n"
                                               "kid:          https://v/keys/tls/1\n"
                                               "version:      1\n"
                                               "TEE:          tdx\n"
                                               "measurement:  ab\n"
                                               "audit:        record 12 of chain 0123456789abcdef, "
                                               "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdc"
                                               "dcdcdcdcdcdcd\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_open),
            cmocka_unit_test(test_refusal),
            cmocka_unit_test(test_release),
            cmocka_unit_test(test_hostile_texts),
            cmocka_unit_test(test_begin_and_end),
            cmocka_unit_test(test_a_line),
            cmocka_unit_test(test_no_body),
            cmocka_unit_test(test_no_record),
            cmocka_unit_test(test_fields),
            cmocka_unit_test(test_receipt),
    };
    return cmocka_run_group_tests_name("audit records", tests, NULL, NULL);
}
