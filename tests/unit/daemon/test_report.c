/* The status texts over a real store whose fetches are the test's own. */
#include "support.h"

#include <pthread.h>
#include <skrfs/base/clock.h>
#include <skrfs/daemon/process.h>
#include <skrfs/json/json.h>
#include <unistd.h>

static char name_good[] = "disk-data", name_bad[] = "tls-server", name_odd[] = "odd\"one",
            vault_name[] = "prod", vault_url[] = "https://contoso.vault.azure.net",
            lab_dir[] = "/tmp/lab";

static struct skrfs_conf_vault vault = {.name = vault_name, .url = vault_url, .host = vault_name};
static struct skrfs_conf_key keys[] = {
        {.file = name_good, .name = name_good, .format = SKRFS_FORMAT_RAW},
        {.file = name_bad, .name = name_bad, .format = SKRFS_FORMAT_RAW},
        {.file = name_odd, .name = name_odd, .format = SKRFS_FORMAT_RAW},
};
static const struct skrfs_store_key store_keys[] = {
        {.name = name_good,
                .refresh_ns = 3600 * SKRFS_SECOND_NS,
                .deadline_ns = 5 * SKRFS_SECOND_NS},
        {.name = name_bad,
                .refresh_ns = 3600 * SKRFS_SECOND_NS,
                .deadline_ns = 5 * SKRFS_SECOND_NS},
        {.name = name_odd,
                .refresh_ns = 3600 * SKRFS_SECOND_NS,
                .deadline_ns = 5 * SKRFS_SECOND_NS},
};

/* The first key is released; the second is refused. */
static int fetch(void *context, size_t key, const char *version, uint64_t deadline_ns,
        struct skrfs_trace *trace, struct skrfs_fetched *ret_fetched, struct skrfs_error *err) {
    (void)context;
    (void)version;
    (void)deadline_ns;
    size_t step = skrfs_trace_begin(trace, "ask the test");
    if (key == 1) {
        skrfs_fail(err, SKRFS_CLASS_REJECTED, "claim x is 'none', wants 'y'");
        return skrfs_trace_failed(trace, step, err);
    }
    skrfs_trace_end(trace, step, "granted");
    (void)snprintf(
            ret_fetched->version, sizeof(ret_fetched->version), "0123456789abcdef0123456789abcdef");
    return skrfs_secret_copy("sixteen octets..", 16, &ret_fetched->plain, err);
}

static int encode(void *context, const struct skrfs_fetched *fetched, enum skrfs_format format,
        struct skrfs_secret **ret_encoded, struct skrfs_error *err) {
    (void)context;
    (void)format;
    (void)err;
    *ret_encoded = skrfs_secret_ref(fetched->plain);
    return 0;
}

static const struct skrfs_fetch_ops ops = {.fetch = fetch, .encode = encode};

struct visit {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool done;
};

static void opened(void *context, struct skrfs_generation *generation, struct skrfs_secret *bytes,
        const struct skrfs_error *err) {
    struct visit *visit = context;

    (void)err;
    if (bytes)
        skrfs_secret_unref(bytes);
    if (generation)
        skrfs_generation_unref(generation);
    pthread_mutex_lock(&visit->lock);
    visit->done = true;
    pthread_cond_signal(&visit->opened);
    pthread_mutex_unlock(&visit->lock);
}

static void visit_key(struct skrfs_store *store, size_t key) {
    struct visit visit = {.lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER};
    const struct skrfs_store_want want = {.key = key, .format = SKRFS_FORMAT_RAW};
    struct skrfs_generation *generation = NULL;
    struct skrfs_secret *bytes = NULL;
    struct skrfs_waiter *waiter;
    struct skrfs_error err;

    assert_int_equal(
            skrfs_store_open(store, &want, opened, &visit, &generation, &bytes, &waiter, &err), 1);
    pthread_mutex_lock(&visit.lock);
    while (!visit.done)
        pthread_cond_wait(&visit.opened, &visit.lock);
    pthread_mutex_unlock(&visit.lock);
}

struct room {
    struct skrfs_conf conf;
    struct skrfs_store *store;
    struct skrfs_reporter reporter;
};

static int room_open(void **state) {
    static struct room room;
    struct skrfs_store_options options = {
            .keys = store_keys, .key_count = SKRFS_ARRAY_LEN(keys), .ops = &ops};
    struct skrfs_error err;

    room = (struct room){
            .conf = {.vaults = &vault, .vault_count = 1, .keys = keys, .key_count = 3}};
    if (skrfs_store_new(&options, &room.store, &err) < 0)
        return -1;
    room.reporter =
            (struct skrfs_reporter){.conf = &room.conf, .store = room.store, .since_s = 1769847300};
    *state = &room;
    return 0;
}

static int room_close(void **state) {
    struct room *room = *state;

    skrfs_store_free(room->store);
    return 0;
}

static void test_health_follows_the_last_attempts(void **state) {
    struct room *room = *state;

    assert_string_equal(skrfs_report_health(&room->reporter), "ok");
    visit_key(room->store, 1);
    assert_string_equal(skrfs_report_health(&room->reporter), "failing");
    visit_key(room->store, 0);
    assert_string_equal(skrfs_report_health(&room->reporter), "degraded");
}

static const struct skrfs_json *status_of(struct room *room, struct skrfs_json **ret_root) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_FS_REPORT_MAX);
    struct skrfs_error err;

    assert_ok(skrfs_report(&room->reporter, SKRFS_REPORT_STATUS, 0, &text, &err), err);
    assert_int_equal(text.data[text.len - 1], '\n');
    assert_ok(skrfs_json_parse(skrfs_buf_text(&text), text.len, text.len, ret_root, &err), err);
    return *ret_root;
}

static void test_status_is_json_of_the_promised_shape(void **state) {
    struct room *room = *state;
    skrfs_autojson *root = NULL;

    visit_key(room->store, 0);
    visit_key(room->store, 1);
    const struct skrfs_json *status = status_of(room, &root);
    assert_int_equal(skrfs_json_kind(skrfs_json_get(status, "lab")), SKRFS_JSON_NULL);
    assert_string_equal(skrfs_json_string(skrfs_json_get(status, "health")), "degraded");
    assert_string_equal(skrfs_json_string(skrfs_json_get(status, "since")), "2026-01-31T08:15:00Z");
    const struct skrfs_json *memory = skrfs_json_get(status, "memory");
    assert_true(skrfs_json_integer(skrfs_json_get(memory, "used")) >= 16);
    const struct skrfs_json *list = skrfs_json_get(status, "keys");
    assert_int_equal(skrfs_json_size(list), 3);
    const struct skrfs_json *good = skrfs_json_at(list, 0), *bad = skrfs_json_at(list, 1);
    assert_string_equal(skrfs_json_string(skrfs_json_get(good, "name")), name_good);
    assert_string_equal(skrfs_json_string(skrfs_json_get(good, "state")), "ready");
    assert_int_equal(skrfs_json_integer(skrfs_json_get(good, "releases")), 1);
    assert_string_equal(skrfs_json_string(skrfs_json_get(good, "error")), "");
    assert_int_equal(skrfs_json_integer(skrfs_json_get(bad, "failures")), 1);
    assert_non_null(strstr(skrfs_json_string(skrfs_json_get(bad, "error")), "wants 'y'"));
    assert_string_equal(
            skrfs_json_string(skrfs_json_get(skrfs_json_at(list, 2), "name")), name_odd);
}

static void test_a_lab_is_always_said(void **state) {
    struct room *room = *state;
    skrfs_autobuf why = SKRFS_BUF(SKRFS_FS_REPORT_MAX);
    skrfs_autojson *root = NULL;
    struct skrfs_error err;

    room->conf.lab_dir = lab_dir;
    assert_string_equal(skrfs_json_string(skrfs_json_get(status_of(room, &root), "lab")), lab_dir);
    assert_ok(skrfs_report(&room->reporter, SKRFS_REPORT_WHY, 0, &why, &err), err);
    assert_non_null(strstr(skrfs_buf_text(&why), "lab:       /tmp/lab\n"));
}

static void test_why_names_the_step_that_failed(void **state) {
    struct room *room = *state;
    skrfs_autobuf before = SKRFS_BUF(SKRFS_FS_REPORT_MAX), after = SKRFS_BUF(SKRFS_FS_REPORT_MAX);
    struct skrfs_error err;

    assert_ok(skrfs_report(&room->reporter, SKRFS_REPORT_WHY, 1, &before, &err), err);
    assert_non_null(strstr(skrfs_buf_text(&before), "not tried yet"));
    assert_non_null(strstr(
            skrfs_buf_text(&before), "prod, https://contoso.vault.azure.net/keys/tls-server\n"));
    visit_key(room->store, 1);
    assert_ok(skrfs_report(&room->reporter, SKRFS_REPORT_WHY, 1, &after, &err), err);
    assert_non_null(strstr(skrfs_buf_text(&after), "ask the test"));
    assert_non_null(strstr(skrfs_buf_text(&after), "claim x is 'none', wants 'y'"));
    assert_non_null(strstr(skrfs_buf_text(&after), "class:     rejected\n"));
}

/* Each line is a comment or a sample of the family that was announced last; the end is marked. */
static void test_metrics_are_openmetrics(void **state) {
    struct room *room = *state;
    skrfs_autobuf text = SKRFS_BUF(SKRFS_FS_REPORT_MAX);
    struct skrfs_error err;
    char family[64] = "";

    visit_key(room->store, 0);
    assert_ok(skrfs_report(&room->reporter, SKRFS_REPORT_METRICS, 0, &text, &err), err);
    assert_non_null(strstr(skrfs_buf_text(&text), "\nskrfs_releases_total{key=\"disk-data\"} 1\n"));
    assert_non_null(
            strstr(skrfs_buf_text(&text), "\nskrfs_failures_total{key=\"odd\\\"one\"} 0\n"));
    assert_string_equal(skrfs_buf_text(&text) + text.len - 6, "# EOF\n");
    for (char *line = strtok((char *)text.data, "\n"); line; line = strtok(NULL, "\n"))
        if (line[0] != '#')
            assert_int_equal(strncmp(line, family, strlen(family)), 0);
        else if (strncmp(line, "# TYPE ", 7) == 0)
            (void)snprintf(family, sizeof(family), "%.*s", (int)strcspn(line + 7, " "), line + 7);
    assert_true(family[0]);
}

#define room_test(name) cmocka_unit_test_setup_teardown(name, room_open, room_close)

int main(void) {
    const struct CMUnitTest tests[] = {
            room_test(test_health_follows_the_last_attempts),
            room_test(test_status_is_json_of_the_promised_shape),
            room_test(test_a_lab_is_always_said),
            room_test(test_why_names_the_step_that_failed),
            room_test(test_metrics_are_openmetrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
