#include "support.h"

#include <limits.h>
#include <skrfs/base/file.h>
#include <skrfs/conf/conf.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
    char root[32];
    char path[PATH_MAX];
};

static void put(const struct folder *folder, const char *name, const char *text) {
    struct skrfs_error err = {0};
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", folder->root, name);
    assert_ok(skrfs_file_write(path, text, strlen(text), 0644, &err), err);
}

static int set_up(void **state) {
    struct folder *folder = calloc(1, sizeof(*folder));
    char path[PATH_MAX];
    *state = folder;
    snprintf(folder->root, sizeof(folder->root), "/tmp/skrfs-conf-XXXXXX");
    if (!mkdtemp(folder->root))
        return -1;
    snprintf(folder->path, sizeof(folder->path), "%s/skrfs.conf", folder->root);
    snprintf(path, sizeof(path), "%s/skrfs.conf.d", folder->root);
    if (mkdir(path, 0700))
        return -1;
    put(folder, "skrfs.conf",
            "[attestation]\nurl = https://a.net\n"
            "[vault prod]\nurl = https://contoso.vault.azure.net\n"
            "[key one]\nmode = 0400\nformat = jwk\n");
    return 0;
}

static int tear_down(void **state) {
    struct folder *folder = *state;
    static const char *const names[] = {"skrfs.conf.d/10-a.conf", "skrfs.conf.d/9-b.conf",
            "skrfs.conf.d/note.txt", "skrfs.conf.d/.hidden.conf", "skrfs.conf.d", "skrfs.conf", ""};
    int failed = 0;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(names); i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "%s/%s", folder->root, names[i]);
        failed = remove(path);
    }
    free(folder);
    return failed;
}

static void one_file_is_enough(void **state) {
    const struct folder *folder = *state;
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    assert_ok(skrfs_conf_load(folder->path, &conf, &err), err);
    assert_string_equal(conf->source, folder->path);
    assert_int_equal(conf->key_count, 1);
    assert_int_equal(conf->keys[0].guard.owner, geteuid());
    assert_int_equal(conf->owner, geteuid());
}

static void a_mount_may_be_anothers(void **state) {
    const struct folder *folder = *state;
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL, *roots = NULL;
    assert_ok(skrfs_conf_load_for(folder->path, 1234, 5678, &conf, &err), err);
    assert_int_equal(conf->owner, 1234);
    assert_int_equal(conf->group, 5678);
    assert_int_equal(conf->keys[0].guard.owner, 1234);
    assert_int_equal(conf->keys[0].guard.group, 5678);
    assert_false(conf->allow_other);
    assert_ok(skrfs_conf_load_for(folder->path, 0, 0, &roots, &err), err);
    assert_int_equal(roots->keys[0].guard.owner, 0);
    assert_true(roots->allow_other);
}

static void drop_ins_add_and_replace_in_their_order(void **state) {
    const struct folder *folder = *state;
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    put(folder, "skrfs.conf.d/10-a.conf",
            "[key one]\nmode = 0440\nallow = user:1\n user:2\n[key two]\n");
    put(folder, "skrfs.conf.d/9-b.conf",
            "[key one]\nmode = 0444\nallow = user:3\n user:4 user:5\n");
    put(folder, "skrfs.conf.d/note.txt", "not read");
    put(folder, "skrfs.conf.d/.hidden.conf", "not read");
    assert_ok(skrfs_conf_load(folder->path, &conf, &err), err);
    assert_int_equal(conf->key_count, 2);
    assert_string_equal(conf->keys[0].file, "one");
    assert_int_equal(conf->keys[0].guard.mode, 0444);
    assert_int_equal(conf->keys[0].format, SKRFS_FORMAT_JWK);
    assert_int_equal(conf->keys[0].guard.allow.count, 3);
    assert_int_equal(conf->keys[0].guard.allow.rules[0].conditions[0].id, 3);
    assert_int_equal(conf->keys[0].guard.allow.rules[2].conditions[0].id, 5);
}

static void a_wrong_drop_in_is_named(void **state) {
    const struct folder *folder = *state;
    struct skrfs_error err = {0};
    struct skrfs_conf *conf = NULL;
    put(folder, "skrfs.conf.d/10-a.conf", "[key one]\nmode = 0440\n\n[key two]\nmdoe = 0400\n");
    assert_fails(skrfs_conf_load(folder->path, &conf, &err), err, SKRFS_CLASS_CONFIG,
            "skrfs.conf.d/10-a.conf:5:1: unknown name 'mdoe' in [key]; did you mean 'mode'?");
    put(folder, "skrfs.conf.d/10-a.conf", "[key one]\nmode = 0440\nmode = 0400\n");
    assert_fails(skrfs_conf_load(folder->path, &conf, &err), err, SKRFS_CLASS_CONFIG,
            "10-a.conf:3:8: 'mode' is there twice, first in line 2");
    put(folder, "skrfs.conf.d/10-a.conf", "[key one]\nallow = user:1\n x:2\n");
    assert_fails(
            skrfs_conf_load(folder->path, &conf, &err), err, SKRFS_CLASS_CONFIG, "10-a.conf:3:2: ");
    assert_null(conf);
}

static void a_missing_file_says_what_to_do(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    struct skrfs_conf *conf = NULL;
    assert_fails(skrfs_conf_load("/nowhere/skrfs.conf", &conf, &err), err, SKRFS_CLASS_CONFIG,
            "there is no configuration /nowhere/skrfs.conf");
    assert_fails(skrfs_conf_load("/", &conf, &err), err, SKRFS_CLASS_CONFIG, "is not a file");
}

static void a_file_that_everybody_may_write_is_refused(void **state) {
    const struct folder *folder = *state;
    struct skrfs_error err = {0};
    struct skrfs_conf *conf = NULL;
    assert_int_equal(chmod(folder->path, 0666), 0);
    assert_fails(skrfs_conf_load(folder->path, &conf, &err), err, SKRFS_CLASS_CONFIG,
            "everybody may write it");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(one_file_is_enough, set_up, tear_down),
            cmocka_unit_test_setup_teardown(a_mount_may_be_anothers, set_up, tear_down),
            cmocka_unit_test_setup_teardown(
                    drop_ins_add_and_replace_in_their_order, set_up, tear_down),
            cmocka_unit_test_setup_teardown(a_wrong_drop_in_is_named, set_up, tear_down),
            cmocka_unit_test_setup_teardown(a_missing_file_says_what_to_do, set_up, tear_down),
            cmocka_unit_test_setup_teardown(
                    a_file_that_everybody_may_write_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
