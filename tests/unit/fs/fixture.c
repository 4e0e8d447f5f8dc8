#include "fixture.h"

#include <pthread.h>
#include <signal.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/log.h>
#include <skrfs/caller/caller.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static const char *const files[KEY_COUNT] = {"alpha", "beta", "gamma", "delta"};

static void nap(void) {
    (void)skrfs_sleep_until(skrfs_now_ns() + 2 * SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
}

uint64_t milliseconds(void) {
    return skrfs_now_ns() / SKRFS_MILLISECOND_NS;
}

static int fetch(void *context, size_t key, const char *version, uint64_t deadline_ns,
        struct skrfs_trace *trace, struct skrfs_fetched *ret_fetched, struct skrfs_error *err) {
    struct control *control = context;
    (void)deadline_ns, (void)trace;
    atomic_fetch_add(&control->fetches, 1);
    atomic_fetch_add(&control->running, 1);
    while (atomic_load(&control->held))
        nap();
    atomic_fetch_sub(&control->running, 1);
    int failure = atomic_load(&control->failure);
    if (failure >= 0)
        return skrfs_fail(err, (enum skrfs_class)failure, "the source refuses");
    ret_fetched->release = atomic_load(&control->fetches);
    if (version)
        snprintf(ret_fetched->version, sizeof ret_fetched->version, "%s", version);
    else
        snprintf(ret_fetched->version, sizeof ret_fetched->version, "v%d",
                atomic_load(&control->generation));
    return skrfs_secret_copy(files[key], strlen(files[key]), &ret_fetched->plain, err);
}

/* "pem alpha v1" */
static int encode(void *context, const struct skrfs_fetched *fetched, enum skrfs_format format,
        struct skrfs_secret **ret_encoded, struct skrfs_error *err) {
    char text[128];
    (void)context;
    if (format == SKRFS_FORMAT_RAW)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "this key has no raw form");
    int len = snprintf(text, sizeof text, "%s %.*s %s", skrfs_format_name(format),
            (int)skrfs_secret_len(fetched->plain), (const char *)skrfs_secret_data(fetched->plain),
            fetched->version);
    return skrfs_secret_copy(text, (size_t)len, ret_encoded, err);
}

static int fetch_public(void *context, size_t key, const char *version, enum skrfs_format format,
        uint64_t deadline_ns, struct skrfs_secret **ret_encoded, struct skrfs_error *err) {
    struct control *control = context;
    char text[128];
    (void)version, (void)deadline_ns;
    atomic_fetch_add(&control->publics, 1);
    int len = snprintf(text, sizeof text, "public %s %s", skrfs_format_name(format), files[key]);
    return skrfs_secret_copy(text, (size_t)len, ret_encoded, err);
}

static const struct skrfs_fetch_ops ops = {
        .fetch = fetch, .encode = encode, .fetch_public = fetch_public};

static void describe(void *context, unsigned facts, struct skrfs_caller *caller) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct skrfs_describer *describer;
    struct skrfs_error err;
    (void)context;
    pthread_mutex_lock(&lock);
    if (!describer && skrfs_describer_new(NULL, 0, 0, &describer, &err))
        abort();
    skrfs_describe(describer, facts, caller);
    pthread_mutex_unlock(&lock);
}

static int report(void *context, enum skrfs_fs_report which, size_t key, struct skrfs_buf *out,
        struct skrfs_error *err) {
    struct skrfs_fs_stats stats;
    switch (which) {
    case SKRFS_REPORT_HEALTH:
        return skrfs_buf_append_text(out, "ok\n", err);
    case SKRFS_REPORT_STATUS:
        return skrfs_buf_append_text(out, "{}\n", err);
    case SKRFS_REPORT_METRICS:
        skrfs_fs_get_stats(*(struct skrfs_fs **)context, &stats);
        return skrfs_buf_printf(out, err, "requests %llu\n", (unsigned long long)stats.requests);
    case SKRFS_REPORT_WHY:
        return skrfs_buf_printf(out, err, "why %s\n", files[key]);
    default:
        break;
    }
    return skrfs_fail(err, SKRFS_CLASS_BUG, "no such report");
}

struct callback {
    int mode;
    skrfs_fs_recorded_fn *recorded;
    void *context;
};

static void *call_back(void *arg) {
    struct callback call = *(struct callback *)arg;
    struct skrfs_error err;
    free(arg);
    if (call.mode != AUDIT_CALLS_BACK)
        (void)skrfs_sleep_until(skrfs_now_ns() + 50 * SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
    if (call.mode == AUDIT_FAILS_LATE)
        (void)skrfs_fail(&err, SKRFS_CLASS_UNAVAILABLE, "no record");
    call.recorded(call.context, call.mode == AUDIT_FAILS_LATE ? &err : NULL);
    return NULL;
}

static void note_event(struct control *control, const struct skrfs_fs_event *event) {
    static const char *const kinds[] = {"open", "read", "wipe", "renew", "gone"};
    unsigned at = atomic_fetch_add(&control->events, 1);
    if (at >= EVENTS_MAX)
        return;
    (void)snprintf(control->event[at], sizeof control->event[at], "%s %s %s %d %s %llu %s",
            kinds[event->kind], event->what,
            event->err ? skrfs_class_name(event->err->kind) : "granted",
            event->caller ? (int)event->caller->uid : -1, event->version,
            (unsigned long long)event->release, event->rule ? event->rule : "-");
}

static int audit(void *context, const struct skrfs_fs_event *event, skrfs_fs_recorded_fn *recorded,
        void *recorded_context, struct skrfs_error *err) {
    struct control *control = context;
    int mode = atomic_load(&control->audit);
    pthread_t thread;
    note_event(control, event);
    if (mode == AUDIT_REFUSES && recorded)
        return skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "no record");
    if (mode == AUDIT_TAKES || !recorded)
        return 0;
    struct callback *call = malloc(sizeof *call);
    *call = (struct callback){mode, recorded, recorded_context};
    if (pthread_create(&thread, NULL, call_back, call))
        return skrfs_fail(err, SKRFS_CLASS_SYSTEM, "no thread");
    pthread_detach(thread);
    return 1;
}

struct wiper {
    struct control *control;
    struct skrfs_store *store;
    atomic_bool stop;
};

static void *wipe_when_told(void *arg) {
    struct wiper *wiper = arg;
    while (!atomic_load(&wiper->stop)) {
        if (atomic_load(&wiper->control->wipe)) {
            skrfs_store_wipe(wiper->store, SIZE_MAX);
            atomic_store(&wiper->control->wipe, false);
        }
        nap();
    }
    return NULL;
}

static int serve(
        const struct fixture *fixture, struct skrfs_fs_options *options, struct skrfs_error *err) {
    struct wiper wiper = {.control = fixture->control, .store = options->store};
    pthread_t thread;
    struct skrfs_fs *fs = NULL;
    options->report_context = &fs;
    if (skrfs_fs_new(options, fixture->fd, fixture->handover, &fs, err))
        return -1;
    if (pthread_create(&thread, NULL, wipe_when_told, &wiper))
        return skrfs_fail(err, SKRFS_CLASS_SYSTEM, "no thread");
    int rc = skrfs_fs_serve(fs, err);
    atomic_store(&wiper.stop, true);
    pthread_join(thread, NULL);
    skrfs_fs_free(fs);
    return rc;
}

static int keep(const struct fixture *fixture, struct skrfs_error *err) {
    struct skrfs_store_key store_keys[KEY_COUNT];
    struct skrfs_fs_key fs_keys[KEY_COUNT];
    struct skrfs_condition nobody = {
            .kind = SKRFS_CONDITION_EXE, .text = (char[]){"/usr/bin/none"}};
    struct skrfs_rule none = {.conditions = &nobody, .count = 1};
    for (size_t i = 0; i < KEY_COUNT; i++) {
        store_keys[i] = (struct skrfs_store_key){.name = files[i],
                .refresh_ns = i == DELTA ? 0 : SKRFS_NEVER_NS,
                .deadline_ns = 20 * SKRFS_SECOND_NS};
        fs_keys[i] = (struct skrfs_fs_key){.file = files[i], .format = SKRFS_FORMAT_PEM};
        fs_keys[i].guard.mode = i == ALPHA ? 0400 : 0444;
    }
    fs_keys[GAMMA].guard.allow = (struct skrfs_rules){.rules = &none, .count = 1};
    struct skrfs_store_options store_options = {.keys = store_keys,
            .key_count = KEY_COUNT,
            .ops = &ops,
            .context = fixture->control,
            .workers = fixture->workers};
    struct skrfs_fs_options options = {.keys = fs_keys,
            .key_count = KEY_COUNT,
            .describe = describe,
            .report = report,
            .audit = fixture->audited ? audit : NULL,
            .audit_context = fixture->control,
            .owner = 0};
    if (skrfs_store_new(&store_options, &options.store, err))
        return -1;
    int rc = serve(fixture, &options, err);
    atomic_store(&fixture->control->held, false);
    skrfs_store_free(options.store);
    struct skrfs_secret_stats stats;
    skrfs_secret_get_stats(&stats);
    if (rc == 0 && stats.secrets)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "%zu secrets left behind", stats.secrets);
    return rc;
}

void keeper_start(struct fixture *fixture) {
    fflush(NULL);
    fixture->keeper = fork();
    assert_true(fixture->keeper >= 0);
    if (fixture->keeper)
        return;
    struct skrfs_error err;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* A file of the mount that the keeper itself has open would keep it mounted. */
    for (int fd = 3; fd < 256; fd++)
        if (fd != fixture->fd)
            close(fd);
    if (keep(fixture, &err) == 0)
        _exit(0);
    fprintf(stderr, "keeper: %s\n", err.message);
    _exit(1);
}

void keeper_kill(struct fixture *fixture) {
    kill(fixture->keeper, SIGKILL);
    assert_int_equal(waitpid(fixture->keeper, NULL, 0), fixture->keeper);
}

void fixture_require(void) {
    if (geteuid() == 0 && access("/dev/fuse", R_OK | W_OK) == 0)
        return;
    printf("skipped: needs root and /dev/fuse\n");
    exit(77);
}

void fixture_start(struct fixture *fixture, unsigned workers) {
    struct skrfs_error err;
    *fixture = (struct fixture){.workers = workers, .audited = fixture->audited};
    snprintf(fixture->path, sizeof fixture->path, "/tmp/skrfs-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->path));
    /* fusermount3 and other users reach it only so. */
    assert_int_equal(chmod(fixture->path, 0755), 0);
    fixture->control = mmap(NULL, sizeof *fixture->control, PROT_READ | PROT_WRITE,
            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(fixture->control, MAP_FAILED);
    atomic_store(&fixture->control->failure, -1);
    atomic_store(&fixture->control->generation, 1);
    assert_ok(skrfs_fs_handover_new(&fixture->handover, &err), err);
    assert_ok(skrfs_fs_mount(fixture->path, NULL, true, &fixture->fd, &err), err);
    keeper_start(fixture);
}

void fixture_stop(struct fixture *fixture) {
    struct skrfs_error err;
    int status = -1;
    assert_ok(skrfs_fs_unmount(fixture->path, &err), err);
    /* A test that failed may have left a file open, for which the keeper would go on. */
    uint64_t until = milliseconds() + 10000;
    while (waitpid(fixture->keeper, &status, WNOHANG) == 0) {
        if (milliseconds() > until)
            kill(fixture->keeper, SIGKILL);
        nap();
    }
    assert_int_equal(status, 0);
    close(fixture->fd);
    skrfs_fs_handover_free(fixture->handover);
    munmap(fixture->control, sizeof *fixture->control);
    assert_int_equal(rmdir(fixture->path), 0);
}

const char *at(const struct fixture *fixture, const char *name) {
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", fixture->path, name);
    return path;
}

int open_ok(const struct fixture *fixture, const char *name) {
    int fd = open(at(fixture, name), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail_msg("open %s: %s", name, strerror(errno));
    return fd;
}

int open_errno(const struct fixture *fixture, const char *name, int flags) {
    int fd = open(at(fixture, name), flags, 0600);
    int errnum = fd < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return errnum;
}

void assert_content(const struct fixture *fixture, const char *name, const char *wanted) {
    char data[512];
    int fd = open_ok(fixture, name);
    ssize_t len = read(fd, data, sizeof data);
    if (len < 0)
        fail_msg("read %s: %s", name, strerror(errno));
    assert_int_equal(len, strlen(wanted));
    assert_memory_equal(data, wanted, (size_t)len);
    assert_int_equal(read(fd, data, sizeof data), 0);
    close(fd);
}

off_t size_of(const struct fixture *fixture, const char *name) {
    struct stat attr;
    assert_int_equal(stat(at(fixture, name), &attr), 0);
    return attr.st_size;
}

int as_user(uid_t uid, int (*work)(const struct fixture *fixture, int argument),
        const struct fixture *fixture, int argument) {
    int status;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(setgid(uid) || setuid(uid) ? 255 : work(fixture, argument));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void wait_until_running(const struct fixture *fixture, unsigned count) {
    uint64_t until = milliseconds() + 10000;
    while (atomic_load(&fixture->control->running) != count) {
        assert_true(milliseconds() < until);
        nap();
    }
}
