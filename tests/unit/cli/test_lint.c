/* Findings in rules that can be read. */
#include "support.h"

#include "../../../src/cli/lint.h"

#include <skrfs/base/cleanup.h>
#include <skrfs/base/file.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD                                                                                       \
    "[attestation]\nurl = https://a.net\n"                                                         \
    "[vault v]\nurl = https://c.vault.azure.net\n"
#define EMPTY_DIGEST "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* Appends the findings of a configuration whose keys begin in line 5. */
static void lint(const char *keys, struct skrfs_buf *out) {
    struct skrfs_error err;
    skrfs_autobuf text = SKRFS_BUF(65536);
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    SKRFS_CLEANUP(skrfs_conf_map_free_p) struct skrfs_conf_map *map = NULL;
    assert_ok(skrfs_buf_printf(&text, &err, HEAD "%s", keys), err);
    assert_ok(
            skrfs_conf_parse_mapped("c", skrfs_buf_text(&text), text.len, &conf, &map, &err), err);
    struct lint *made = calloc(1, sizeof(*made));
    assert_non_null(made);
    *made = (struct lint){.conf = conf, .map = map, .wall_s = 1800000000, .out = out};
    lint_names_read(made);
    for (size_t i = 0; i < conf->key_count; i++) {
        lint_key(made, i);
        lint_lists(made, i);
    }
    lint_same_keys(made);
    assert_false(made->failed);
    lint_names_done(made);
    free(made);
}

/* Whether a line begins with `place` and ends with "(id)". */
static bool has(const char *found, const char *place, const char *id) {
    char end[64];
    snprintf(end, sizeof(end), "(%s)", id);
    for (const char *line = found; *line;) {
        size_t len = strcspn(line, "\n");
        if (strncmp(line, place, strlen(place)) == 0 && len > strlen(end) &&
                strncmp(line + len - strlen(end), end, strlen(end)) == 0) {
            return true;
        }
        line += len + (line[len] != '\0');
    }
    return false;
}

struct example {
    const char *keys, *place, *id;
};

static void expect(const struct example *examples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        skrfs_autobuf out = SKRFS_BUF(65536);
        lint(examples[i].keys, &out);
        if (!has(skrfs_buf_text(&out), examples[i].place, examples[i].id)) {
            fail_msg("%zu: no %s (%s) in:\n%s", i, examples[i].place, examples[i].id,
                    skrfs_buf_text(&out));
        }
    }
}

static void expect_not(const struct example *examples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        skrfs_autobuf out = SKRFS_BUF(65536);
        lint(examples[i].keys, &out);
        if (has(skrfs_buf_text(&out), examples[i].place, examples[i].id)) {
            fail_msg("%zu: %s", i, skrfs_buf_text(&out));
        }
    }
}

static void what_is_right_is_silent(void **state) {
    (void)state;
    static const char *const right[] = {
            "[key a]\nowner = 0\n",
            "[key a]\nowner = 0\nmode = 0440\ngroup = 0\n",
            "[key a]\nowner = 0\nallow = user:0 & exe:/usr/bin/env & host\n",
            "[key a]\nmode = 0444\nallow = user:0 & exe:/usr/bin/env   group:0 & unit:*.service\n",
            "[key a]\nmode = 0444\nformat = pub.pem\n",
            "[key a]\nowner = 0\nhours = mon-fri 08:00-18:00\nuntil = 2037-01-01T00:00:00Z\n",
            "[key a]\nowner = 0\n[key b]\nname = a\nowner = 0\n",
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(right); i++) {
        skrfs_autobuf out = SKRFS_BUF(65536);
        lint(right[i], &out);
        assert_string_equal(skrfs_buf_text(&out), "");
    }
}

static void contradictions(void **state) {
    (void)state;
    static const char *const pairs[] = {"user:0 & user:7", "exe:/usr/bin/a & exe:/usr/bin/b",
            "exe:/usr/bin/a & exe:/opt/*", "exe:/usr/* & exe:/opt/*",
            "unit:a.service & unit:b.service", "unit:a@1.service & unit:b@*.service",
            "cgroup:/a & cgroup:/b/*", "container:0123456789ab & container:1123456789ab",
            "host & container:0123456789ab", "host & mnt-ns:4026531840",
            "pid-ns:4026531836 & pid-ns:host", "label:a & label:b",
            "sha256:" EMPTY_DIGEST
            " & sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(pairs); i++) {
        char keys[512];
        snprintf(keys, sizeof(keys), "[key a]\nowner = 0\ndeny = user:9   %s\n", pairs[i]);
        expect(&(struct example){keys, "c:7:17: error:", "contradiction"}, 1);
    }
    static const char *const fine[] = {"user:0 & group:1 & group:2", "exe:/usr/* & exe:/usr/bin/*",
            "unit:a@*.service & unit:*.service", "mnt-ns:host & pid-ns:4026531836",
            "host & mnt-ns:host", "container:0123456789ab & container:0123456789abcd",
            "unit:a.service & cgroup:/system.slice/*", "label:a* & label:ab"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(fine); i++) {
        char keys[512];
        snprintf(keys, sizeof(keys), "[key a]\nowner = 0\ndeny = %s\n", fine[i]);
        expect_not(&(struct example){keys, "c", "contradiction"}, 1);
    }
}

static void rules_against_each_other(void **state) {
    (void)state;
    static const struct example found[] = {
            {"[key a]\nallow = user:0 exe:/x/y & user:0\n", "c:6:16: warning:", "shadowed"},
            {"[key a]\nallow = exe:/x/y & user:0 user:0\n", "c:6:9: warning:", "shadowed"},
            {"[key a]\nallow = user:0\n  user:0\n", "c:7:3: warning:", "shadowed"},
            {"[key a]\ndeny = group:5 group:5 & host\n", "c:6:16: warning:", "shadowed"},
            {"[key a]\nallow = unit:a@*.service unit:a@1.service\n",
                    "c:6:26: warning:", "shadowed"},
            {"[key a]\nallow = user:0 & exe:/x/y\ndeny = user:0\n", "c:6:9: error:", "denied"},
            {"[key a]\nallow = exe:/x/y\ndeny = exe:/x/*\n", "c:6:9: error:", "denied"},
            {"[key a]\nallow = exe:/x/y\ndeny = exe:/x/*\n", "c:6:9: error:", "nobody"},
            {"[key a]\nallow = user:0 & mnt-ns:host & host\n", "c:6:9: note:", "repeated"},
            {"[key a]\nallow = exe:/x/* & exe:/x/y\n", "c:6:9: note:", "repeated"},
            {"[key a]\ndeny = exe:/usr/bin/env\n", "c:6:8: warning:", "evaded"},
            {"[key a]\nmode = 0444\nallow = exe:/usr/bin/env\n", "c:7:9: warning:", "any-user"},
            {"[key a]\nmode = 0444\nallow = host\n", "c:7:9: warning:", "any-user"},
    };
    static const struct example not [] = {
            {"[key a]\nallow = user:0 & exe:/x user:0 & exe:/y\n", "c", "shadowed"},
            {"[key a]\nallow = user:0 group:0\n", "c", "shadowed"},
            {"[key a]\nallow = user:0\ndeny = user:0 & exe:/x\n", "c", "denied"},
            {"[key a]\nallow = user:0\ndeny = user:0 & exe:/x\n", "c", "nobody"},
            {"[key a]\nallow = user:0 & exe:/x & host\n", "c", "repeated"},
            {"[key a]\nowner = 0\nallow = exe:/usr/bin/env\n", "c", "any-user"},
    };
    expect(found, SKRFS_ARRAY_LEN(found));
    expect_not(not, SKRFS_ARRAY_LEN(not ));
}

static void modes_and_times(void **state) {
    (void)state;
    static const struct example found[] = {
            {"[key a]\nowner = 0\nallow = user:0 user:1\n", "c:7:16: error:", "mode-refuses"},
            {"[key a]\nowner = 0\nallow = user:1\n", "c:7:9: error:", "nobody"},
            {"[key a]\nowner = 0\ndeny = user:1\n", "c:7:8: note:", "mode-refuses"},
            {"[key a]\nowner = 0\nallow = group:4711 & exe:/x\n", "c:7:9: error:", "mode-refuses"},
            {"[key a]\nmode = 0444\n", "c:6:8: warning:", "open"},
            {"[key a]\nmode = 0444\ndeny = user:1\n", "c:6:8: warning:", "open"},
            {"[key a]\nhide = yes\nmode = 0444\n", "c:6:8: warning:", "hides-nothing"},
            {"[key a]\nowner = 1\n", "c:6:9: note:", "root-reads"},
            {"[key a]\nhours = 00:00-24:00\n", "c:6:9: note:", "hours-always"},
            /* 1800000000 is a Friday, 08:00. */
            {"[key a]\nhours = mon 08:00-18:00\nuntil = 2027-01-17T00:00:00Z\n",
                    "c:6:9: error:", "hours-never"},
            {"[key a]\nuntil = 2020-01-01T00:00:00Z\n", "c:6:9: error:", "until-over"},
            {"[key a]\nmode = 0444\n[key b]\nname = a\n", "c:7:1: note:", "twice"},
    };
    static const struct example not [] = {
            {"[key a]\nowner = 1\nallow = user:1\n", "c", "mode-refuses"},
            {"[key a]\nowner = 0\nmode = 0444\nallow = user:1\n", "c", "mode-refuses"},
            {"[key a]\nowner = 1\ndeny = user:0\n", "c", "root-reads"},
            {"[key a]\nhide = yes\nmode = 0444\nallow = user:1\n", "c", "hides-nothing"},
            {"[key a]\nhours = fri 08:00-18:00\nuntil = 2027-01-17T00:00:00Z\n", "c",
                    "hours-never"},
            {"[key a]\nhours = 00:00-23:59\n", "c", "hours-always"},
            {"[key a]\nmode = 0444\n[key b]\nname = a\nformat = pub.pem\n", "c", "twice"},
    };
    expect(found, SKRFS_ARRAY_LEN(found));
    expect_not(not, SKRFS_ARRAY_LEN(not ));
}

static void names_of_this_machine(void **state) {
    (void)state;
    static const struct example found[] = {
            {"[key a]\nmode = 0444\nallow = user:3999999999\n", "c:7:9: note:", "user-unknown"},
            {"[key a]\nmode = 0444\nallow = group:3999999999\n", "c:7:9: note:", "group-unknown"},
    };
    static const struct example unit[] = {
            {"[key a]\nallow = unit:no-such-unit-here.service\n",
                    "c:6:9: warning:", "unit-unknown"},
            {"[key a]\nallow = unit:no-such-template@x.service\n",
                    "c:6:9: warning:", "unit-unknown"},
            {"[key a]\nallow = unit:no-such-*-here.service\n", "c:6:9: warning:", "unit-unknown"},
    };
    static const struct example not [] = {
            {"[key a]\nallow = user:0\n", "c", "user-unknown"},
            {"[key a]\nallow = group:0\n", "c", "group-empty"},
            {"[key a]\nallow = unit:session-1.scope\n", "c", "unit-unknown"},
    };
    expect(found, SKRFS_ARRAY_LEN(found));
    expect_not(not, SKRFS_ARRAY_LEN(not ));
    if (access("/usr/lib/systemd/system", F_OK) && access("/lib/systemd/system", F_OK)) {
        print_message("no systemd on this machine: its units are not looked for\n");
        skip();
    }
    expect(unit, SKRFS_ARRAY_LEN(unit));
    expect_not(&(struct example){"[key a]\nallow = unit:*.service\n", "c", "unit-unknown"}, 1);
}

/* Files of a folder that root alone may write, when the test is root's. */
static char root[64];

static void put(const char *name, const char *text, mode_t mode) {
    struct skrfs_error err;
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    assert_ok(skrfs_file_write(path, text, strlen(text), mode, &err), err);
    assert_int_equal(chmod(path, mode), 0);
}

static void expect_exe(const char *rule, const char *place, const char *id, bool wanted) {
    char keys[640], text[512];
    size_t at = 0;
    for (const char *c = rule; *c; c++) { /* '@' stands for the folder */
        at += (size_t)snprintf(
                text + at, sizeof(text) - at, "%.*s", *c == '@' ? 64 : 1, *c == '@' ? root : c);
    }
    snprintf(keys, sizeof(keys), "[key a]\nowner = 0\n%s\n", text);
    (wanted ? expect : expect_not)(&(struct example){keys, place, id}, 1);
}

static int set_up(void **state) {
    (void)state;
    snprintf(root, sizeof(root), "/tmp/skrfs-lint-XXXXXX");
    if (!mkdtemp(root)) {
        return -1;
    }
    char path[128];
    snprintf(path, sizeof(path), "%s/link", root);
    put("program", "", 0755);
    put("plain", "", 0644);
    put("wide", "", 0757);
    put("script", "#! /bin/sh -e\n", 0755);
    return symlink("program", path);
}

static int tear_down(void **state) {
    (void)state;
    static const char *const names[] = {"program", "plain", "wide", "script", "link"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(names); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", root, names[i]);
        (void)unlink(path);
    }
    return rmdir(root);
}

static void programs(void **state) {
    (void)state;
    expect_exe("allow = exe:@/none", "c:7:9: warning:", "exe-missing", true);
    expect_exe("deny = exe:@/none", "c:7:8: note:", "exe-missing", true);
    expect_exe("allow = exe:@/none/*", "c:7:9: warning:", "exe-missing", true);
    expect_exe("allow = exe:@/link", "c:7:9: error:", "exe-link", true);
    expect_exe("allow = exe:@/plain", "c:7:9: warning:", "exe-not-executable", true);
    expect_exe("allow = exe:@/script", "c:7:9: error:", "exe-script", true);
    expect_exe("allow = exe:@", "c:7:9: error:", "exe-no-file", true);
    expect_exe("allow = exe:@/wide", "c:7:9: warning:", "exe-writable", true);
    expect_exe("allow = exe:@/program & sha256:" EMPTY_DIGEST, "c", "digest-differs", false);
    expect_exe("allow = exe:@/script & sha256:" EMPTY_DIGEST, "c", "exe-writable", false);
    expect_exe("allow = exe:@/wide & sha256:"
               "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
            "c:7:9: warning:", "digest-differs", true);
    expect_exe("allow = exe:@/program", "c", "exe-missing", false);
    expect_exe("allow = exe:@/program", "c", "exe-link", false);
    /* Everybody may put a file into the folder above, but replace none of others'. */
    expect_exe("allow = exe:/tmp/*", "c:7:9: warning:", "exe-writable", true);
    expect_exe("allow = exe:/home/*", "c:7:9: warning:", "exe-writable", true);
    expect_exe("allow = exe:@/program", "c", "exe-writable", geteuid() != 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(what_is_right_is_silent),
            cmocka_unit_test(contradictions),
            cmocka_unit_test(rules_against_each_other),
            cmocka_unit_test(modes_and_times),
            cmocka_unit_test(names_of_this_machine),
            cmocka_unit_test_setup_teardown(programs, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
