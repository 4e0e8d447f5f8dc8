/* The keeper's end. Each waiting caller sends its own request, again whenever a new courier said
 * hello; one thread receives. Nothing here believes what comes in: unknown and malformed packets
 * are counted and dropped. */
#include "protocol.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define RECEIVER_STACK ((size_t)256 * 1024)
#define KNOCK_EVERY_MS 1000
#define SEND_POLL_MS 100
#define PACKETS_AT_ONCE 64 /* before looking again whether to stop: a courier may never pause */

struct waiting {
    struct waiting *next;
    uint64_t id;
    uint32_t kind; /* of the answer that it waits for */
    bool done;
    struct skrfs_buf answer;
};

struct remote {
    struct skrfs_courier base;
    int fd, stop_fd;
    pthread_t receiver;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    struct waiting *waiting;
    uint64_t next_id;
    uint64_t instance;   /* of the courier process, 0 before the first hello */
    uint64_t generation; /* how many couriers there were */
    uint64_t dropped;
    bool gone; /* nobody holds the other end any more */
};

static struct waiting *find(struct remote *remote, uint64_t id) {
    struct waiting *waiting = remote->waiting;
    while (waiting && waiting->id != id)
        waiting = waiting->next;
    return waiting;
}

/* A new courier knows nothing of what its predecessor began to answer. */
static void take_hello(struct remote *remote, const struct fragment *fragment) {
    struct wire wire = {.data = fragment->part.data, .len = fragment->part.len};
    uint64_t instance = skrfs_wire_u64(&wire);
    if (!skrfs_wire_ended(&wire) || fragment->total != fragment->part.len || instance == 0) {
        remote->dropped++;
        return;
    }
    if (instance == remote->instance)
        return;
    remote->instance = instance;
    remote->generation++;
    for (struct waiting *waiting = remote->waiting; waiting; waiting = waiting->next)
        if (!waiting->done)
            skrfs_buf_truncate(&waiting->answer, 0);
    pthread_cond_broadcast(&remote->changed);
}

static void take_answer(struct remote *remote, const struct fragment *fragment) {
    struct waiting *waiting = find(remote, fragment->id);
    bool whole = false;
    if (!waiting || waiting->done || waiting->kind != fragment->kind ||
            !skrfs_fragment_join(fragment, &waiting->answer, &whole)) {
        remote->dropped++;
        return;
    }
    if (whole) {
        waiting->done = true;
        pthread_cond_broadcast(&remote->changed);
    }
}

static void take_packet(struct remote *remote, struct skrfs_bytes packet) {
    struct fragment fragment;
    pthread_mutex_lock(&remote->lock);
    if (!skrfs_fragment_parse(packet, &fragment))
        remote->dropped++;
    else if (fragment.kind == MESSAGE_HELLO)
        take_hello(remote, &fragment);
    else
        take_answer(remote, &fragment);
    pthread_mutex_unlock(&remote->lock);
}

/* False when there is nothing more to come, ever. */
static bool take_packets(struct remote *remote, uint8_t *space, bool hung_up) {
    for (unsigned i = 0; i < PACKETS_AT_ONCE; i++) {
        ssize_t len = recv(remote->fd, space, PACKET_MAX, MSG_DONTWAIT | MSG_TRUNC);
        if (len < 0)
            return errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM;
        if (len == 0 && hung_up)
            return false;
        /* MSG_TRUNC tells the true length: one that was cut is dropped as too long. */
        size_t have = (size_t)len;
        struct skrfs_bytes packet = {space, have};
        take_packet(remote, packet);
        skrfs_wipe(space, have < PACKET_MAX ? have : PACKET_MAX);
        if (len == 0)
            return true;
    }
    return true;
}

/* Asks a courier that is there already to say hello: this keeper may be the new one. */
static void knock(struct remote *remote) {
    struct skrfs_error ignored;
    skrfs_autobuf packet = SKRFS_BUF(PACKET_MAX);
    struct skrfs_bytes nothing = {NULL, 0};
    pthread_mutex_lock(&remote->lock);
    bool known = remote->generation > 0;
    pthread_mutex_unlock(&remote->lock);
    if (!known && skrfs_fragment_build(0, MESSAGE_KNOCK, nothing, 0, &packet, &ignored) == 0)
        (void)send(remote->fd, packet.data, packet.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void set_gone(struct remote *remote) {
    pthread_mutex_lock(&remote->lock);
    remote->gone = true;
    pthread_cond_broadcast(&remote->changed);
    pthread_mutex_unlock(&remote->lock);
}

static void *receive(void *context) {
    struct remote *remote = context;
    uint8_t *space = malloc(PACKET_MAX);
    bool open = space != NULL;
    knock(remote);
    while (open) {
        /* POLLRDHUP: a courier that was taken over may shut its end down without closing it; after
         * that nothing comes any more, and recv says so at once each time. */
        struct pollfd fds[] = {{.fd = remote->fd, .events = POLLIN | POLLRDHUP},
                {.fd = remote->stop_fd, .events = POLLIN}};
        int ready = poll(fds, SKRFS_ARRAY_LEN(fds), KNOCK_EVERY_MS);
        if (fds[1].revents)
            break;
        if (ready == 0)
            knock(remote);
        if (ready > 0)
            open = take_packets(remote, space, fds[0].revents & (POLLRDHUP | POLLHUP | POLLERR));
    }
    set_gone(remote);
    free(space);
    return NULL;
}

static bool is_stale(struct remote *remote, const struct waiting *waiting, uint64_t generation) {
    pthread_mutex_lock(&remote->lock);
    bool stale = waiting->done || remote->gone || remote->generation != generation;
    pthread_mutex_unlock(&remote->lock);
    return stale;
}

/* Sends one packet, waiting for room while it makes sense. False: look at the state again. */
static bool send_packet(struct remote *remote, const struct skrfs_buf *packet,
        const struct waiting *waiting, uint64_t generation, uint64_t deadline_ns) {
    while (!is_stale(remote, waiting, generation)) {
        if (send(remote->fd, packet->data, packet->len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            return true;
        if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
            return false;
        if (skrfs_until_ns(deadline_ns) == 0)
            return false;
        struct pollfd room = {.fd = remote->fd, .events = POLLOUT};
        (void)poll(&room, 1, SEND_POLL_MS);
    }
    return false;
}

static void send_request(struct remote *remote, const struct waiting *waiting, uint64_t generation,
        const struct skrfs_buf *message, uint64_t deadline_ns) {
    struct skrfs_error ignored;
    skrfs_autobuf packet = SKRFS_BUF(PACKET_MAX);
    uint32_t kind = waiting->kind & ~(uint32_t)MESSAGE_ANSWER;
    for (size_t offset = 0; offset < message->len; offset += FRAGMENT_MAX)
        if (skrfs_fragment_build(
                    waiting->id, kind, skrfs_buf_bytes(message), offset, &packet, &ignored) < 0 ||
                !send_packet(remote, &packet, waiting, generation, deadline_ns))
            return;
}

/* With the lock held: until done, gone or past the deadline. */
static int wait_for_answer(struct remote *remote, struct waiting *waiting,
        const struct skrfs_buf *message, uint64_t deadline_ns, struct skrfs_error *err) {
    uint64_t sent = 0; /* generation of the courier that has the request */
    while (!waiting->done) {
        if (remote->gone) {
            skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "the courier's socket is closed");
            return skrfs_fail_retryable(err, 0);
        }
        if (skrfs_until_ns(deadline_ns) == 0) {
            skrfs_fail(err, SKRFS_CLASS_TIMEOUT,
                    remote->generation ? "the courier did not answer in time"
                                       : "no courier has come up in time");
            return skrfs_fail_retryable(err, 0);
        }
        if (remote->generation != sent) {
            sent = remote->generation;
            pthread_mutex_unlock(&remote->lock);
            send_request(remote, waiting, sent, message, deadline_ns);
            pthread_mutex_lock(&remote->lock);
            continue;
        }
        struct timespec until = skrfs_deadline_timespec(deadline_ns);
        (void)pthread_cond_timedwait(&remote->changed, &remote->lock, &until);
    }
    return 0;
}

static void forget(struct remote *remote, const struct waiting *waiting) {
    struct waiting **link = &remote->waiting;
    while (*link != waiting)
        link = &(*link)->next;
    *link = waiting->next;
}

/* Sends the request and waits; the answer's octets go into `answer`. */
static int call(struct skrfs_courier *courier, enum message_kind kind,
        const struct skrfs_buf *message, uint64_t deadline_ns, struct skrfs_buf *answer,
        struct skrfs_error *err) {
    struct remote *remote = (struct remote *)courier;
    struct waiting waiting = {
            .kind = (uint32_t)kind | MESSAGE_ANSWER, .answer = SKRFS_BUF(MESSAGE_MAX)};
    pthread_mutex_lock(&remote->lock);
    waiting.id = remote->next_id++;
    waiting.next = remote->waiting;
    remote->waiting = &waiting;
    int result = wait_for_answer(remote, &waiting, message, deadline_ns, err);
    forget(remote, &waiting);
    pthread_mutex_unlock(&remote->lock);
    if (result == 0)
        skrfs_buf_move(answer, &waiting.answer);
    skrfs_buf_done(&waiting.answer);
    return result;
}

static int remote_attest(struct skrfs_courier *courier, const struct skrfs_evidence *evidence,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_sealed_token *ret_sealed,
        struct skrfs_error *err) {
    skrfs_autobuf message = SKRFS_BUF(MESSAGE_MAX), answer = SKRFS_BUF(MESSAGE_MAX);
    if (skrfs_request_attest(evidence, deadline_ns, &message, err) < 0 ||
            call(courier, MESSAGE_ATTEST, &message, deadline_ns, &answer, err) < 0)
        return -1;
    struct wire wire = {.data = answer.data, .len = answer.len};
    if (skrfs_answer_open(&wire, trace, err) < 0)
        return -1;
    return skrfs_answer_get_sealed(&wire, ret_sealed, err);
}

static int remote_inspect(struct skrfs_courier *courier, struct skrfs_bytes token,
        uint64_t deadline_ns, struct skrfs_token_info *ret_info, struct skrfs_error *err) {
    skrfs_autobuf message = SKRFS_BUF(MESSAGE_MAX), answer = SKRFS_BUF(MESSAGE_MAX);
    if (skrfs_request_inspect(token, deadline_ns, &message, err) < 0 ||
            call(courier, MESSAGE_INSPECT, &message, deadline_ns, &answer, err) < 0)
        return -1;
    struct wire wire = {.data = answer.data, .len = answer.len};
    if (skrfs_answer_open(&wire, NULL, err) < 0)
        return -1;
    return skrfs_answer_get_info(&wire, ret_info, err);
}

static int remote_release(struct skrfs_courier *courier, const struct skrfs_release_ask *ask,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_buf *ret_jws,
        struct skrfs_error *err) {
    skrfs_autobuf message = SKRFS_BUF(MESSAGE_MAX), answer = SKRFS_BUF(MESSAGE_MAX);
    if (skrfs_request_release(ask, deadline_ns, &message, err) < 0 ||
            call(courier, MESSAGE_RELEASE, &message, deadline_ns, &answer, err) < 0)
        return -1;
    struct wire wire = {.data = answer.data, .len = answer.len};
    if (skrfs_answer_open(&wire, trace, err) < 0)
        return -1;
    return skrfs_answer_get_jws(&wire, ret_jws, err);
}

static int remote_key_show(struct skrfs_courier *courier, size_t vault, const char *name,
        const char *version, uint64_t deadline_ns, struct skrfs_vault_key *ret_key,
        struct skrfs_error *err) {
    skrfs_autobuf message = SKRFS_BUF(MESSAGE_MAX), answer = SKRFS_BUF(MESSAGE_MAX);
    if (skrfs_request_key_show(vault, name, version, deadline_ns, &message, err) < 0 ||
            call(courier, MESSAGE_KEY_SHOW, &message, deadline_ns, &answer, err) < 0)
        return -1;
    struct wire wire = {.data = answer.data, .len = answer.len};
    if (skrfs_answer_open(&wire, NULL, err) < 0)
        return -1;
    return skrfs_answer_get_key(&wire, ret_key, err);
}

static void remote_close(struct skrfs_courier *courier) {
    struct remote *remote = (struct remote *)courier;
    (void)eventfd_write(remote->stop_fd, 1);
    pthread_join(remote->receiver, NULL);
    close(remote->stop_fd);
    close(remote->fd);
    pthread_cond_destroy(&remote->changed);
    pthread_mutex_destroy(&remote->lock);
    free(remote);
}

/* Signals are the other threads' matter. */
static int start_receiver(struct remote *remote, struct skrfs_error *err) {
    sigset_t all, before;
    pthread_attr_t attributes;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, RECEIVER_STACK);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&remote->receiver, &attributes, receive, remote);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failed ? skrfs_fail_errno(err, failed, "the courier's receiver cannot be started") : 0;
}

static int set_up(struct remote *remote, struct skrfs_error *err) {
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&remote->lock, NULL);
    pthread_cond_init(&remote->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    /* So that a keeper that was restarted takes no answer that was meant for its predecessor. */
    if (skrfs_random(&remote->next_id, sizeof(remote->next_id), err) < 0)
        return -1;
    remote->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (remote->stop_fd < 0)
        return skrfs_fail_errno(err, errno, "eventfd");
    return start_receiver(remote, err);
}

int skrfs_courier_remote(int fd, struct skrfs_courier **ret_courier, struct skrfs_error *err) {
    static const struct skrfs_courier_ops ops = {
            .attest = remote_attest,
            .inspect = remote_inspect,
            .release = remote_release,
            .key_show = remote_key_show,
            .close = remote_close,
    };
    struct remote *remote = calloc(1, sizeof(*remote));
    if (!remote)
        return skrfs_fail_memory(err);
    remote->base.ops = &ops;
    remote->fd = fd;
    remote->stop_fd = -1;
    if (set_up(remote, err) < 0) {
        if (remote->stop_fd >= 0)
            close(remote->stop_fd);
        free(remote);
        return -1;
    }
    *ret_courier = &remote->base;
    return 0;
}
