#include "support.h"

#include "../../../src/fs/internal.h"

#include <fcntl.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/log.h>
#include <unistd.h>

static const struct skrfs_fs_key keys[] = {{.file = "alpha"}, {.file = "beta"}};
static const struct node alpha = {.kind = NODE_KEY, .key = 0};
static const struct node beta = {.kind = NODE_FORMAT, .key = 1, .format = SKRFS_FORMAT_DER};

static struct skrfs_fs *new_fs(void) {
    struct skrfs_fs *fs = calloc(1, sizeof *fs);
    assert_non_null(fs);
    fs->options.keys = keys;
    fs->options.key_count = SKRFS_ARRAY_LEN(keys);
    assert_int_equal(pthread_mutex_init(&fs->lock, NULL), 0);
    return fs;
}

/* What comes to standard error between the two calls. */
static int saved, ends[2];

static void capture(void) {
    fflush(stderr);
    saved = dup(STDERR_FILENO);
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
}

static void captured(char *out, size_t size) {
    fflush(stderr);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    ssize_t len = read(ends[0], out, size - 1);
    out[len > 0 ? len : 0] = 0;
    close(saved);
    close(ends[0]);
    close(ends[1]);
}

static size_t count(const char *text, const char *wanted) {
    size_t found = 0;
    for (; (text = strstr(text, wanted)); text++)
        found++;
    return found;
}

static void deny(struct skrfs_fs *fs, const struct node *node, uid_t uid) {
    struct skrfs_caller caller = {.uid = uid, .gid = 7, .pid = 9};
    struct skrfs_error err;
    (void)skrfs_fail(&err, SKRFS_CLASS_DENIED, "because");
    audit_denied(fs, node, &caller, "open", &err);
}

/* A reader that tries in a loop does not fill the log, and does not hide others. */
static void test_denials_are_limited(void **state) {
    struct skrfs_fs *fs = new_fs();
    char text[4096];
    (void)state;
    capture();
    for (unsigned i = 0; i < 5; i++)
        deny(fs, &alpha, 5);
    deny(fs, &alpha, 6);
    deny(fs, &beta, 5);
    captured(text, sizeof text);
    assert_int_equal(count(text, "denied: open 'alpha' by uid 5 gid 7 pid 9: because"), 1);
    assert_int_equal(count(text, "denied: open 'alpha' by uid 6"), 1);
    assert_int_equal(count(text, "denied: open 'formats/beta/der' by uid 5"), 1);
    (void)skrfs_sleep_until(skrfs_now_ns() + 1010 * SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
    capture();
    deny(fs, &alpha, 5);
    captured(text, sizeof text);
    assert_int_equal(count(text, "because (and 4 more like it)"), 1);
    assert_int_equal(atomic_load(&fs->denied), 8);
    free(fs);
}

/* Nothing is asked of anybody for a denial, so no trace has it. */
static void test_the_last_denial_of_a_key_is_kept(void **state) {
    struct skrfs_fs *fs = new_fs();
    skrfs_autobuf one = SKRFS_BUF(4096), other = SKRFS_BUF(4096);
    struct skrfs_error err;
    char text[4096];
    (void)state;
    capture();
    deny(fs, &alpha, 5);
    deny(fs, &alpha, 6);
    captured(text, sizeof text);
    assert_ok(audit_print(fs, alpha.key, &one, &err), err);
    assert_ok(audit_print(fs, beta.key, &other, &err), err);
    assert_non_null(strstr(skrfs_buf_text(&one), "last denied, 20"));
    assert_non_null(strstr(skrfs_buf_text(&one), "open 'alpha' by uid 6 gid 7 pid 9: because\n"));
    assert_null(strstr(skrfs_buf_text(&one), "uid 5"));
    assert_int_equal(other.len, 0);
    free(fs);
}

static void test_opened(void **state) {
    struct skrfs_fs *fs = new_fs();
    char text[4096];
    (void)state;
    capture();
    audit_opened(fs, &alpha, "v1", "uid 5 gid 7 pid 9");
    audit_opened(fs, &beta, "", "uid 5 gid 7 pid 9");
    captured(text, sizeof text);
    assert_int_equal(count(text, "opened 'alpha' version v1 by uid 5 gid 7 pid 9"), 1);
    assert_int_equal(count(text, "opened 'formats/beta/der' version (current) by uid 5"), 1);
    assert_int_equal(atomic_load(&fs->opens), 2);
    free(fs);
}

static int refuse(void *context, size_t key, const char *version, uint64_t deadline_ns,
        struct skrfs_trace *trace, struct skrfs_fetched *ret_fetched, struct skrfs_error *err) {
    (void)context, (void)key, (void)version, (void)deadline_ns, (void)trace, (void)ret_fetched;
    return skrfs_fail(err, SKRFS_CLASS_REJECTED, "no");
}

static void on_opened(void *context, struct skrfs_generation *generation,
        struct skrfs_secret *bytes, const struct skrfs_error *err) {
    (void)generation, (void)bytes;
    if (write(*(int *)context, err ? "-" : "+", 1) != 1)
        abort();
}

static void fail_once(struct skrfs_store *store) {
    struct skrfs_store_want want = {.format = SKRFS_FORMAT_PEM};
    struct skrfs_generation *generation;
    struct skrfs_secret *bytes;
    struct skrfs_waiter *waiter;
    struct skrfs_error err;
    int done[2];
    char answer;
    assert_int_equal(pipe(done), 0);
    assert_int_equal(
            skrfs_store_open(store, &want, on_opened, &done[1], &generation, &bytes, &waiter, &err),
            1);
    assert_int_equal(read(done[0], &answer, 1), 1);
    assert_int_equal(answer, '-');
    close(done[0]);
    close(done[1]);
}

/* However many waited for one fetch, its failure is one line; the next failure is another. */
static void test_failures_are_said_once(void **state) {
    const struct skrfs_store_key key = {.name = "alpha", .deadline_ns = SKRFS_SECOND_NS};
    const struct skrfs_fetch_ops ops = {.fetch = refuse};
    struct skrfs_store_options options = {.keys = &key, .key_count = 1, .ops = &ops};
    struct skrfs_fs *fs = new_fs();
    struct skrfs_error err;
    char text[4096];
    (void)state;
    assert_ok(skrfs_store_new(&options, &fs->options.store, &err), err);
    fail_once(fs->options.store);
    (void)skrfs_fail(&err, SKRFS_CLASS_REJECTED, "the vault refuses");
    capture();
    for (unsigned i = 0; i < 5; i++)
        audit_failed(fs, &alpha, &err);
    skrfs_store_refresh(fs->options.store, 0);
    fail_once(fs->options.store);
    audit_failed(fs, &alpha, &err);
    captured(text, sizeof text);
    assert_int_equal(count(text, "open 'alpha': the vault refuses"), 2);
    skrfs_store_free(fs->options.store);
    free(fs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_denials_are_limited),
            cmocka_unit_test(test_the_last_denial_of_a_key_is_kept),
            cmocka_unit_test(test_opened),
            cmocka_unit_test(test_failures_are_said_once),
    };
    return cmocka_run_group_tests_name("what is logged", tests, NULL, NULL);
}
