/* The scribe: takes records from the keeper, puts them into the chain, writes them, says so. It
 * holds no key and speaks to no network; whoever takes it over can spoil the audit, and is found
 * out by whoever knows the chain from elsewhere. */
#include "scribe.h"

#include <poll.h>
#include <signal.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <skrfs/base/log.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#define RETRY_MS 100

struct scribe {
    const struct skrfs_child *child;
    struct skrfs_scribe_page *page;
    struct audit_file file;
    bool journal;
    int signals;
    bool ending;            /* told to end */
    bool beginning;         /* the mount waits for it: what cannot be written now is a failure */
    bool in_trouble;        /* the last write failed */
    bool mute_journal;      /* there is a file, and the journal's failure was logged */
    struct skrfs_error why; /* it could not begin */
    struct skrfs_audit_post post;
    struct skrfs_audit_answer answer;
};

int skrfs_scribe_page_new(struct skrfs_scribe_page **ret_page, struct skrfs_error *err) {
    void *page = mmap(NULL, sizeof(struct skrfs_scribe_page), PROT_READ | PROT_WRITE,
            MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return skrfs_fail_errno(err, errno, "share memory with the scribe");
    *ret_page = page;
    return 0;
}

void skrfs_scribe_page_free(struct skrfs_scribe_page *page) {
    if (page)
        munmap(page, sizeof(*page));
}

/* Nobody waits for an answer but the keeper, and one that is dead asks again. */
static void answer(struct scribe *scribe, enum skrfs_audit_answer_type type) {
    struct skrfs_audit_answer *message = &scribe->answer;
    size_t size = SKRFS_AUDIT_ANSWER_HEAD + message->count * sizeof(message->acks[0]);

    message->type = type;
    message->epoch = scribe->page->epoch;
    message->head = scribe->page->head;
    while (send(scribe->child->scribe, message, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
            errno == EAGAIN) {
        struct pollfd room = {.fd = scribe->child->scribe, .events = POLLOUT};
        if (poll(&room, 1, RETRY_MS) <= 0)
            break;
    }
    message->count = 0;
    message->trouble[0] = 0;
}

static void tell_trouble(struct scribe *scribe, const struct skrfs_error *err) {
    if (!scribe->in_trouble)
        skrfs_log_error("the audit cannot be written: %s", err->message);
    scribe->in_trouble = true;
    skrfs_text_clean(err->message, strlen(err->message), scribe->answer.trouble,
            sizeof(scribe->answer.trouble));
    scribe->answer.count = 0;
    answer(scribe, SKRFS_ANSWER_TROUBLE);
}

static void hear_signals(struct scribe *scribe) {
    struct signalfd_siginfo info;

    if (read(scribe->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        scribe->ending = true;
}

/* Where there is a file, the journal may miss a record: it is not tried again. */
static int write_journal(struct scribe *scribe, size_t len, struct skrfs_error *err) {
    struct skrfs_error missed;

    if (!scribe->journal)
        return 0;
    if (!scribe->file.path)
        return audit_journal_send(scribe->page->pending, len, err);
    if (audit_journal_send(scribe->page->pending, len, &missed) == 0) {
        scribe->mute_journal = false;
        return 0;
    }
    if (!scribe->mute_journal)
        skrfs_log_warning("%s; the audit goes on in %s", missed.message, scribe->file.path);
    scribe->mute_journal = true;
    return 0;
}

static int write_pending(struct scribe *scribe, struct skrfs_error *err) {
    size_t len = scribe->page->pending_len;

    if (scribe->file.path && audit_file_append(&scribe->file, scribe->page->pending, len, err) < 0)
        return -1;
    return write_journal(scribe, len, err);
}

/* The order matters to a successor: as long as pending_len stands, it does this again. */
static void commit(struct skrfs_scribe_page *page) {
    page->head = page->pending_head;
    if (page->pending_number) {
        page->epoch = page->pending_epoch;
        page->done = page->pending_number;
    }
    page->pending_len = 0;
}

/* Writes what is pending until that is done, or until there is no more time for it. */
static bool finish_pending(struct scribe *scribe) {
    struct pollfd stop = {.fd = scribe->signals, .events = POLLIN};
    struct skrfs_error err;

    while (write_pending(scribe, &err) < 0) {
        scribe->why = err;
        if (scribe->beginning)
            return false;
        tell_trouble(scribe, &err);
        if (scribe->ending)
            return false;
        if (poll(&stop, 1, RETRY_MS) > 0)
            hear_signals(scribe);
    }
    if (scribe->in_trouble)
        skrfs_log_info("the audit can be written again");
    scribe->in_trouble = false;
    commit(scribe->page);
    return true;
}

static int make_pending(struct scribe *scribe, const char *body, size_t len, uint64_t epoch,
        uint64_t number, struct skrfs_error *err) {
    struct skrfs_scribe_page *page = scribe->page;
    skrfs_autobuf line = SKRFS_BUF(SKRFS_AUDIT_LINE_MAX);
    struct skrfs_audit_head head = page->head;
    bool opens = scribe->file.path && scribe->file.size == 0;

    if (skrfs_audit_seal(&head, opens ? &scribe->file.volume : NULL, body, len, &line, err) < 0)
        return -1;
    memcpy(page->pending, line.data, line.len);
    page->pending_head = head;
    page->pending_epoch = epoch;
    page->pending_number = number;
    page->pending_len = (uint32_t)line.len;
    return 0;
}

/* False when the scribe has to end before it is written. */
static bool write_record(
        struct scribe *scribe, const char *body, size_t len, uint64_t epoch, uint64_t number) {
    struct skrfs_error err;

    if (make_pending(scribe, body, len, epoch, number, &err) < 0) {
        skrfs_log_error("an audit record cannot be made: %s", err.message);
        return true;
    }
    if (!finish_pending(scribe))
        return false;
    if (audit_file_rotate(&scribe->file, &err) < 0)
        skrfs_log_warning("%s; it grows on", err.message);
    return true;
}

static bool write_entry(struct scribe *scribe, struct skrfs_audit_entry *entry) {
    skrfs_autobuf body = SKRFS_BUF(SKRFS_AUDIT_BODY_MAX);
    struct skrfs_error err;

    (void)clock_gettime(CLOCK_REALTIME, &entry->when);
    if (skrfs_audit_body(entry, &body, &err) < 0) {
        skrfs_log_error("an audit record cannot be made: %s", err.message);
        return true;
    }
    return write_record(scribe, skrfs_buf_text(&body), body.len, 0, 0);
}

static bool write_begin(
        struct scribe *scribe, const char *process, const struct skrfs_audit_head *cut) {
    const struct skrfs_conf *conf = scribe->child->conf;
    char digest[SKRFS_AUDIT_HEX] = "";
    struct skrfs_audit_begin begin = {.process = process,
            .version = SKRFS_VERSION,
            .config = conf->source,
            .config_sha256 = conf->digest,
            .mount = scribe->child->path,
            .boot_id = scribe->child->boot_id,
            .journal = scribe->journal,
            .required = conf->audit.required,
            .restart = scribe->page->epoch != 0,
            .file = scribe->file.path,
            .torn = scribe->file.torn};
    struct skrfs_audit_entry entry = {.kind = SKRFS_AUDIT_BEGIN, .begin = &begin};

    if (cut) {
        skrfs_hex_encode(cut->digest, sizeof(cut->digest), digest);
        begin.head_seq = cut->seq;
        begin.head_digest = digest;
    }
    scribe->file.torn = 0;
    return write_entry(scribe, &entry);
}

static int new_chain(struct skrfs_audit_head *head, struct skrfs_error *err) {
    uint8_t random[(SKRFS_AUDIT_CHAIN - 1) / 2];

    if (skrfs_random(random, sizeof(random), err) < 0)
        return -1;
    *head = (struct skrfs_audit_head){.seq = 0};
    skrfs_hex_encode(random, sizeof(random), head->chain);
    return 0;
}

static bool same_head(const struct skrfs_audit_head *a, const struct skrfs_audit_head *b) {
    return a->seq == b->seq && memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}

/* What a predecessor was writing is in the file, or it is not: a part of it was cut off already. */
static bool take_over_pending(struct scribe *scribe, const struct audit_tail *tail) {
    struct skrfs_scribe_page *page = scribe->page;

    if (!page->pending_len || page->pending_len > sizeof(page->pending))
        return true;
    scribe->file.torn = 0;
    if (!tail->found || !same_head(&tail->head, &page->pending_head))
        return finish_pending(scribe);
    commit(page);
    return true;
}

/* Where the chain goes on. The live end is known better than by the file: what somebody cut off or
 * put behind it meanwhile stands out. *ret_cut: the end of the file is not it. */
static int find_head(struct scribe *scribe, const struct audit_tail *tail, bool *ret_cut,
        struct skrfs_error *err) {
    struct skrfs_scribe_page *page = scribe->page;

    *ret_cut = false;
    if (page->head.chain[0]) {
        *ret_cut = scribe->file.path && !same_head(&tail->head, &page->head) &&
                   (page->head.seq || tail->found) &&
                   !(page->pending_len && same_head(&tail->head, &page->pending_head));
        return 0;
    }
    if (!tail->found)
        return new_chain(&page->head, err);
    page->head = tail->head;
    return 0;
}

static bool take_post(struct scribe *scribe) {
    struct skrfs_audit_post *post = &scribe->post;
    struct skrfs_scribe_page *page = scribe->page;

    if (post->epoch != page->epoch) {
        bool first = page->epoch == 0;
        page->done = 0;
        page->epoch = post->epoch;
        if (!first && !write_begin(scribe, "keeper", NULL))
            return false;
    }
    if (post->type == SKRFS_POST_HELLO)
        return true;
    bool anew = post->number > page->done;
    if (anew && !write_record(scribe, post->text, post->len, post->epoch, post->number))
        return false;
    /* Which record a number became that a predecessor wrote is not known any more. */
    struct skrfs_audit_ack *ack = &scribe->answer.acks[scribe->answer.count++];
    *ack = (struct skrfs_audit_ack){.number = post->number, .seq = anew ? page->head.seq : 0};
    if (anew)
        memcpy(ack->digest, page->head.digest, sizeof(ack->digest));
    return true;
}

/* 1 a message, 0 none at present, -1 the end. */
static int receive(struct scribe *scribe) {
    for (;;) {
        ssize_t len =
                recv(scribe->child->scribe, &scribe->post, sizeof(scribe->post), MSG_DONTWAIT);
        if (len > 0 && skrfs_audit_post_check(&scribe->post, (size_t)len))
            return 1;
        if (len > 0)
            skrfs_log_warning("a message to the audit that is none, of %zd octets", len);
        else if (len == 0)
            return -1;
        else if (errno != EINTR)
            return errno == EAGAIN ? 0 : -1;
    }
}

/* All that is there, up to as many as one answer can say: one sync for all of them. */
static bool take_batch(struct scribe *scribe) {
    struct skrfs_error err;
    int got = 0;

    scribe->answer.count = 0;
    while (scribe->answer.count < SKRFS_AUDIT_ACKS_MAX && (got = receive(scribe)) > 0)
        if (!take_post(scribe))
            return false;
    while (scribe->file.path && scribe->child->conf->audit.required && scribe->answer.count &&
            audit_file_sync(&scribe->file, &err) < 0) {
        unsigned count = scribe->answer.count;
        tell_trouble(scribe, &err);
        scribe->answer.count = count;
        if (scribe->ending)
            return false;
        hear_signals(scribe);
        (void)skrfs_sleep_until(skrfs_now_ns() + RETRY_MS * SKRFS_MILLISECOND_NS, SKRFS_NEVER_NS);
    }
    scribe->in_trouble = false;
    answer(scribe, SKRFS_ANSWER_ACK);
    return got >= 0;
}

static void serve(struct scribe *scribe) {
    struct pollfd waiting[2] = {{.fd = scribe->child->scribe, .events = POLLIN},
            {.fd = scribe->signals, .events = POLLIN}};

    while (!scribe->ending) {
        if (poll(waiting, 2, -1) < 0 && errno != EINTR)
            return;
        if (waiting[1].revents)
            hear_signals(scribe);
        if (waiting[0].revents && !take_batch(scribe))
            return;
    }
}

/* What the keeper sent before its end is written, and the end. */
static void finish(struct scribe *scribe) {
    struct skrfs_audit_entry end = {.kind = SKRFS_AUDIT_END};
    struct skrfs_error ignored;
    struct pollfd more = {.fd = scribe->child->scribe, .events = POLLIN};

    while (poll(&more, 1, 0) > 0 && !scribe->in_trouble && take_batch(scribe))
        ;
    if (!scribe->in_trouble && write_entry(scribe, &end) && scribe->file.path)
        (void)!audit_file_sync(&scribe->file, &ignored);
    audit_file_close(&scribe->file);
}

static int listen_to_signals(struct scribe *scribe, struct skrfs_error *err) {
    sigset_t mine;

    sigemptyset(&mine);
    sigaddset(&mine, SIGTERM);
    sigprocmask(SIG_BLOCK, &mine, NULL);
    scribe->signals = signalfd(-1, &mine, SFD_NONBLOCK | SFD_CLOEXEC);
    return scribe->signals < 0 ? skrfs_fail_errno(err, errno, "listen to signals") : 0;
}

/* The user stays who he is: the journal's entries are root's, which nobody else's can be. */
static int close_in(struct scribe *scribe, struct skrfs_error *err) {
    char folder[SKRFS_PATH_MAX] = "";

    if (scribe->file.path && scribe->file.max_size) {
        (void)snprintf(folder, sizeof(folder), "%s", scribe->file.path);
        *strrchr(folder, '/') = 0;
    }
    if (skrfs_process_harden("skrfs-scribe", 0, err) < 0)
        return -1;
    return skrfs_sandbox_scribe(scribe->file.max_size ? (*folder ? folder : "/") : NULL, err);
}

static int start(struct scribe *scribe, struct skrfs_error *err) {
    struct audit_tail tail = {.found = false};
    bool cut;

    if (listen_to_signals(scribe, err) < 0 ||
            (scribe->file.path && audit_file_open(&scribe->file, &tail, err) < 0) ||
            find_head(scribe, &tail, &cut, err) < 0 || close_in(scribe, err) < 0)
        return -1;
    struct skrfs_audit_head live = scribe->page->head;
    scribe->beginning = scribe->page->epoch == 0;
    if (!take_over_pending(scribe, &tail) || !write_begin(scribe, "scribe", cut ? &live : NULL)) {
        *err = scribe->why;
        return -1;
    }
    scribe->beginning = false;
    if (cut)
        skrfs_log_error("the end of the audit file %s was cut off or changed: it is not what was "
                        "written",
                scribe->file.path);
    return 0;
}

int skrfs_scribe_main(const struct skrfs_child *child) {
    struct scribe *scribe = calloc(1, sizeof(*scribe));
    struct skrfs_error err;

    skrfs_log_set_name("scribe");
    skrfs_fs_handover_free(child->handover);
    if (!scribe) {
        (void)skrfs_fail_memory(&err);
        return skrfs_notice_failed(child, SKRFS_ROLE_SCRIBE, &err);
    }
    *scribe = (struct scribe){.child = child,
            .page = child->page,
            .journal = child->journal,
            .file = {.path = child->conf->audit.file,
                    .fd = -1,
                    .max_size = child->conf->audit.max_size,
                    .keep = child->conf->audit.keep}};
    if (start(scribe, &err) < 0)
        return skrfs_notice_failed(child, SKRFS_ROLE_SCRIBE, &err);
    skrfs_notice_ready(child, SKRFS_ROLE_SCRIBE);
    close(child->notices);
    answer(scribe, SKRFS_ANSWER_HELLO);
    serve(scribe);
    finish(scribe);
    return scribe->ending ? 0 : 1;
}
