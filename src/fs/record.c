/* What the audit hears of: each open when it is answered, and reads by others than who opened. */
#include "internal.h"

#include <skrfs/base/clock.h>
#include <skrfs/base/log.h>
#include <stdio.h>
#include <string.h>

#define PATH_TEXT_MAX 512

/* The parts of a caller's description that a record has, one text behind the other: exe, unit,
 * container, lack, rule. A whole description is too long to be kept for each open that waits. */
#define WHO_TEXTS 5
struct who {
    uid_t uid;
    gid_t gid;
    pid_t pid;
    unsigned known;
    char texts[];
};

struct who *record_who_new(const struct skrfs_caller *caller, const char *rule) {
    const char *const texts[WHO_TEXTS] = {caller->known & SKRFS_FACT_EXE ? caller->exe : "",
            caller->unit, caller->container, caller->lack, rule};
    size_t len = 0;
    for (size_t i = 0; i < WHO_TEXTS; i++)
        len += strlen(texts[i]) + 1;
    struct who *who = calloc(1, sizeof *who + len);
    if (!who)
        return NULL;
    *who = (struct who){
            .uid = caller->uid, .gid = caller->gid, .pid = caller->pid, .known = caller->known};
    char *at = who->texts;
    for (size_t i = 0; i < WHO_TEXTS; i++)
        at = stpcpy(at, texts[i]) + 1;
    return who;
}

/* Each text was cut from a member of the same size. */
static const char *who_expand(const struct who *who, struct skrfs_caller *caller) {
    char *const to[] = {caller->exe, caller->unit, caller->container, caller->lack};
    const char *from = who->texts;
    caller->uid = who->uid;
    caller->gid = who->gid;
    caller->pid = who->pid;
    caller->known = who->known;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(to); i++) {
        size_t len = strlen(from) + 1;
        memcpy(to[i], from, len);
        from += len;
    }
    return from;
}

/* "keys/tls"; what is done to a key is not told by the file through which it is done. */
static void path_print(const struct skrfs_fs *fs, const struct node *node,
        enum skrfs_fs_event_kind kind, char out[PATH_TEXT_MAX]) {
    out[0] = 0;
    if (kind != SKRFS_EVENT_OPEN && kind != SKRFS_EVENT_READ)
        return;
    if (node->kind == NODE_KEY)
        (void)snprintf(out, PATH_TEXT_MAX, "keys/%s", fs->options.keys[node->key].file);
    else
        node_label(fs, node, out, PATH_TEXT_MAX);
}

static int tell(struct skrfs_fs *fs, struct skrfs_fs_event *event, const struct node *node,
        skrfs_fs_recorded_fn *recorded, void *context, struct skrfs_error *err) {
    char path[PATH_TEXT_MAX];
    path_print(fs, node, event->kind, path);
    event->what = path;
    event->key = node->kind >= NODE_FIXED_COUNT ? node->key : SIZE_MAX;
    if (!event->version)
        event->version = node->version;
    return fs->options.audit(fs->options.audit_context, event, recorded, context, err);
}

void record_event(struct skrfs_fs *fs, enum skrfs_fs_event_kind kind, const struct node *node,
        const struct skrfs_caller *caller, const char *rule, const struct skrfs_error *refusal) {
    struct skrfs_fs_event event = {.kind = kind, .caller = caller, .rule = rule, .err = refusal};
    struct skrfs_error err;
    if (fs->options.audit && tell(fs, &event, node, NULL, NULL, &err) < 0)
        skrfs_log_debug("%s", err.message);
}

void record_refused(struct skrfs_fs *fs, const struct node *node, const struct who *who,
        const struct skrfs_error *refusal) {
    struct skrfs_caller caller;
    if (!fs->options.audit || !who)
        return;
    const char *rule = who_expand(who, &caller);
    record_event(fs, SKRFS_EVENT_OPEN, node, &caller, rule, refusal);
}

int record_granted(struct skrfs_fs *fs, const struct node *node, const struct who *who,
        const struct skrfs_generation *generation, uint64_t since_ns,
        skrfs_fs_recorded_fn *recorded, void *context, struct skrfs_error *err) {
    struct skrfs_caller caller;
    if (!fs->options.audit)
        return 0;
    if (!who)
        return skrfs_fail_memory(err);
    struct skrfs_fs_event event = {.kind = SKRFS_EVENT_OPEN,
            .caller = &caller,
            .rule = who_expand(who, &caller),
            .version = skrfs_generation_version(generation),
            .release = skrfs_generation_release(generation),
            .since_ns = since_ns};
    return tell(fs, &event, node, recorded, context, err);
}

/* A reader that waits for its record. */
struct wait {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool over, failed;
    struct skrfs_error err;
};

static void on_recorded(void *context, const struct skrfs_error *err) {
    struct wait *wait = context;
    pthread_mutex_lock(&wait->lock);
    wait->over = true;
    wait->failed = err;
    if (err)
        wait->err = *err;
    pthread_cond_signal(&wait->changed);
    pthread_mutex_unlock(&wait->lock);
}

int record_read(struct skrfs_fs *fs, const struct handle *handle, const struct skrfs_caller *caller,
        const char *rule, struct skrfs_error *err) {
    struct wait wait = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct skrfs_fs_event event = {.kind = SKRFS_EVENT_READ,
            .caller = caller,
            .rule = rule,
            .version = skrfs_generation_version(handle->generation),
            .release = skrfs_generation_release(handle->generation)};
    if (!fs->options.audit)
        return 0;
    int rc = tell(fs, &event, &handle->node, on_recorded, &wait, err);
    if (rc <= 0)
        return rc;
    pthread_mutex_lock(&wait.lock);
    while (!wait.over)
        pthread_cond_wait(&wait.changed, &wait.lock);
    pthread_mutex_unlock(&wait.lock);
    if (wait.failed)
        *err = wait.err;
    return wait.failed ? -1 : 0;
}

void reader_set(struct reader *reader, const struct fuse_ctx *ctx) {
    *reader = (struct reader){.uid = ctx->uid, .gid = ctx->gid, .tid = ctx->pid};
}

static bool is_reader(const struct reader *reader, const struct fuse_ctx *ctx) {
    return reader->tid == ctx->pid && reader->uid == ctx->uid && reader->gid == ctx->gid;
}

bool reader_opened(const struct handle *handle, const struct fuse_ctx *ctx) {
    return is_reader(&handle->opener, ctx);
}

bool reader_is_known(
        struct skrfs_fs *fs, struct handle *handle, const struct fuse_ctx *ctx, bool refused) {
    bool known = false;
    pthread_mutex_lock(&fs->handles.lock);
    for (size_t i = 0; i < HANDLE_READERS && !known; i++)
        known = is_reader(&handle->readers[i], ctx) && handle->readers[i].refused == refused;
    pthread_mutex_unlock(&fs->handles.lock);
    return known;
}

void reader_note(
        struct skrfs_fs *fs, struct handle *handle, const struct fuse_ctx *ctx, bool refused) {
    pthread_mutex_lock(&fs->handles.lock);
    struct reader *reader = &handle->readers[handle->reader_next++ % HANDLE_READERS];
    reader_set(reader, ctx);
    reader->refused = refused;
    pthread_mutex_unlock(&fs->handles.lock);
}
