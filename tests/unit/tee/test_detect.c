/* Which TEE is chosen, what is said of it, and that an error is never a reason for another. */
#include "guest.h"

#define autotee SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee

/* The last look at it. */
static const struct skrfs_tee_look *find_look(
        const struct skrfs_tee_looks *looks, const char *what) {
    for (size_t i = looks->count; i-- > 0;)
        if (strstr(looks->looks[i].what, what))
            return &looks->looks[i];
    print_error("nobody looked at %s\n", what);
    fail();
    return NULL;
}

static void a_machine_that_is_none_is_told_everything(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tee *tee = NULL;
    struct skrfs_tee_looks looks;
    (void)state;
    struct skrfs_tee_options options = guest_options(NULL);
    options.looks = &looks;
    assert_fails(skrfs_tee_open(&options, &tee, &err), err, SKRFS_CLASS_NO_TEE, "no TPM");
    assert_non_null(strstr(err.message, "/nonexistent/tsm is not there"));
    assert_non_null(strstr(err.message, "/nonexistent/sev-guest is not there"));
    for (size_t i = 0; i < looks.count; i++)
        assert_false(looks.looks[i].there);
    assert_string_equal(looks.chosen, "");
    (void)find_look(&looks, "TPM");
    (void)find_look(&looks, "/nonexistent/tsm");
    (void)find_look(&looks, "/nonexistent/sev-guest");
}

static void each_kind_is_found(void **state) {
    static const struct {
        const char *provider, *kind, *chosen;
    } cases[] = {
            {"sev_guest", "snp", "snp: a report over the wrapping key comes from configfs-tsm"},
            {"tdx_guest", "tdx", "tdx: a quote over the wrapping key comes from configfs-tsm"}};
    (void)state;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(cases); i++) {
        struct skrfs_error err = {0};
        struct skrfs_tee_looks looks;
        autotee *tee = NULL;
        if (i == 0)
            guest_add_tsm(cases[i].provider);
        else
            tsm_set(&(struct tsm_settings){.provider = cases[i].provider});
        struct skrfs_tee_options options = guest_options("auto");
        options.looks = &looks;
        assert_ok(skrfs_tee_open(&options, &tee, &err), err);
        assert_string_equal(tee->ops->name, cases[i].kind);
        assert_string_equal(looks.chosen, cases[i].chosen);
        assert_true(find_look(&looks, guest.tsm)->there);
    }
}

static void an_unknown_kind_is_refused(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tee *tee = NULL;
    (void)state;
    for (size_t i = 0; skrfs_tee_names[i]; i++) {
        const struct skrfs_tee_options options = guest_options(skrfs_tee_names[i]);
        assert_int_equal(skrfs_tee_open(&options, &tee, &err), -1);
        assert_int_equal(err.kind, SKRFS_CLASS_NO_TEE);
    }
    const struct skrfs_tee_options options = guest_options("sev");
    assert_fails(skrfs_tee_open(&options, &tee, &err), err, SKRFS_CLASS_CONFIG, "'sev'");
}

static void a_wanted_kind_is_the_only_one_tried(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tee *tee = NULL;
    (void)state;
    guest_add_tsm("tdx_guest");
    guest_add_device();
    const struct skrfs_tee_options wrong = guest_options("azure-cvm");
    assert_fails(skrfs_tee_open(&wrong, &tee, &err), err, SKRFS_CLASS_NO_TEE, "no TPM");
}

/* A TD with an interface that is out of order is not taken for something else. */
static void an_error_is_final(void **state) {
    struct skrfs_error err = {0};
    struct skrfs_tee *tee = NULL;
    (void)state;
    guest_add_legacy(SEV_GUEST_5_15);
    sev_settings.fail = EIO;
    sev_settings.fail_code = 9;
    guest_add_tsm("tdx_guest");
    const struct skrfs_tee_options options = guest_options("auto");
    assert_fails(skrfs_tee_open(&options, &tee, &err), err, SKRFS_CLASS_SYSTEM, "error 0x9");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            GUEST_TEST(a_machine_that_is_none_is_told_everything),
            GUEST_TEST(each_kind_is_found),
            GUEST_TEST(an_unknown_kind_is_refused),
            GUEST_TEST(a_wanted_kind_is_the_only_one_tried),
            GUEST_TEST(an_error_is_final),
    };
    return cmocka_run_group_tests_name("detection", tests, NULL, NULL);
}
