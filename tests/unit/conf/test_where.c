/* Where things stand in a configuration that is right. */
#include "support.h"

#include <skrfs/conf/conf.h>

static const char text[] = "[attestation]\nurl = https://a.net\n"
                           "[vault prod]\nurl = https://contoso.vault.azure.net\n"
                           "\n"
                           "[key one]\n"
                           "allow =   user:0 exe:/usr/bin/cat\n"
                           "   group:0\n"
                           "[key two]\nmode = 0440\n";

static void places(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    SKRFS_CLEANUP(skrfs_conf_map_free_p) struct skrfs_conf_map *map = NULL;
    struct skrfs_conf_place place;
    assert_ok(skrfs_conf_parse_mapped("c", text, strlen(text), &conf, &map, &err), err);
    assert_true(skrfs_conf_where(map, "one", NULL, 0, &place));
    assert_string_equal(place.file, "c");
    assert_int_equal(place.line, 6);
    assert_int_equal(place.column, 1);
    const struct skrfs_rules *allow = &conf->keys[0].guard.allow;
    assert_int_equal(allow->count, 3);
    static const unsigned wanted[][2] = {{7, 11}, {7, 18}, {8, 4}};
    for (size_t i = 0; i < 3; i++) {
        assert_true(skrfs_conf_where(map, "one", "allow", allow->rules[i].column, &place));
        assert_int_equal(place.line, wanted[i][0]);
        assert_int_equal(place.column, wanted[i][1]);
    }
    assert_true(skrfs_conf_where(map, "two", "mode", 0, &place));
    assert_int_equal(place.line, 10);
    assert_false(skrfs_conf_where(map, "two", "allow", 0, &place));
    assert_false(skrfs_conf_where(map, "three", NULL, 0, &place));
}

static void names(void **state) {
    struct skrfs_names found;
    uint32_t id = 7;
    (void)state;
    skrfs_conf_names(&found);
    assert_true(found.user(found.context, "root", &id));
    assert_int_equal(id, 0);
    assert_true(found.group(found.context, "4711", &id));
    assert_int_equal(id, 4711);
    assert_false(found.user(found.context, "nobody-of-that-name", &id));
    assert_false(found.group(found.context, "no-group-of-that-name", &id));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(places), cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
