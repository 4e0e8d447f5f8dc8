#include "support.h"

#include <skrfs/access/access.h>

/* One row of the access matrix. `groups` is one supplementary group, -1: none, -2: not read. `exe`
 * NULL: not read. */
struct row {
    const char *what;
    mode_t mode;
    const char *allow, *deny;
    uid_t uid;
    gid_t gid;
    int groups;
    const char *exe;
    const char *refused; /* NULL: may read */
    bool needs_groups, needs_exe;
};

#define OWNER 100
#define GROUP 200

static const struct row rows[] = {
        /* owner, group, mode */
        {"owner", 0400, "", "", OWNER, 1, -1, NULL, NULL, false, false},
        {"owner without the bit", 0044, "", "", OWNER, GROUP, -1, NULL, "does not let its owner",
                false, false},
        {"root passes the mode", 0400, "", "", 0, 0, -1, NULL, NULL, false, false},
        {"stranger", 0400, "", "", 5, 5, -1, NULL, "does not let uid 5", false, false},
        {"primary group", 0440, "", "", 5, GROUP, -2, NULL, NULL, false, false},
        {"supplementary group", 0440, "", "", 5, 5, GROUP, NULL, NULL, true, false},
        {"another group", 0440, "", "", 5, 5, 7, NULL, "does not let uid 5", true, false},
        {"groups unknown", 0440, "", "", 5, 5, -2, NULL, "groups of uid 5 could not be read", true,
                false},
        {"all may", 0444, "", "", 5, 5, -2, NULL, NULL, false, false},
        {"all but the group", 0404, "", "", 5, 5, GROUP, NULL, "does not let uid 5", true, false},
        {"all but the group, not in it", 0404, "", "", 5, 5, -1, NULL, NULL, true, false},
        {"all but the group, unknown", 0404, "", "", 5, 5, -2, NULL, "could not be read", true,
                false},
        {"write and execute bits are no read", 0733, "", "", 5, GROUP, -1, NULL,
                "does not let uid 5", false, false},
        /* allow narrows */
        {"allowed by user", 0444, "user:5", "", 5, 5, -2, NULL, NULL, false, false},
        {"not allowed", 0444, "user:6", "", 5, 5, -1, NULL, "no allow rule matches uid 5", false,
                false},
        {"root is not allowed", 0400, "user:6", "", 0, 0, -1, NULL, "no allow rule matches uid 0",
                false, false},
        {"allow does not widen", 0400, "user:5", "", 5, 5, -1, NULL, "does not let uid 5", false,
                false},
        {"allowed by primary group", 0444, "group:5 exe:/x", "", 9, 5, -2, NULL, NULL, false,
                false},
        {"allowed by supplementary group", 0444, "group:7", "", 5, 5, 7, NULL, NULL, true, false},
        {"allowed by unknown groups", 0444, "group:7", "", 5, 5, -2, NULL,
                "whose groups could not be read", true, false},
        {"allowed program", 0400, "exe:/bin/cat", "", 0, 0, -1, "/bin/cat", NULL, false, true},
        {"other program", 0400, "exe:/bin/cat", "", 0, 0, -1, "/bin/catx", "no allow rule matches",
                false, true},
        {"program unknown", 0400, "exe:/bin/cat", "", 0, 0, -1, NULL,
                "whose executable could not be read", false, true},
        {"program below the folder", 0400, "exe:/opt/*", "", 0, 0, -1, "/opt/a/b", NULL, false,
                true},
        {"the folder itself", 0400, "exe:/opt/*", "", 0, 0, -1, "/opt/", "no allow rule", false,
                true},
        {"a folder like it", 0400, "exe:/opt/*", "", 0, 0, -1, "/optional/b", "no allow rule",
                false, true},
        {"one of two suffices", 0444, "exe:/a user:5", "", 5, 5, -2, NULL, NULL, false, false},
        /* deny refuses, before allow */
        {"denied user", 0444, "", "user:5", 5, 5, -1, NULL, "deny rule user:5 matches", false,
                false},
        {"denied root", 0400, "", "user:0", 0, 0, -1, NULL, "deny rule user:0 matches", false,
                false},
        {"denied and allowed", 0444, "user:5", "user:5", 5, 5, -1, NULL, "deny rule", false, false},
        {"denied group", 0444, "", "group:7", 5, 5, 7, NULL, "deny rule group:7 matches", true,
                false},
        {"denied group, not in it", 0444, "", "group:7", 5, 5, -1, NULL, NULL, true, false},
        {"denied group, unknown", 0444, "", "group:7", 5, 5, -2, NULL, "groups could not be read",
                true, false},
        {"denied program", 0444, "", "exe:/bin/sh", 5, 5, -1, "/bin/sh", "deny rule exe:/bin/sh",
                false, true},
        {"another program", 0444, "", "exe:/bin/sh", 5, 5, -1, "/bin/cat", NULL, false, true},
        {"denied program, unknown", 0444, "", "exe:/bin/sh", 5, 5, -1, NULL,
                "executable could not be read", false, true},
        {"denied program, allowed user", 0444, "user:5", "exe:/bin/sh", 5, 5, -1, "/bin/cat", NULL,
                false, true},
};

static void parse(const char *text, struct skrfs_rules *rules) {
    struct skrfs_error err;
    size_t column;
    assert_ok(skrfs_rules_parse(text, NULL, rules, &column, &err), err);
}

static void describe(const struct row *row, struct skrfs_caller *caller) {
    *caller = (struct skrfs_caller){.uid = row->uid, .gid = row->gid, .pid = 1};
    caller->known = row->groups != -2 ? SKRFS_FACT_GROUPS : 0;
    caller->group_count = row->groups >= 0;
    caller->groups[0] = (gid_t)row->groups;
    if (row->exe) {
        caller->known |= SKRFS_FACT_EXE;
        snprintf(caller->exe, sizeof caller->exe, "%s", row->exe);
    }
}

static void check_row(const struct row *row) {
    struct skrfs_guard guard = {.owner = OWNER, .group = GROUP, .mode = row->mode};
    struct skrfs_caller caller;
    struct skrfs_error err = {0};
    parse(row->allow, &guard.allow);
    parse(row->deny, &guard.deny);
    describe(row, &caller);
    int rc = skrfs_access_decide(&guard, &caller, 0, NULL, &err);
    if ((rc == 0) != !row->refused ||
            (rc && (err.kind != SKRFS_CLASS_DENIED || !strstr(err.message, row->refused))))
        fail_msg("%s: %d %s", row->what, rc, rc ? err.message : "");
    unsigned needs = skrfs_guard_needs(&guard, row->uid, row->gid);
    unsigned wanted = (row->needs_groups ? SKRFS_FACT_GROUPS : 0) |
                      (row->needs_exe ? (unsigned)SKRFS_FACT_EXE : 0);
    if (needs != wanted)
        fail_msg("%s: needs %#x", row->what, needs);
    skrfs_rules_done(&guard.allow);
    skrfs_rules_done(&guard.deny);
}

static void test_matrix(void **state) {
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows); i++)
        check_row(&rows[i]);
}

/* What the needs leave out is never asked for: with only that known, the decision is the same as
 * with all known. */
static void test_needs_suffice(void **state) {
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(rows); i++) {
        struct row row = rows[i];
        if (!row.needs_groups)
            row.groups = -2;
        if (!row.needs_exe)
            row.exe = NULL;
        check_row(&row);
    }
}

static void test_no_pid(void **state) {
    struct skrfs_guard guard = {.mode = 0444};
    struct skrfs_caller caller = {.uid = 0};
    struct skrfs_error err;
    (void)state;
    assert_fails(skrfs_access_decide(&guard, &caller, 0, NULL, &err), err, SKRFS_CLASS_DENIED,
            "process namespace");
    caller.pid = 1;
    assert_ok(skrfs_access_decide(&guard, &caller, 0, NULL, &err), err);
}

static void test_print(void **state) {
    struct skrfs_caller caller = {.uid = 33, .gid = 34, .pid = 812};
    char out[128];
    (void)state;
    skrfs_caller_print(&caller, out, sizeof out);
    assert_string_equal(out, "uid 33 gid 34 pid 812");
    caller.known = SKRFS_FACT_EXE;
    snprintf(caller.exe, sizeof caller.exe, "/bin/a\nb");
    skrfs_caller_print(&caller, out, sizeof out);
    assert_string_equal(out, "uid 33 gid 34 pid 812 exe /bin/a?b");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_matrix),
            cmocka_unit_test(test_needs_suffice),
            cmocka_unit_test(test_no_pid),
            cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests_name("access decision", tests, NULL, NULL);
}
