/* Rules from what a mount saw. */
#include "support.h"

#include "../../../src/cli/learned.h"

#include <skrfs/conf/conf.h>

#define STATUS "{\"keys\": [{\"name\": \"a\"}, {\"name\": \"b\"}]}"
#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEAD(key, refused, uid)                                                                    \
    "{\"key\": \"" key "\", \"refused\": " refused ", \"uid\": " uid ", \"why\": \"because\","
#define PLAIN "\"unit\": \"\", \"container\": \"\", \"host\": true}"

static struct skrfs_json *parse(const char *text) {
    struct skrfs_json *json = NULL;
    struct skrfs_error err;
    assert_ok(skrfs_json_parse(text, strlen(text), 1U << 20, &json, &err), err);
    return json;
}

static struct skrfs_json *rules_of(const char *seen, const struct learned_options *options) {
    static char text[1U << 20];
    snprintf(text, sizeof(text), "{\"seen\": [%s]}", seen);
    skrfs_autojson *learned = parse(text), *status = parse(STATUS);
    struct skrfs_json *rules = NULL;
    struct skrfs_error err;
    assert_ok(learned_rules(learned, status, options, &rules, &err), err);
    return rules;
}

static const char *member(const struct skrfs_json *rules, size_t key, const char *name, size_t i) {
    const struct skrfs_json *array = skrfs_json_get(skrfs_json_at(rules, key), name);
    const char *text = skrfs_json_string(skrfs_json_at(array, i));
    return text ? text : "";
}

/* What is written is read by the configuration, and by nothing more than what it should be. */
static size_t count_allowed(const struct skrfs_json *rules, size_t key) {
    struct skrfs_error err;
    skrfs_autobuf text = SKRFS_BUF(1U << 20);
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    assert_ok(skrfs_buf_append_text(&text,
                      "[attestation]\nurl = https://a.net\n[vault v]\nurl = "
                      "https://c.vault.azure.net\n",
                      &err),
            err);
    assert_ok(learned_print(rules, &text, &err), err);
    assert_ok(skrfs_conf_parse("learned", skrfs_buf_text(&text), text.len, &conf, &err), err);
    for (size_t i = 0; i < conf->key_count; i++) {
        if (strcmp(conf->keys[i].file, key ? "b" : "a") == 0) {
            return conf->keys[i].guard.allow.count;
        }
    }
    return 0;
}

static const struct learned_options plain = {0};

static void tight_rules(void **state) {
    (void)state;
    skrfs_autojson *rules = rules_of(
            HEAD("a", "false", "3999999999") "\"exe\": \"/bin/x\", \"sha256\": null," PLAIN ","
            /* The same again, by what is in no rule alone. */
            HEAD("a", "false",
                    "3999999999") "\"exe\": \"/bin/x\", \"sha256\": \"" DIGEST "\"," PLAIN
                                  "," HEAD("a", "false",
                                          "0") "\"exe\": \"/opt/a b&c\", \"unit\": "
                                               "\"x@1.service\", "
                                               "\"container\": \"\", \"host\": false}," HEAD("b",
                                                       "true",
                                                       "5999999") "\"exe\": \"/bin/y\"," PLAIN,
            &plain);
    assert_string_equal(member(rules, 0, "allow", 0), "user:3999999999 & exe:/bin/x & host");
    assert_string_equal(
            member(rules, 0, "allow", 1), "user:root & exe:\"/opt/a b&c\" & unit:x@1.service");
    assert_string_equal(member(rules, 0, "allow", 2), "");
    assert_string_equal(member(rules, 0, "left_out", 0), "");
    assert_string_equal(member(rules, 1, "allow", 0), "");
    assert_string_equal(member(rules, 1, "refused", 0), "user:5999999 exe:/bin/y: because");
    assert_int_equal(learned_count(rules, "allow"), 2);
    assert_int_equal(count_allowed(rules, 0), 2);
    assert_int_equal(count_allowed(rules, 1), 0);
}

static void digests_when_wanted(void **state) {
    (void)state;
    const struct learned_options digest = {.digest = true};
    skrfs_autojson *rules = rules_of(
            HEAD("a", "false", "0") "\"exe\": \"/bin/x\", \"sha256\": \"" DIGEST "\"," PLAIN
                                    "," HEAD("b", "false",
                                            "0") "\"exe\": \"/bin/x\", \"sha256\": null," PLAIN,
            &digest);
    assert_string_equal(
            member(rules, 0, "allow", 0), "user:root & exe:/bin/x & sha256:" DIGEST " & host");
    assert_string_equal(member(rules, 1, "allow", 0), "user:root & exe:/bin/x & host");
    assert_non_null(strstr(member(rules, 1, "left_out", 0), "digest is left out"));
    assert_non_null(strstr(member(rules, 1, "left_out", 0), "because"));
    assert_int_equal(count_allowed(rules, 0), 1);
}

/* Nothing is widened without a word. */
static void what_is_left_out_is_told(void **state) {
    (void)state;
    static const struct {
        const char *seen, *rule, *told;
    } cases[] = {
            {"\"exe\": null," PLAIN, "user:root & host", "executable is left out"},
            {"\"exe\": \"/x\", \"unit\": null, \"host\": true}", "user:root & exe:/x & host",
                    "unit and container are left out"},
            {"\"exe\": \"/x\", \"unit\": \"session-3.scope\", \"container\": \"\", \"host\": true}",
                    "user:root & exe:/x & host", "its unit is left out"},
            {"\"exe\": \"/x\", \"unit\": \"\", \"container\": \"\", \"host\": null}",
                    "user:root & exe:/x", "not known"},
            {"\"exe\": \"/x\", \"unit\": \"\", \"container\": \"\", \"host\": false}",
                    "user:root & exe:/x", "namespaces of its own"},
            {"\"exe\": \"/usr/bin/python3.11\"," PLAIN,
                    "user:root & exe:/usr/bin/python3.11 & host", "whatever script"},
            {"\"exe\": \"/x ; y\"," PLAIN, "user:root & host", "cannot hold its exe"},
            {"\"exe\": \"/x  y\"," PLAIN, "user:root & host", "cannot hold its exe"},
            {"\"exe\": \"/" DIGEST DIGEST DIGEST "\"," PLAIN, "user:root & host",
                    "cannot hold its exe"},
            {"\"exe\": \"/x*\"," PLAIN, "user:root & host", "cannot hold its exe"},
            /* A program's name is its user's choice: it must not become lines of its own. */
            {"\"exe\": \"/x\\nallow = user:5\"," PLAIN, "user:root & host", "cannot hold its exe"},
            {"\"exe\": \"/x\\\"y\"," PLAIN, "user:root & exe:/x\"y & host", ""},
            {"\"exe\": \"/x\\\" \\\\y\"," PLAIN, "user:root & exe:\"/x\\\" \\\\y\" & host", ""},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        char seen[1024];
        snprintf(seen, sizeof(seen), HEAD("a", "false", "0") "%s", cases[i].seen);
        skrfs_autojson *rules = rules_of(seen, &plain);
        assert_string_equal(member(rules, 0, "allow", 0), cases[i].rule);
        assert_non_null(strstr(member(rules, 0, "left_out", 0), cases[i].told));
        assert_int_equal(learned_count(rules, "left_out"), cases[i].told[0] != '\0');
        assert_int_equal(count_allowed(rules, 0), 1);
    }
}

#define ID DIGEST

static void containers(void **state) {
    (void)state;
    const struct learned_options numbered = {.containers = true};
    static const char seen[] =
            HEAD("a", "false", "0") "\"exe\": null, \"unit\": \"docker-" ID
                                    ".scope\", \"container\": \"" ID "\", \"host\": false}";
    skrfs_autojson *none = rules_of(seen, &plain);
    assert_int_equal(learned_count(none, "allow"), 0);
    assert_non_null(strstr(member(none, 0, "left_out", 1), "--containers"));
    assert_int_equal(count_allowed(none, 0), 0);
    skrfs_autojson *rules = rules_of(seen, &numbered);
    assert_string_equal(member(rules, 0, "allow", 0), "user:root & container:" ID);
    assert_int_equal(count_allowed(rules, 0), 1);
    /* A machine has a name that stays. */
    skrfs_autojson *machine = rules_of(HEAD("a", "false", "0") "\"exe\": null, \"unit\": "
                                                               "\"machine-m.scope\", "
                                                               "\"container\": \"m\", "
                                                               "\"host\": false}",
            &plain);
    assert_string_equal(member(machine, 0, "allow", 0), "user:root & unit:machine-m.scope");
}

static void too_many_are_no_rules(void **state) {
    (void)state;
    static char seen[1U << 19];
    size_t at = 0;
    for (unsigned i = 0; i <= SKRFS_RULES_MAX; i++) {
        at += (size_t)snprintf(seen + at, sizeof(seen) - at,
                "%s" HEAD("a", "false", "0") "\"exe\": \"/bin/%u\"," PLAIN, i ? "," : "", i);
    }
    skrfs_autojson *rules = rules_of(seen, &plain);
    assert_int_equal(learned_count(rules, "allow"), 0);
    assert_non_null(strstr(member(rules, 0, "left_out", 0), "65 kinds of callers"));
    assert_int_equal(count_allowed(rules, 0), 0);
}

static void other_documents_are_refused(void **state) {
    (void)state;
    skrfs_autojson *none = parse("{}"), *status = parse(STATUS),
                   *odd = parse("{\"seen\": [{\"key\": \"a\"}]}");
    skrfs_autojson *name = parse("{\"seen\": [], \"keys\": [{\"name\": \"a]\\n[mount\"}]}");
    skrfs_autojson *sum = parse("{\"seen\": [" HEAD(
            "a", "false", "0") "\"exe\": \"/x\", \"sha256\": \"0\\nb = c\"," PLAIN "]}");
    skrfs_autojson *user = parse("{\"seen\": [" HEAD("a", "false", "-1") PLAIN "]}");
    const struct learned_options digest = {.digest = true};
    struct skrfs_json *rules = NULL;
    struct skrfs_error err;
    assert_fails(learned_rules(name, name, &plain, &rules, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "no name");
    assert_fails(learned_rules(sum, status, &digest, &rules, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "digest");
    assert_fails(
            learned_rules(user, status, &plain, &rules, &err), err, SKRFS_CLASS_BAD_ANSWER, "user");
    assert_fails(
            learned_rules(none, status, &plain, &rules, &err), err, SKRFS_CLASS_BAD_ANSWER, "seen");
    assert_fails(
            learned_rules(odd, none, &plain, &rules, &err), err, SKRFS_CLASS_BAD_ANSWER, "keys");
    assert_fails(
            learned_rules(odd, status, &plain, &rules, &err), err, SKRFS_CLASS_BAD_ANSWER, "uid");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(tight_rules),
            cmocka_unit_test(digests_when_wanted),
            cmocka_unit_test(what_is_left_out_is_told),
            cmocka_unit_test(containers),
            cmocka_unit_test(too_many_are_no_rules),
            cmocka_unit_test(other_documents_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
