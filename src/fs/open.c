#include "internal.h"

#include <fcntl.h>
#include <skrfs/base/cleanup.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/log.h>
#include <string.h>

/* An open that waits for its key. Three may come to it at the same time: the store with the key or
 * an error, the kernel with an interrupt, and the end of the file system. The first to set `done`
 * answers the request; the request is not touched after its answer.
 *
 * libfuse calls the interrupt function with the request's lock held. fuse_req_interrupt_func(req,
 * NULL, NULL) takes that lock, and so waits until no interrupt is being handled: it comes before
 * each answer that is not given by the interrupt function itself. */
struct opening {
    atomic_uint refs; /* op_open, and whoever will answer */
    pthread_mutex_t lock;
    TAILQ_ENTRY(opening) links;
    struct skrfs_fs *fs;
    fuse_req_t req;
    struct fuse_file_info fi;
    struct node node;
    struct skrfs_waiter *waiter; /* set once the open is parked */
    bool done, interrupted;
    uint64_t since_ns;
    struct who *caller;                  /* for the record, where one is made */
    struct skrfs_generation *generation; /* while the record of it is written */
    uint64_t ticket;
    char who[512];
};

static void opening_unref(struct opening *opening) {
    if (atomic_fetch_sub(&opening->refs, 1) != 1)
        return;
    struct skrfs_fs *fs = opening->fs;
    /* The end of the file system waits for the list to be empty: `fs` is not touched behind this.
     */
    pthread_mutex_lock(&fs->lock);
    TAILQ_REMOVE(&fs->openings, opening, links);
    if (TAILQ_EMPTY(&fs->openings))
        pthread_cond_broadcast(&fs->no_openings);
    pthread_mutex_unlock(&fs->lock);
    (void)pthread_mutex_destroy(&opening->lock);
    free(opening->caller);
    free(opening);
}

static void count_reply(struct skrfs_fs *fs, int rc) {
    if (rc)
        atomic_fetch_add(&fs->reply_failures, 1);
}

bool open_reply(struct skrfs_fs *fs, fuse_req_t req, struct handle *handle,
        const struct fuse_file_info *fi) {
    struct fuse_file_info reply = *fi;
    uint64_t fh;
    int rc = handle_add(&fs->handles, handle, &fh);
    if (rc) {
        handle_unref(handle);
        count_reply(fs, fuse_reply_err(req, rc));
        return false;
    }
    reply.fh = fh;
    reply.direct_io = 1;
    reply.keep_cache = 0;
    reply.noflush = 1;
    rc = fuse_reply_open(req, &reply);
    if (rc == 0)
        return true;
    /* Given up meanwhile: the kernel knows no handle and will not release it. */
    count_reply(fs, rc);
    handle_unref(handle_take(&fs->handles, fh));
    return false;
}

static void reply_failed(struct opening *opening, const struct skrfs_error *err) {
    struct skrfs_fs *fs = opening->fs;
    if (err->kind == SKRFS_CLASS_INTERRUPTED)
        atomic_fetch_add(&fs->interrupted, 1);
    else
        audit_failed(fs, &opening->node, err);
    record_refused(fs, &opening->node, opening->caller, err);
    count_reply(fs, fuse_reply_err(opening->req, skrfs_class_errno(err->kind)));
}

/* True when the kernel took the answer; the generation is taken over. */
static bool reply_handle(
        struct opening *opening, struct skrfs_generation *generation, bool counted) {
    struct skrfs_fs *fs = opening->fs;
    struct handle *handle = handle_new(&opening->node);
    if (!handle) {
        skrfs_generation_unref(generation);
        count_reply(fs, fuse_reply_err(opening->req, ENOMEM));
        return false;
    }
    handle->generation = generation;
    handle->counted = counted;
    reader_set(&handle->opener, fuse_req_ctx(opening->req));
    char version[SKRFS_STORE_VERSION_MAX];
    memcpy(version, skrfs_generation_version(generation), sizeof version);
    version[sizeof version - 1] = 0;
    if (!open_reply(fs, opening->req, handle, &opening->fi))
        return false;
    audit_opened(fs, &opening->node, version, opening->who);
    return true;
}

/* The end of an open that is granted, unless `err` says that there is no record of it. */
static void reply_recorded(struct opening *opening, const struct skrfs_error *err) {
    struct skrfs_generation *generation = skrfs_take(opening->generation);
    bool taken = false;
    if (err) {
        skrfs_generation_unref(generation);
        reply_failed(opening, err);
    } else {
        taken = reply_handle(opening, generation, opening->ticket != LIMITS_NOT_COUNTED);
    }
    limits_settle(opening->fs, &opening->node, opening->ticket, taken);
}

/* From a thread of the audit's. */
static void on_recorded(void *context, const struct skrfs_error *err) {
    struct opening *opening = context;
    reply_recorded(opening, err);
    opening_unref(opening);
}

/* True when it is answered; otherwise the audit will call back. */
static bool reply_limited(struct opening *opening, struct skrfs_generation *generation) {
    struct skrfs_fs *fs = opening->fs;
    struct skrfs_error err;
    if (limits_take(fs, &opening->node, &opening->ticket, &err)) {
        skrfs_generation_unref(generation);
        reply_failed(opening, &err);
        return true;
    }
    opening->generation = generation;
    int rc = record_granted(fs, &opening->node, opening->caller, generation, opening->since_ns,
            on_recorded, opening, &err);
    if (rc > 0)
        return false;
    reply_recorded(opening, rc ? &err : NULL);
    return true;
}

static bool reply_opened(
        struct opening *opening, struct skrfs_generation *generation, struct skrfs_secret *bytes) {
    struct skrfs_fs *fs = opening->fs;
    size_t len = skrfs_secret_len(bytes);
    skrfs_secret_unref(bytes);
    pid_t tid = fuse_req_ctx(opening->req)->pid;
    if (attr_is_told(fs, &opening->node, len)) {
        again_forget(fs, tid);
    } else if (again_ask(fs, tid, opening->node.ino, NULL)) {
        skrfs_generation_unref(generation);
        count_reply(fs, fuse_reply_err(opening->req, ESTALE));
        return true;
    }
    attr_settle(fs, &opening->node, len);
    return reply_limited(opening, generation);
}

static void reply(struct opening *opening, struct skrfs_generation *generation,
        struct skrfs_secret *bytes, const struct skrfs_error *err) {
    fuse_req_interrupt_func(opening->req, NULL, NULL);
    bool answered = true;
    if (err)
        reply_failed(opening, err);
    else
        answered = reply_opened(opening, generation, bytes);
    if (answered)
        opening_unref(opening);
}

/* From a thread of the store. */
static void on_opened(void *context, struct skrfs_generation *generation,
        struct skrfs_secret *bytes, const struct skrfs_error *err) {
    struct opening *opening = context;
    pthread_mutex_lock(&opening->lock);
    opening->done = true;
    pthread_mutex_unlock(&opening->lock);
    reply(opening, generation, bytes, err);
}

/* With the opening's lock held: true when the answer is the caller's to give. */
static bool give_up(struct opening *opening) {
    if (opening->done || !opening->waiter)
        return false;
    if (!skrfs_waiter_cancel(opening->fs->options.store, opening->waiter))
        return false;
    opening->done = true;
    return true;
}

/* Also called from fuse_req_interrupt_func() in op_open, when the interrupt was there before: no
 * waiter is set then, and the request must not be answered from here. */
static void on_interrupt(fuse_req_t req, void *data) {
    struct opening *opening = data;
    pthread_mutex_lock(&opening->lock);
    opening->interrupted = true;
    bool ours = give_up(opening);
    pthread_mutex_unlock(&opening->lock);
    if (!ours)
        return;
    struct skrfs_error err;
    (void)skrfs_fail(&err, SKRFS_CLASS_INTERRUPTED, "the caller gave up");
    atomic_fetch_add(&opening->fs->interrupted, 1);
    record_refused(opening->fs, &opening->node, opening->caller, &err);
    count_reply(opening->fs, fuse_reply_err(req, EINTR));
    opening_unref(opening);
}

static void park(struct opening *opening, struct skrfs_waiter *waiter) {
    struct skrfs_error err;
    pthread_mutex_lock(&opening->lock);
    opening->waiter = waiter;
    bool ours = opening->interrupted && give_up(opening);
    pthread_mutex_unlock(&opening->lock);
    if (!ours)
        return;
    (void)skrfs_fail(&err, SKRFS_CLASS_INTERRUPTED, "the caller gave up");
    reply(opening, NULL, NULL, &err);
}

static struct opening *opening_new(struct skrfs_fs *fs, fuse_req_t req, const struct node *node,
        const struct fuse_file_info *fi, const struct skrfs_caller *caller, const char *rule) {
    struct opening *opening = calloc(1, sizeof *opening);
    if (!opening)
        return NULL;
    atomic_init(&opening->refs, 2);
    opening->fs = fs;
    opening->req = req;
    opening->node = *node;
    opening->fi = *fi;
    opening->since_ns = skrfs_now_ns();
    if (fs->options.audit)
        opening->caller = record_who_new(caller, rule);
    (void)pthread_mutex_init(&opening->lock, NULL);
    skrfs_caller_print(caller, opening->who, sizeof opening->who);
    pthread_mutex_lock(&fs->lock);
    TAILQ_INSERT_TAIL(&fs->openings, opening, links);
    pthread_mutex_unlock(&fs->lock);
    return opening;
}

static void open_key(struct skrfs_fs *fs, fuse_req_t req, const struct node *node,
        const struct fuse_file_info *fi, const struct skrfs_caller *caller, const char *rule) {
    struct skrfs_store_want want = node_want(node);
    struct skrfs_generation *generation = NULL;
    struct skrfs_secret *bytes = NULL;
    struct skrfs_waiter *waiter = NULL;
    struct skrfs_error err;
    struct opening *opening = opening_new(fs, req, node, fi, caller, rule);
    if (!opening) {
        count_reply(fs, fuse_reply_err(req, ENOMEM));
        return;
    }
    fuse_req_interrupt_func(req, on_interrupt, opening);
    int rc = skrfs_store_open(
            fs->options.store, &want, on_opened, opening, &generation, &bytes, &waiter, &err);
    limits_watch(fs, node);
    if (rc > 0)
        park(opening, waiter);
    else
        reply(opening, generation, bytes, rc ? &err : NULL);
    opening_unref(opening);
}

static void open_decide(struct skrfs_fs *fs, fuse_req_t req, const struct node *node,
        const struct fuse_file_info *fi) {
    char rule[SKRFS_RULE_TEXT_MAX] = "";
    struct skrfs_caller caller;
    struct skrfs_error err;
    audit_describe(fs, req, &fs->options.keys[node->key].guard, audit_facts(fs), &caller);
    bool denied = audit_decide(fs, node, &caller, "open", rule, &err);
    if (!denied && limits_enter(fs, node, &err) == 0) {
        open_key(fs, req, node, fi, &caller, rule);
        return;
    }
    if (!denied)
        audit_failed(fs, node, &err);
    record_event(fs, SKRFS_EVENT_OPEN, node, &caller, rule, &err);
    bool hidden = denied && hide_is_on(fs, node);
    count_reply(fs, fuse_reply_err(req, hidden ? ENOENT : skrfs_class_errno(err.kind)));
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
    struct skrfs_fs *fs = fuse_req_userdata(req);
    struct node node;
    int rc = 0;
    if (!node_resolve(fs, ino, &node))
        rc = ESTALE;
    else if (node_is_dir(&node))
        rc = EISDIR;
    else if ((fi->flags & O_ACCMODE) != O_RDONLY || fi->flags & O_TRUNC)
        rc = EROFS;
    if (rc) {
        if (rc == ESTALE) /* the walk's one second try is used up by this */
            (void)again_ask(fs, fuse_req_ctx(req)->pid, ino, NULL);
        count_reply(fs, fuse_reply_err(req, rc));
        return;
    }
    if (!node_is_key(&node)) {
        status_open(fs, req, &node, fi);
        return;
    }
    open_decide(fs, req, &node, fi);
}

/* No thread reads the device any more. What the store is answering at this moment it may finish. */
void openings_end(struct skrfs_fs *fs) {
    struct skrfs_error err;
    struct opening *opening, *next;
    (void)skrfs_fail(&err, SKRFS_CLASS_INTERRUPTED, "the file system is closing");
    pthread_mutex_lock(&fs->lock);
    for (opening = TAILQ_FIRST(&fs->openings); opening; opening = next) {
        next = TAILQ_NEXT(opening, links);
        pthread_mutex_lock(&opening->lock);
        bool ours = give_up(opening);
        pthread_mutex_unlock(&opening->lock);
        if (!ours)
            continue;
        pthread_mutex_unlock(&fs->lock);
        reply(opening, NULL, NULL, &err);
        pthread_mutex_lock(&fs->lock);
        /* The list may have changed meanwhile; those given up already are gone from it. */
        next = TAILQ_FIRST(&fs->openings);
    }
    while (!TAILQ_EMPTY(&fs->openings))
        pthread_cond_wait(&fs->no_openings, &fs->lock);
    pthread_mutex_unlock(&fs->lock);
}
