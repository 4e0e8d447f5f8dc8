#include "keeper.h"

#include <skrfs/base/clock.h>
#include <skrfs/base/log.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const char *const files[KEY_COUNT] = {"alpha", "beta", "gamma", "held"};
static atomic_bool held;
static atomic_uint waiting;
static atomic_uint_fast64_t releases;

unsigned keeper_waiting(void) {
    return atomic_load(&waiting);
}

void keeper_let_go(void) {
    atomic_store(&held, false);
}

static void wait_while_held(void) {
    atomic_fetch_add(&waiting, 1);
    while (atomic_load(&held))
        (void)skrfs_sleep_until(skrfs_now_ns() + SKRFS_MILLISECOND_NS / 5, SKRFS_NEVER_NS);
    atomic_fetch_sub(&waiting, 1);
}

static int fetch(void *context, size_t key, const char *version, uint64_t deadline_ns,
        struct skrfs_trace *trace, struct skrfs_fetched *ret_fetched, struct skrfs_error *err) {
    char text[64];
    (void)context;
    (void)deadline_ns;
    size_t step = skrfs_trace_begin(trace, "a step");
    if (key == HELD)
        wait_while_held();
    if (version && version[0] == 'f')
        return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND, "there is no such version");
    skrfs_trace_end(trace, step, "done");
    (void)snprintf(ret_fetched->version, sizeof(ret_fetched->version), "%s",
            version ? version : "0123456789abcdef0123456789abcdef");
    ret_fetched->release = atomic_fetch_add(&releases, 1) + 1;
    int len = snprintf(text, sizeof(text), KEY_MARK "%s", files[key]);
    return skrfs_secret_copy(text, (size_t)len, &ret_fetched->plain, err);
}

static int encode(void *context, const struct skrfs_fetched *fetched, enum skrfs_format format,
        struct skrfs_secret **ret_encoded, struct skrfs_error *err) {
    (void)context;
    if (format == SKRFS_FORMAT_JWK)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "this key has no such form");
    return skrfs_secret_copy(
            skrfs_secret_data(fetched->plain), skrfs_secret_len(fetched->plain), ret_encoded, err);
}

static int fetch_public(void *context, size_t key, const char *version, enum skrfs_format format,
        uint64_t deadline_ns, struct skrfs_secret **ret_encoded, struct skrfs_error *err) {
    static const char text[] = "a public key\n";
    (void)context;
    (void)version;
    (void)format;
    (void)deadline_ns;
    if (key == GAMMA)
        return skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "the vault is not there");
    return skrfs_secret_copy(text, sizeof(text) - 1, ret_encoded, err);
}

/* Callers of even numbers are known whole, others hardly. */
static void describe(void *context, unsigned facts, struct skrfs_caller *caller) {
    (void)context;
    if (caller->pid % 2)
        return;
    caller->known = facts;
    caller->group_count = 1;
    caller->groups[0] = (gid_t)caller->pid;
    (void)snprintf(caller->exe, sizeof(caller->exe), "/usr/bin/p%d", (int)caller->pid);
}

static int report(void *context, enum skrfs_fs_report which, size_t key, struct skrfs_buf *out,
        struct skrfs_error *err) {
    (void)context;
    return which == SKRFS_REPORT_METRICS
                   ? skrfs_fail(err, SKRFS_CLASS_BUG, "no metrics")
                   : skrfs_buf_printf(out, err, "report %d of %zu\n", (int)which, key);
}

static void *serve(void *context) {
    struct keeper *keeper = context;
    struct skrfs_error err;
    keeper->result = skrfs_fs_serve(keeper->fs, &err);
    return NULL;
}

void keeper_new(struct keeper *keeper) {
    static const struct skrfs_fetch_ops ops = {
            .fetch = fetch, .encode = encode, .fetch_public = fetch_public};
    static struct skrfs_store_key keys[KEY_COUNT];
    const struct skrfs_store_options options = {
            .keys = keys, .key_count = KEY_COUNT, .ops = &ops, .workers = 2};
    struct skrfs_error err;
    for (size_t i = 0; i < KEY_COUNT; i++)
        keys[i] = (struct skrfs_store_key){.name = files[i],
                .refresh_ns = i == BETA ? 0 : SKRFS_NEVER_NS,
                .deadline_ns = 20 * SKRFS_SECOND_NS};
    /* Each refusal is logged; nobody reads it here. */
    skrfs_log_set_level(SKRFS_LOG_ERROR);
    atomic_store(&held, true);
    *keeper = (struct keeper){.ends = {-1, -1}};
    if (skrfs_store_new(&options, &keeper->store, &err) < 0 ||
            skrfs_fs_handover_new(&keeper->handover, &err) < 0)
        abort();
}

void keeper_serve(struct keeper *keeper) {
    static char path[] = "/usr/bin/nobody";
    static struct skrfs_condition nobody = {.kind = SKRFS_CONDITION_EXE, .text = path};
    static struct skrfs_rule none = {.conditions = &nobody, .count = 1};
    static struct skrfs_fs_key keys[KEY_COUNT];
    struct skrfs_fs_options options = {.keys = keys,
            .key_count = KEY_COUNT,
            .store = keeper->store,
            .describe = describe,
            .report = report,
            .owner = 1000,
            .threads = 1};
    struct skrfs_error err;
    for (size_t i = 0; i < KEY_COUNT; i++)
        keys[i] = (struct skrfs_fs_key){.file = files[i],
                .format = SKRFS_FORMAT_RAW,
                .guard = {.mode = i == ALPHA ? 0400 : 0444}};
    keys[GAMMA].guard.allow = (struct skrfs_rules){.rules = &none, .count = 1};
    keeper->result = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, keeper->ends) < 0 ||
            skrfs_fs_new(&options, keeper->ends[1], keeper->handover, &keeper->fs, &err) < 0 ||
            pthread_create(&keeper->thread, NULL, serve, keeper) != 0)
        abort();
}

void keeper_stop(struct keeper *keeper) {
    (void)shutdown(keeper->ends[0], SHUT_WR);
    (void)pthread_join(keeper->thread, NULL);
    skrfs_fs_free(keeper->fs);
    keeper->fs = NULL;
    close(keeper->ends[1]);
}

void keeper_free(struct keeper *keeper) {
    struct skrfs_secret_stats stats;
    keeper_let_go();
    skrfs_store_free(keeper->store);
    skrfs_fs_handover_free(keeper->handover);
    skrfs_secret_get_stats(&stats);
    if (stats.secrets)
        abort();
}
