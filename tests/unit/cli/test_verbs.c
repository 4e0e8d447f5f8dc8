#include "support.h"

#include <skrfs/base/cleanup.h>
#include <skrfs/cli/helper.h>
#include <skrfs/cli/verb.h>

static int find(const char *one, const char *two, struct skrfs_found_verb *ret_found,
        struct skrfs_error *err) {
    char *words[] = {(char *)one, (char *)two, NULL};
    return skrfs_verb_find(words, two ? 2 : 1, ret_found, err);
}

static void finds_by_one_word_or_two(void **state) {
    (void)state;
    struct skrfs_found_verb found;
    struct skrfs_error err;
    assert_ok(find("get", "name", &found, &err), err);
    assert_string_equal(found.verb->name, "get");
    assert_int_equal(found.words, 1);
    assert_ok(find("key", "create", &found, &err), err);
    assert_string_equal(found.verb->name, "key create");
    assert_int_equal(found.words, 2);
    assert_ok(find("policy", NULL, &found, &err), err);
    assert_null(found.verb);
    assert_string_equal(found.group, "policy");
    assert_ok(find("lab", "--help", &found, &err), err);
    assert_string_equal(found.group, "lab");
}

static void suggests_for_a_slip(void **state) {
    (void)state;
    struct skrfs_found_verb found;
    struct skrfs_error err;
    assert_fails(find("staus", NULL, &found, &err), err, SKRFS_CLASS_CONFIG, "'skrfs status'?");
    assert_fails(find("mnout", NULL, &found, &err), err, SKRFS_CLASS_CONFIG, "'skrfs mount'?");
    assert_fails(
            find("key", "crate", &found, &err), err, SKRFS_CLASS_CONFIG, "'skrfs key create'?");
    assert_fails(find("frobnicate", NULL, &found, &err), err, SKRFS_CLASS_CONFIG,
            "unknown verb 'frobnicate'; 'skrfs --help'");
}

static void nearest_is_near(void **state) {
    (void)state;
    static const char *const names[] = {"tls-server", "disk-data", "db"};
    assert_string_equal(skrfs_nearest("tls-sevrer", names, 3), "tls-server");
    assert_string_equal(skrfs_nearest("Disk-Data", names, 3), "disk-data");
    assert_string_equal(skrfs_nearest("bd", names, 3), "db");
    assert_null(skrfs_nearest("mail", names, 3));
    assert_null(skrfs_nearest("", names, 3));
    assert_null(skrfs_nearest("tls-server", names, 0));
    assert_null(skrfs_nearest(
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", names, 3));
}

/* The table is what --help, the man pages and the completion are held against. */
static void every_verb_is_whole(void **state) {
    (void)state;
    for (const struct skrfs_verb *const *verb = skrfs_verbs; *verb; verb++) {
        assert_non_null((*verb)->run);
        assert_true((*verb)->least <= (*verb)->most);
        assert_true((*verb)->option_count <= SKRFS_OPTIONS_MAX);
        assert_true(strlen((*verb)->summary) < 60);
        assert_non_null(strchr((*verb)->page, '('));
        for (size_t i = 0; i < (*verb)->option_count; i++) {
            const struct skrfs_option *option = &(*verb)->options[i];
            assert_true(option->offset < (*verb)->options_size);
            assert_true((option->kind == SKRFS_OPTION_FLAG) == (option->value == NULL));
            for (size_t j = 0; j < i; j++) {
                assert_string_not_equal(option->name, (*verb)->options[j].name);
                assert_true(!option->letter || option->letter != (*verb)->options[j].letter);
            }
        }
    }
}

static bool helper_form(const char *zero, const char *one, const char *two) {
    char *argv[] = {(char *)zero, (char *)one, (char *)two, NULL};
    return skrfs_helper_form(two ? 3 : one ? 2 : 1, argv);
}

static void knows_a_mount_helper(void **state) {
    (void)state;
    assert_true(helper_form("/sbin/mount.skrfs", "skrfs", "/run/skrfs"));
    assert_true(helper_form("mount.fuse.skrfs", NULL, NULL));
    assert_true(helper_form("skrfs", "/etc/skrfs/skrfs.conf", "/run/skrfs"));
    assert_true(helper_form("skrfs", "skrfs", "/run/skrfs"));
    assert_true(helper_form("skrfs", "/run/skrfs", "-o"));
    assert_true(helper_form("skrfs", "none", "/run/skrfs"));
    assert_true(helper_form("skrfs", "", "/run/skrfs"));
    assert_false(helper_form("skrfs", "mount", "/run/skrfs"));
    assert_false(helper_form("skrfs", "/run/skrfs", NULL));
    assert_false(helper_form("skrfs", "get", "/x"));
}

static void splits_mount_words(void **state) {
    (void)state;
    struct skrfs_mount_words words;
    struct skrfs_error err;
    assert_ok(
            skrfs_mount_words_parse("rw,noauto,x-systemd.automount,nofail,_netdev,config=/a/b,log="
                                    "debug,allow_other,ro,comment=x,dev,suid",
                    &words, &err),
            err);
    assert_string_equal(words.config, "/a/b");
    assert_string_equal(words.log, "debug");
    assert_string_equal(words.rest, "allow_other,ro");
    skrfs_mount_words_done(&words);
    assert_ok(skrfs_mount_words_parse("", &words, &err), err);
    assert_null(words.rest);
    assert_null(words.config);
    skrfs_mount_words_done(&words);
    assert_fails(skrfs_mount_words_parse("config=a", &words, &err), err, SKRFS_CLASS_CONFIG,
            "'a' is none");
    assert_fails(skrfs_mount_words_parse("config=/a,config=/b", &words, &err), err,
            SKRFS_CLASS_CONFIG, "the second");
}

static void knows_log_levels(void **state) {
    (void)state;
    struct skrfs_error err;
    assert_ok(skrfs_log_level_set("info", &err), err);
    assert_fails(skrfs_log_level_set("loud", &err), err, SKRFS_CLASS_CONFIG, "log=loud");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(finds_by_one_word_or_two),
            cmocka_unit_test(suggests_for_a_slip),
            cmocka_unit_test(nearest_is_near),
            cmocka_unit_test(every_verb_is_whole),
            cmocka_unit_test(knows_a_mount_helper),
            cmocka_unit_test(splits_mount_words),
            cmocka_unit_test(knows_log_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
