/* Records on their way to the scribe. Nobody who makes one waits here: who has to is called back
 * when it is written, or when his half second is over. The scribe's writes and syncs are for as
 * many as come together. */
#include "recorder.h"

#include <poll.h>
#include <signal.h>
#include <skrfs/base/encode.h>
#include <skrfs/base/log.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define ITEMS_MAX 4096
#define OCTETS_MAX ((size_t)8 * 1024 * 1024)
#define PATIENCE_NS (500 * SKRFS_MILLISECOND_NS)
#define AGAIN_NS (100 * SKRFS_MILLISECOND_NS) /* when the socket had no room */
#define END_NS SKRFS_SECOND_NS
#define ANSWERS_MAX 64

static void wake(struct skrfs_recorder *recorder) {
    const uint64_t one = 1;

    while (write(recorder->wake, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

/* In their order, as far as there is room; what cannot go now goes when something is acknowledged.
 */
static void send_items(struct skrfs_recorder *recorder) {
    struct item *item;

    for (item = STAILQ_FIRST(&recorder->items); item; item = STAILQ_NEXT(item, links)) {
        if (item->sent)
            continue;
        if (send(recorder->options.fd, item->message, item->size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            return;
        item->sent = true;
    }
}

static void send_hello(struct skrfs_recorder *recorder) {
    struct skrfs_audit_post hello = {.type = SKRFS_POST_HELLO};

    hello.epoch = recorder->epoch;
    (void)send(recorder->options.fd, &hello, SKRFS_AUDIT_POST_HEAD, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static bool add(
        struct skrfs_recorder *recorder, const char *body, size_t len, struct item **ret_item) {
    const struct skrfs_audit_post post = {.type = SKRFS_POST_RECORD,
            .len = (uint32_t)len,
            .epoch = recorder->epoch,
            .number = recorder->number + 1};
    size_t size = SKRFS_AUDIT_POST_HEAD + len;

    if (recorder->count >= ITEMS_MAX || recorder->octets + size > OCTETS_MAX)
        return false;
    struct item *item = calloc(1, sizeof(*item) + size);
    if (!item)
        return false;
    memcpy(item->message, &post, SKRFS_AUDIT_POST_HEAD);
    memcpy(item->message + SKRFS_AUDIT_POST_HEAD, body, len);
    item->size = (uint32_t)size;
    item->number = ++recorder->number;
    item->receipt = SIZE_MAX;
    recorder->count++;
    recorder->octets += size;
    STAILQ_INSERT_TAIL(&recorder->items, item, links);
    *ret_item = item;
    return true;
}

/* That records were lost is itself a record, in their place. */
static bool tell_lost(struct skrfs_recorder *recorder) {
    skrfs_autobuf body = SKRFS_BUF(SKRFS_AUDIT_BODY_MAX);
    struct skrfs_audit_entry entry = {.kind = SKRFS_AUDIT_LOST, .lost = recorder->lost};
    struct skrfs_error ignored;
    struct item *item;

    if (!recorder->lost)
        return true;
    (void)clock_gettime(CLOCK_REALTIME, &entry.when);
    if (skrfs_audit_body(&entry, &body, &ignored) < 0 ||
            !add(recorder, skrfs_buf_text(&body), body.len, &item))
        return false;
    recorder->lost = 0;
    return true;
}

bool recorder_take(struct skrfs_recorder *recorder, const char *body, size_t len,
        skrfs_fs_recorded_fn *recorded, void *context, uint64_t deadline_ns, size_t receipt) {
    struct item *item;

    if (!tell_lost(recorder) || !add(recorder, body, len, &item)) {
        recorder->lost++;
        recorder->lost_total++;
        return false;
    }
    item->recorded = recorded;
    item->context = context;
    item->deadline_ns = recorded ? deadline_ns : SKRFS_NEVER_NS;
    item->receipt = receipt;
    send_items(recorder);
    return true;
}

static int unwritten(const struct skrfs_recorder *recorder, struct skrfs_error *err) {
    (void)skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE,
            "the audit is required and cannot be written: %s",
            recorder->trouble[0] ? recorder->trouble : "the scribe does not answer");
    return skrfs_fail_retryable(err, 0);
}

static int body_of(const struct skrfs_recorder *recorder, const struct skrfs_fs_event *event,
        struct skrfs_buf *body, struct skrfs_error *err) {
    static const enum skrfs_audit_kind kinds[] = {[SKRFS_EVENT_OPEN] = SKRFS_AUDIT_OPEN,
            [SKRFS_EVENT_READ] = SKRFS_AUDIT_READ,
            [SKRFS_EVENT_WIPE] = SKRFS_AUDIT_WIPE,
            [SKRFS_EVENT_RENEW] = SKRFS_AUDIT_RENEW,
            [SKRFS_EVENT_GONE] = SKRFS_AUDIT_GONE};
    const struct skrfs_conf *conf = recorder->options.conf;
    struct skrfs_audit_entry entry = {.kind = kinds[event->kind],
            .key = event->key < conf->key_count ? conf->keys[event->key].file : NULL,
            .path = event->what,
            .caller = event->caller,
            .rule = event->rule,
            .version = event->version,
            .release = event->release,
            .err = event->err};

    (void)clock_gettime(CLOCK_REALTIME, &entry.when);
    return skrfs_audit_body(&entry, body, err);
}

static uint64_t deadline_of(
        const struct skrfs_recorder *recorder, const struct skrfs_fs_event *event) {
    uint64_t deadline = skrfs_now_ns() + PATIENCE_NS;
    uint64_t reader = event->since_ns ? event->since_ns + recorder->options.conf->deadline_ns
                                      : SKRFS_NEVER_NS;

    return reader < deadline ? reader : deadline;
}

static int take_event(struct skrfs_recorder *recorder, const struct skrfs_fs_event *event,
        const struct skrfs_buf *body, skrfs_fs_recorded_fn *recorded, void *context,
        struct skrfs_error *err) {
    if (recorded && recorder->stuck)
        return unwritten(recorder, err);
    if (event->err && event->caller &&
            repeat_counts(recorder, repeat_hash(event), skrfs_buf_text(body)))
        return 0;
    if (!recorder_take(recorder, skrfs_buf_text(body), body->len, recorded, context,
                deadline_of(recorder, event), SIZE_MAX) &&
            recorded)
        return unwritten(recorder, err);
    return recorded ? 1 : 0;
}

int skrfs_recorder_event(void *context, const struct skrfs_fs_event *event,
        skrfs_fs_recorded_fn *recorded, void *recorded_context, struct skrfs_error *err) {
    struct skrfs_recorder *recorder = context;
    skrfs_autobuf body = SKRFS_BUF(SKRFS_AUDIT_BODY_MAX);
    bool required = recorder->options.conf->audit.required && recorded;

    if (body_of(recorder, event, &body, err) < 0)
        return required ? -1 : 0;
    pthread_mutex_lock(&recorder->lock);
    int result =
            take_event(recorder, event, &body, required ? recorded : NULL, recorded_context, err);
    pthread_mutex_unlock(&recorder->lock);
    wake(recorder);
    return result;
}

/* The receipt of a key's last release: there until the next. */
static void keep_receipt(
        struct skrfs_recorder *recorder, size_t key, const struct skrfs_proof *proof) {
    struct receipt *receipt = recorder->receipts[key];

    if (!receipt)
        receipt = recorder->receipts[key] = malloc(sizeof(*receipt));
    if (receipt)
        *receipt = (struct receipt){.proof = *proof};
}

void skrfs_recorder_tried(
        void *context, size_t key, struct skrfs_proof *proof, const struct skrfs_error *failure) {
    struct skrfs_recorder *recorder = context;
    skrfs_autobuf body = SKRFS_BUF(SKRFS_AUDIT_BODY_MAX);
    struct skrfs_audit_entry entry = {.kind = SKRFS_AUDIT_RELEASE,
            .key = recorder->options.conf->keys[key].file,
            .version = proof->version,
            .err = failure,
            .proof = proof};
    struct skrfs_error err;

    (void)snprintf(proof->boot_id, sizeof(proof->boot_id), "%s", recorder->options.boot_id);
    (void)clock_gettime(CLOCK_REALTIME, &entry.when);
    pthread_mutex_lock(&recorder->lock);
    if (!failure) {
        entry.release = proof->release = ++recorder->releases;
        keep_receipt(recorder, key, proof);
    }
    if (skrfs_audit_body(&entry, &body, &err) < 0)
        skrfs_log_error("a release cannot be recorded: %s", err.message);
    else
        (void)recorder_take(
                recorder, skrfs_buf_text(&body), body.len, NULL, NULL, 0, failure ? SIZE_MAX : key);
    pthread_mutex_unlock(&recorder->lock);
}

static void vouch(struct skrfs_recorder *recorder, const struct item *item,
        const struct skrfs_audit_ack *ack) {
    struct receipt *receipt = item->receipt == SIZE_MAX ? NULL : recorder->receipts[item->receipt];

    if (!receipt || !ack->seq)
        return;
    receipt->record = recorder->head;
    receipt->record.seq = ack->seq;
    memcpy(receipt->record.digest, ack->digest, sizeof(ack->digest));
}

/* Takes the items up to a number out of the queue: their callers are told without the lock. */
static void acknowledge(struct skrfs_recorder *recorder, const struct skrfs_audit_ack *ack,
        struct item_list *done) {
    struct item *item;

    while ((item = STAILQ_FIRST(&recorder->items)) && item->sent && item->number <= ack->number) {
        STAILQ_REMOVE_HEAD(&recorder->items, links);
        recorder->count--;
        recorder->octets -= item->size;
        if (item->number == ack->number)
            vouch(recorder, item, ack);
        STAILQ_INSERT_TAIL(done, item, links);
    }
}

static void resend(struct skrfs_recorder *recorder) {
    struct item *item;

    for (item = STAILQ_FIRST(&recorder->items); item; item = STAILQ_NEXT(item, links))
        item->sent = false;
    send_hello(recorder);
}

static void believe(struct skrfs_recorder *recorder, const struct skrfs_audit_answer *answer,
        struct item_list *done) {
    if (answer->type == SKRFS_ANSWER_TROUBLE) {
        recorder->stuck = true;
        memcpy(recorder->trouble, answer->trouble, sizeof(recorder->trouble));
        return;
    }
    if (answer->epoch != recorder->epoch)
        return;
    recorder->stuck = false;
    recorder->trouble[0] = 0;
    recorder->head = answer->head;
    for (uint32_t i = 0; i < answer->count; i++)
        acknowledge(recorder, &answer->acks[i], done);
}

/* So many in one turn: one that never stops is not to hold up who has something to record. */
static void hear(struct skrfs_recorder *recorder, struct item_list *done) {
    struct skrfs_audit_answer answer;
    bool hello = false;
    ssize_t len;

    for (unsigned i = 0; i < ANSWERS_MAX; i++) {
        len = recv(recorder->options.fd, &answer, sizeof(answer), MSG_DONTWAIT);
        if (len <= 0)
            break;
        if (!skrfs_audit_answer_check(&answer, (size_t)len))
            continue;
        if (answer.type == SKRFS_ANSWER_HELLO)
            hello = true;
        else
            believe(recorder, &answer, done);
    }
    if (hello)
        resend(recorder);
    send_items(recorder);
}

/* Those whose patience is over are told so; their records stay, followed by that they were refused.
 */
static uint64_t give_up(struct skrfs_recorder *recorder, struct item_list *late) {
    uint64_t now = skrfs_now_ns(), next = SKRFS_NEVER_NS;
    struct item *item;

    for (item = STAILQ_FIRST(&recorder->items); item; item = STAILQ_NEXT(item, links)) {
        if (item->recorded && item->deadline_ns <= now) {
            struct item *told = calloc(1, sizeof(*told));
            recorder->stuck = true;
            if (!told) /* once more, soon */
                return now + AGAIN_NS;
            told->recorded = item->recorded;
            told->context = item->context;
            item->recorded = NULL;
            STAILQ_INSERT_TAIL(late, told, links);
        }
        if (item->recorded && item->deadline_ns < next)
            next = item->deadline_ns;
        if (!item->sent && now + AGAIN_NS < next)
            next = now + AGAIN_NS;
    }
    return next;
}

static void call_back(struct item_list *list, const struct skrfs_error *err) {
    struct item *item;

    while ((item = STAILQ_FIRST(list))) {
        STAILQ_REMOVE_HEAD(list, links);
        if (item->recorded)
            item->recorded(item->context, err);
        free(item);
    }
}

/* One turn; when the next is due. */
static uint64_t turn(struct skrfs_recorder *recorder) {
    struct item_list done = STAILQ_HEAD_INITIALIZER(done), late = STAILQ_HEAD_INITIALIZER(late);
    struct skrfs_error err;

    pthread_mutex_lock(&recorder->lock);
    hear(recorder, &done);
    uint64_t flush = repeat_flush(recorder, false);
    uint64_t next = give_up(recorder, &late);
    (void)unwritten(recorder, &err);
    pthread_cond_broadcast(&recorder->changed);
    pthread_mutex_unlock(&recorder->lock);
    call_back(&done, NULL);
    call_back(&late, &err);
    return flush < next ? flush : next;
}

static bool stopped(struct skrfs_recorder *recorder) {
    pthread_mutex_lock(&recorder->lock);
    bool stop = recorder->stop;
    pthread_mutex_unlock(&recorder->lock);
    return stop;
}

static void *work(void *arg) {
    struct skrfs_recorder *recorder = arg;
    struct pollfd waiting[2] = {{.fd = recorder->options.fd, .events = POLLIN},
            {.fd = recorder->wake, .events = POLLIN}};
    uint64_t count;

    while (!stopped(recorder)) {
        uint64_t next = turn(recorder);
        int wait = next == SKRFS_NEVER_NS ? -1
                                          : (int)(skrfs_until_ns(next) / SKRFS_MILLISECOND_NS) + 1;
        (void)poll(waiting, 2, wait);
        if (waiting[1].revents)
            (void)!read(recorder->wake, &count, sizeof(count));
    }
    return NULL;
}

/* Signals are none of its business: see the keeper. */
static int start_thread(struct skrfs_recorder *recorder, struct skrfs_error *err) {
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&recorder->thread, NULL, work, recorder);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc ? skrfs_fail_errno(err, rc, "start the audit's thread") : 0;
}

static int init(struct skrfs_recorder *recorder, struct skrfs_error *err) {
    size_t keys = recorder->options.conf->key_count;

    STAILQ_INIT(&recorder->items);
    pthread_mutex_init(&recorder->lock, NULL);
    (void)skrfs_cond_init(&recorder->changed);
    recorder->receipts = calloc(keys ? keys : 1, sizeof(void *));
    recorder->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!recorder->receipts)
        return skrfs_fail_memory(err);
    if (recorder->wake < 0)
        return skrfs_fail_errno(err, errno, "make the audit's event");
    return skrfs_random(&recorder->epoch, sizeof(recorder->epoch), err);
}

static void done(struct skrfs_recorder *recorder) {
    struct item *item;

    while ((item = STAILQ_FIRST(&recorder->items))) {
        STAILQ_REMOVE_HEAD(&recorder->items, links);
        free(item);
    }
    for (size_t i = 0; recorder->receipts && i < recorder->options.conf->key_count; i++)
        free(recorder->receipts[i]);
    free(recorder->receipts);
    repeat_done(recorder);
    skrfs_close_p(&recorder->wake);
    pthread_cond_destroy(&recorder->changed);
    pthread_mutex_destroy(&recorder->lock);
    free(recorder);
}

int skrfs_recorder_new(const struct skrfs_recorder_options *options,
        struct skrfs_recorder **ret_recorder, struct skrfs_error *err) {
    struct skrfs_recorder *recorder = calloc(1, sizeof(*recorder));

    if (!recorder)
        return skrfs_fail_memory(err);
    recorder->options = *options;
    if (init(recorder, err) < 0 || start_thread(recorder, err) < 0) {
        done(recorder);
        return -1;
    }
    pthread_mutex_lock(&recorder->lock);
    send_hello(recorder);
    pthread_mutex_unlock(&recorder->lock);
    *ret_recorder = recorder;
    return 0;
}

void skrfs_recorder_free(struct skrfs_recorder *recorder) {
    if (!recorder)
        return;
    uint64_t deadline = skrfs_now_ns() + END_NS;
    pthread_mutex_lock(&recorder->lock);
    (void)repeat_flush(recorder, true);
    (void)tell_lost(recorder);
    send_items(recorder);
    while (!STAILQ_EMPTY(&recorder->items) && skrfs_until_ns(deadline)) {
        struct timespec until = skrfs_deadline_timespec(deadline);
        (void)pthread_cond_timedwait(&recorder->changed, &recorder->lock, &until);
    }
    if (recorder->count)
        skrfs_log_warning("%zu audit records were not acknowledged at the end", recorder->count);
    recorder->stop = true;
    pthread_mutex_unlock(&recorder->lock);
    wake(recorder);
    (void)pthread_join(recorder->thread, NULL);
    done(recorder);
}

void skrfs_recorder_get_stats(
        struct skrfs_recorder *recorder, struct skrfs_recorder_stats *ret_stats) {
    pthread_mutex_lock(&recorder->lock);
    *ret_stats = (struct skrfs_recorder_stats){.written = recorder->head.seq,
            .waiting = recorder->count,
            .lost = recorder->lost_total,
            .stuck = recorder->stuck};
    pthread_mutex_unlock(&recorder->lock);
}

int skrfs_recorder_status(
        struct skrfs_recorder *recorder, struct skrfs_json **ret_json, struct skrfs_error *err) {
    char digest[SKRFS_AUDIT_HEX];

    pthread_mutex_lock(&recorder->lock);
    const struct skrfs_audit_head head = recorder->head;
    int64_t waiting = (int64_t)recorder->count, lost = (int64_t)recorder->lost_total;
    char trouble[sizeof(recorder->trouble)];
    memcpy(trouble, recorder->trouble, sizeof(trouble));
    bool stuck = recorder->stuck;
    pthread_mutex_unlock(&recorder->lock);
    skrfs_hex_encode(head.digest, sizeof(head.digest), digest);
    return skrfs_json_pack(ret_json, err, "{s:b, s:b, s:s?, s:s, s:I, s:s, s:I, s:I, s:b, s:s}",
            "required", (int)recorder->options.conf->audit.required, "journal",
            (int)recorder->options.journal, "file", recorder->options.conf->audit.file, "chain",
            head.chain, "seq", (int64_t)head.seq, "digest", digest, "waiting", waiting, "lost",
            lost, "stuck", (int)stuck, "trouble", trouble);
}

int skrfs_recorder_receipt(struct skrfs_recorder *recorder, size_t key, struct skrfs_buf *out,
        struct skrfs_error *err) {
    struct receipt receipt;

    pthread_mutex_lock(&recorder->lock);
    bool there = recorder->receipts[key];
    if (there)
        receipt = *recorder->receipts[key];
    pthread_mutex_unlock(&recorder->lock);
    if (!there)
        return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND, "it was not released yet");
    return skrfs_receipt_print(
            recorder->options.conf->keys[key].file, &receipt.proof, &receipt.record, out, err);
}
