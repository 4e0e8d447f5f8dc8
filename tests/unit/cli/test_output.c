#include "support.h"

#include <skrfs/cli/output.h>
#include <skrfs/cli/status.h>

static void table_lines_up(void **state) {
    (void)state;
    struct skrfs_error err;
    skrfs_autotable table = {.columns = 3, .style_column = 1};
    skrfs_autobuf out = SKRFS_BUF(4096);
    assert_ok(skrfs_table_add(
                      &table, (const char *[]){"NAME", "STATE", "ERROR"}, SKRFS_STYLE_BOLD, &err),
            err);
    assert_ok(skrfs_table_add(&table, (const char *[]){"a-long-name", "ready", NULL},
                      SKRFS_STYLE_GOOD, &err),
            err);
    assert_ok(skrfs_table_add(&table, (const char *[]){"b", "failed", "because\033[2J of it"},
                      SKRFS_STYLE_BAD, &err),
            err);
    assert_ok(skrfs_table_print(&table, 0, false, &out, &err), err);
    assert_string_equal(skrfs_buf_text(&out), "NAME         STATE   ERROR\n"
                                              "a-long-name  ready\n"
                                              "b            failed  because?[2J of it\n");
}

static void table_fits_a_terminal(void **state) {
    (void)state;
    struct skrfs_error err;
    skrfs_autotable table = {.columns = 2, .style_column = 0};
    skrfs_autobuf out = SKRFS_BUF(4096);
    assert_ok(skrfs_table_add(&table, (const char *[]){"NAME", "ERROR"}, NULL, &err), err);
    assert_ok(skrfs_table_add(&table, (const char *[]){"a", "a long story"}, NULL, &err), err);
    assert_ok(skrfs_table_print(&table, 12, false, &out, &err), err);
    assert_string_equal(skrfs_buf_text(&out), "NAME  ERROR\na     a long\n");
    skrfs_buf_truncate(&out, 0);
    assert_ok(skrfs_table_print(&table, 3, false, &out, &err), err);
    assert_string_equal(skrfs_buf_text(&out), "NAM\na\n");
}

static void table_colours_one_column(void **state) {
    (void)state;
    struct skrfs_error err;
    skrfs_autotable table = {.columns = 2, .style_column = 1};
    skrfs_autobuf out = SKRFS_BUF(4096);
    assert_ok(skrfs_table_add(&table, (const char *[]){"N", "S"}, NULL, &err), err);
    assert_ok(skrfs_table_add(&table, (const char *[]){"a", "bad"}, SKRFS_STYLE_BAD, &err), err);
    assert_ok(skrfs_table_print(&table, 0, true, &out, &err), err);
    assert_string_equal(skrfs_buf_text(&out), "N  S\na  \033[31mbad\033[0m\n");
}

static void ages_are_short(void **state) {
    (void)state;
    char out[16];
    static const struct {
        int64_t seconds;
        const char *text;
    } ages[] = {{0, "0s"}, {119, "119s"}, {120, "2m"}, {7199, "119m"}, {7200, "2h"},
            {172799, "47h"}, {172800, "2d"}, {86400 * 400, "400d"}};
    for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
        skrfs_age_print(ages[i].seconds, out, sizeof(out));
        assert_string_equal(out, ages[i].text);
    }
}

static void status_show(const char *json, struct skrfs_buf *out) {
    struct skrfs_error err;
    skrfs_autojson *status = NULL;
    assert_ok(skrfs_json_parse(json, strlen(json), 1 << 16, &status, &err), err);
    assert_ok(skrfs_status_print(status, "/run/skrfs", 0, false, out, &err), err);
}

static void status_is_a_table(void **state) {
    (void)state;
    skrfs_autobuf out = SKRFS_BUF(1 << 16);
    status_show(
            "{\"version\":\"0.1.0\",\"lab\":null,\"health\":\"degraded\",\"since\":\"2026-01-31T08:"
            "15:00Z\","
            "\"memory\":{\"kind\":\"memfd_secret\",\"arena\":262144,\"used\":1700,\"secrets\":1},"
            "\"keys\":[{\"name\":\"tls\",\"state\":\"ready\",\"version\":"
            "\"0123456789abcdef0123456789abcdef\",\"age_s\":130,\"releases\":3,\"failures\":0,"
            "\"waiters\":0,\"handles\":1,\"error\":\"\"},{\"name\":\"disk\",\"state\":\"failed\","
            "\"version\":\"\",\"age_s\":0,\"releases\":0,\"failures\":2,\"waiters\":0,\"handles\":"
            "0,"
            "\"error\":\"refused by policy\"}]}",
            &out);
    assert_string_equal(skrfs_buf_text(&out),
            "/run/skrfs: degraded, skrfs 0.1.0 since 2026-01-31T08:15:00Z, 1 secrets in "
            "memfd_secret\n\n"
            "NAME  STATE   VERSION   AGE  RELEASES  FAILURES  LAST ERROR\n"
            "tls   ready   01234567  2m   3         0         -\n"
            "disk  failed  -         -    0         2         refused by policy\n");
}

static void status_says_that_it_is_a_lab(void **state) {
    (void)state;
    skrfs_autobuf out = SKRFS_BUF(1 << 16);
    status_show("{\"lab\":\"/run/skrfs-lab\",\"health\":\"ok\",\"keys\":[]}", &out);
    assert_non_null(strstr(skrfs_buf_text(&out), "LAB (/run/skrfs-lab)"));
}

static void status_of_another_shape_is_shown(void **state) {
    (void)state;
    skrfs_autobuf out = SKRFS_BUF(1 << 16);
    status_show("{\"health\":[],\"keys\":[1,{\"name\":7,\"age_s\":\"x\"}]}", &out);
    assert_non_null(strstr(skrfs_buf_text(&out), "/run/skrfs: -, skrfs - since -"));
    status_show("[]", &out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(table_lines_up),
            cmocka_unit_test(table_fits_a_terminal),
            cmocka_unit_test(table_colours_one_column),
            cmocka_unit_test(ages_are_short),
            cmocka_unit_test(status_is_a_table),
            cmocka_unit_test(status_says_that_it_is_a_lab),
            cmocka_unit_test(status_of_another_shape_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
