/* The endpoints of managed identities on App Service and Azure Arc. Without the network. */
#include "calls.h"
#include "support.h"

#include <skrfs/base/file.h>
#include <sys/stat.h>

#define IMDS SKRFS_LAB_IMDS

static struct skrfs_error err;

static int set_up(void **state) {
    struct skrfs_lab_ports ports = {1, 2};
    struct skrfs_lab *lab = NULL;
    assert_ok(skrfs_crypto_setup(&err), err);
    assert_ok(skrfs_lab_new(&ports, false, false, &lab, &err), err);
    *state = lab;
    return 0;
}

static int take_down(void **state) {
    skrfs_lab_free(*state);
    return 0;
}

#define RESOURCE "api-version=2019-08-01&resource=https://vault.azure.net"

static void app_service_wants_its_header(void **state) {
    struct skrfs_lab *lab = *state;
    char header[80];
    skrfs_autojson *json = NULL;
    snprintf(header, sizeof(header), "X-IDENTITY-HEADER=%s", lab->directory->identity_header);
    const struct row rows[] = {
            {IMDS, "GET", "/msi/token", RESOURCE, NULL, NULL, 401, "X-IDENTITY-HEADER"},
            {IMDS, "GET", "/msi/token", RESOURCE, "X-IDENTITY-HEADER=x", NULL, 401, "not this"},
            {IMDS, "GET", "/msi/token", "api-version=2018-02-01&resource=https://vault.azure.net",
                    header, NULL, 400, "Unsupported"},
            {IMDS, "GET", "/msi/token", RESOURCE "&msi_res_id=x&client_id=y", header, NULL, 400,
                    "Identity not found"},
            {IMDS, "GET", "/msi/token", RESOURCE "&mi_res_id=x&client_id=y", header, NULL, 400,
                    "Only one"},
            {IMDS, "GET", "/msi/token", RESOURCE "&client_id=1ab00000-0000-4000-8000-0000000000b2",
                    header, NULL, 200, "access_token"},
    };
    run_rows(lab, rows, SKRFS_ARRAY_LEN(rows));
    struct call call = {IMDS, "GET", "/msi/token", RESOURCE, header, NULL};
    assert_int_equal(call_json(lab, &call, &json), 200);
    assert_null(skrfs_json_get(json, "expires_in"));
    assert_non_null(skrfs_json_string(skrfs_json_get(json, "expires_on")));
}

#define ARC "/arc/metadata/identity/oauth2/token"
#define ARC_QUERY "api-version=2020-06-01&resource=https://vault.azure.net"

static void challenge_of_arc(struct skrfs_lab *lab, char path[PATH_MAX + 128], char key[256]) {
    struct skrfs_lab_answer answer;
    skrfs_autobuf text = SKRFS_BUF(200);
    struct call call = {IMDS, "GET", ARC, ARC_QUERY, "Metadata=true", NULL};
    call_lab(lab, &call, &answer);
    assert_int_equal(answer.status, 401);
    assert_int_equal(strncmp(answer.challenge, "Basic realm=", 12), 0);
    snprintf(path, PATH_MAX + 128, "%.4000s", answer.challenge + 12);
    skrfs_lab_answer_done(&answer);
    assert_ok(skrfs_file_read(path, &text, &err), err);
    snprintf(key, 256, "Metadata=true\nAuthorization=Basic %s", skrfs_buf_text(&text));
}

static void arc_wants_its_file_read(void **state) {
    struct skrfs_lab *lab = *state;
    char path[PATH_MAX + 128];
    char key[256];
    char old[256];
    struct stat st;
    snprintf(lab->dir, sizeof(lab->dir), "/tmp/skrfs-arc-XXXXXX");
    assert_non_null(mkdtemp(lab->dir));
    snprintf(path, sizeof(path), "%.200s/arc", lab->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    challenge_of_arc(lab, path, old);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    challenge_of_arc(lab, path, key);
    /* Only the last one serves, and once. */
    struct call call = {IMDS, "GET", ARC, ARC_QUERY, key, NULL};
    assert_int_equal(call_json(lab, &call, NULL), 200);
    assert_int_equal(stat(path, &st), -1);
    assert_int_equal(call_json(lab, &call, NULL), 401);
    call.headers = old;
    assert_int_equal(call_json(lab, &call, NULL), 401);
    challenge_of_arc(lab, path, key);
    call.headers = key;
    call.query = ARC_QUERY "&client_id=x";
    assert_int_equal(call_json(lab, &call, NULL), 400);
    snprintf(path, sizeof(path), "%.200s/arc", lab->dir);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(lab->dir), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(app_service_wants_its_header),
            cmocka_unit_test(arc_wants_its_file_read),
    };
    return cmocka_run_group_tests_name("lab managed identities", tests, set_up, take_down);
}
