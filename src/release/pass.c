/* The one token that serves many keys, and the one attestation in flight however many wait for it.
 */
#include "internal.h"

/* A token is no longer used this long before its end: the vault's clock is another one, and a
 * release takes its time. The service's tokens live for eight hours. */
#define MARGIN_S 600

int skrfs_passes_init(struct skrfs_passes *passes, const struct skrfs_release_options *options,
        struct skrfs_error *err) {
    int errnum = pthread_mutex_init(&passes->lock, NULL);
    if (errnum)
        return skrfs_fail_errno(err, errnum, "make a lock");
    errnum = skrfs_cond_init(&passes->changed);
    if (errnum) {
        pthread_mutex_destroy(&passes->lock);
        return skrfs_fail_errno(err, errnum, "make a condition");
    }
    passes->options = options;
    return 0;
}

static void put_locked(struct skrfs_pass *pass) {
    if (pass && --pass->references == 0)
        skrfs_pass_free(pass);
}

void skrfs_passes_done(struct skrfs_passes *passes) {
    pthread_mutex_lock(&passes->lock);
    skrfs_passes_unwatch(passes);
    put_locked(passes->current);
    pthread_mutex_unlock(&passes->lock);
    pthread_cond_destroy(&passes->changed);
    pthread_mutex_destroy(&passes->lock);
}

void skrfs_pass_put(struct skrfs_passes *passes, struct skrfs_pass *pass) {
    pthread_mutex_lock(&passes->lock);
    put_locked(pass);
    pthread_mutex_unlock(&passes->lock);
}

void skrfs_passes_drop_locked(struct skrfs_passes *passes) {
    put_locked(passes->current);
    passes->current = NULL;
}

void skrfs_passes_drop(struct skrfs_passes *passes, const struct skrfs_pass *pass) {
    pthread_mutex_lock(&passes->lock);
    if (passes->current == pass)
        skrfs_passes_drop_locked(passes);
    pthread_mutex_unlock(&passes->lock);
}

bool skrfs_pass_usable(const struct skrfs_pass *pass) {
    return pass && skrfs_wall_s() < pass->expires_s - MARGIN_S;
}

static void share_locked(struct skrfs_passes *passes, struct skrfs_pass **ret_pass) {
    passes->current->references++;
    *ret_pass = passes->current;
}

/* Attests without the lock, so that others can wait with deadlines of their own; called and left
 * with it. */
static int lead_locked(struct skrfs_passes *passes, uint64_t deadline_ns, struct skrfs_trace *trace,
        struct skrfs_pass **ret_pass, struct skrfs_error *err) {
    struct skrfs_pass *pass = NULL;
    passes->attesting = true;
    pthread_mutex_unlock(&passes->lock);
    int result = skrfs_attest(passes, deadline_ns, trace, &pass, err);
    pthread_mutex_lock(&passes->lock);
    passes->attesting = false;
    passes->attempts++;
    passes->last_failed = result < 0;
    if (result < 0) {
        passes->last_error = *err;
    } else {
        skrfs_passes_drop_locked(passes);
        passes->current = pass;
        share_locked(passes, ret_pass);
        skrfs_passes_watch(passes);
    }
    pthread_cond_broadcast(&passes->changed);
    return result;
}

/* Waits for the attestation in flight: 1 when it is over, -1 at the deadline. */
static int await_locked(
        struct skrfs_passes *passes, uint64_t deadline_ns, struct skrfs_error *err) {
    uint64_t attempt = passes->attempts;
    while (passes->attempts == attempt) {
        if (skrfs_until_ns(deadline_ns) == 0)
            return skrfs_fail(err, SKRFS_CLASS_TIMEOUT,
                    "the deadline passed while another request attested this machine");
        struct timespec until = skrfs_deadline_timespec(deadline_ns);
        (void)pthread_cond_timedwait(&passes->changed, &passes->lock, &until);
    }
    return 1;
}

/* What came of the attestation that was waited for: 1 a token, 0 nothing to be shared, -1 its
 * failure. */
static int join_locked(
        struct skrfs_passes *passes, struct skrfs_pass **ret_pass, struct skrfs_error *err) {
    if (!passes->last_failed) {
        if (!passes->current)
            return 0;
        share_locked(passes, ret_pass);
        return 1;
    }
    /* The deadline of the one that attested is not ours. */
    if (passes->last_error.kind == SKRFS_CLASS_TIMEOUT ||
            passes->last_error.kind == SKRFS_CLASS_INTERRUPTED)
        return 0;
    *err = passes->last_error;
    return -1;
}

/* One turn: 1 a token, 0 look again, -1 a failure. */
static int turn_locked(struct skrfs_passes *passes, uint64_t deadline_ns, struct skrfs_trace *trace,
        struct skrfs_pass **ret_pass, struct skrfs_error *err) {
    if (skrfs_pass_usable(passes->current)) {
        size_t step = skrfs_trace_begin(trace, "take the token");
        share_locked(passes, ret_pass);
        skrfs_trace_end(trace, step, "made %llu s ago",
                (unsigned long long)((skrfs_now_ns() - (*ret_pass)->made_ns) / SKRFS_SECOND_NS));
        return 1;
    }
    if (!passes->attesting)
        return lead_locked(passes, deadline_ns, trace, ret_pass, err) < 0 ? -1 : 1;
    size_t step = skrfs_trace_begin(trace, "wait for the attestation");
    int joined = await_locked(passes, deadline_ns, err);
    if (joined > 0)
        joined = join_locked(passes, ret_pass, err);
    if (joined < 0)
        return skrfs_trace_failed(trace, step, err);
    skrfs_trace_end(trace, step, "of another request");
    return joined;
}

int skrfs_passes_get(struct skrfs_passes *passes, uint64_t deadline_ns, struct skrfs_trace *trace,
        struct skrfs_pass **ret_pass, struct skrfs_error *err) {
    int got = 0;
    pthread_mutex_lock(&passes->lock);
    while (got == 0)
        got = turn_locked(passes, deadline_ns, trace, ret_pass, err);
    pthread_mutex_unlock(&passes->lock);
    return got < 0 ? -1 : 0;
}
