/* What the courier is let read and join for logins with credentials from files. */
#include "support.h"

#include <skrfs/daemon/process.h>

static void only_open_files_are_read(void **state) {
    (void)state;
    static const struct {
        mode_t mode;
        gid_t group;
        bool open, joins;
    } cases[] = {
            {0644, 0, true, false},
            {0604, 7, true, false},
            {0640, 7, true, true},
            {0440, 7, true, true},
            {0640, 0, false, false}, /* root's group is never joined */
            {0600, 7, false, false},
            {0660, 0, false, false},
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        const struct stat status = {.st_mode = S_IFREG | cases[i].mode, .st_gid = cases[i].group};
        bool joins = true;
        assert_int_equal(skrfs_credential_open_to(&status, &joins), cases[i].open);
        assert_int_equal(joins, cases[i].joins);
    }
}

static void folders_of_logins_are_found(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    struct skrfs_credentials credentials = {.count = 0};
    struct skrfs_cloud_vault vaults[] = {
            {.name = "a", .identity = SKRFS_IDENTITY_SYSTEM},
            {.name = "b", .identity = SKRFS_IDENTITY_CLIENT_ID, .identity_id = "/x/id"},
            {.name = "c", .identity = SKRFS_IDENTITY_SECRET, .identity_id = "/x/y/secret"},
            {.name = "d", .identity = SKRFS_IDENTITY_SECRET, .identity_id = "/x/y/other"},
            {.name = "e", .identity = SKRFS_IDENTITY_WORKLOAD, .token_file = "/x/token"},
    };
    const struct skrfs_network network = {.vaults = vaults};
    assert_ok(skrfs_credentials_find(&network, SKRFS_ARRAY_LEN(vaults), &credentials, &err), err);
    assert_int_equal(credentials.count, 2);
    assert_string_equal(credentials.folders[0], "/x/y");
    assert_string_equal(credentials.folders[1], "/x");
    assert_int_equal(credentials.group_count, 0);
    assert_int_equal(credentials.secret, 0);
    skrfs_credentials_done(&credentials);
    struct skrfs_cloud_vault certificate = {
            .name = "f", .identity = SKRFS_IDENTITY_CERTIFICATE, .identity_id = "/file.pem"};
    const struct skrfs_network arc = {
            .vaults = &certificate, .login = {.managed = SKRFS_MANAGED_ARC}};
    assert_ok(skrfs_credentials_find(&arc, 1, &credentials, &err), err);
    assert_int_equal(credentials.count, 2);
    assert_string_equal(credentials.folders[1], "/var/opt/azcmagent/tokens");
    assert_string_equal(credentials.folders[0], "/file.pem"); /* never the whole tree */
    assert_int_equal(credentials.secret, SKRFS_SECRET_MAX);
    skrfs_credentials_done(&credentials);
    struct skrfs_cloud_vault both[] = {certificate, certificate};
    const struct skrfs_network two = {.vaults = both};
    assert_ok(skrfs_credentials_find(&two, 2, &credentials, &err), err);
    assert_int_equal(credentials.secret, 2 * SKRFS_SECRET_MAX);
    skrfs_credentials_done(&credentials);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(only_open_files_are_read),
            cmocka_unit_test(folders_of_logins_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
