/* The courier process's end: one thread reads, each request is answered in a thread of its own. */
#include "protocol.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#define THREADS_MAX 32
#define QUEUE_MAX 1024
#define PARTIAL_MAX 256 /* requests that have come in part */
#define RECENT 256
#define TEND_EVERY_MS 1000
#define WORKER_STACK ((size_t)1024 * 1024)

struct job {
    struct job *next;
    uint64_t id;
    uint32_t kind;
    struct skrfs_buf message;
};

struct server {
    int fd;
    struct skrfs_courier *backend;
    uint64_t instance;
    struct job *partial; /* the reading thread's alone, like the next three */
    size_t partial_count;
    uint64_t recent[RECENT]; /* ids begun lately: a request that was sent to two couriers comes
                                twice */
    size_t recent_next;
    pthread_mutex_t send_lock; /* fragments of one answer stay together */
    pthread_mutex_t lock;      /* all below */
    pthread_cond_t idle;
    unsigned threads;
    struct job *queue, **queue_end;
    size_t queued;
};

struct work {
    struct server *server;
    struct job *job;
};

static void job_free(struct job *job) {
    skrfs_buf_done(&job->message);
    free(job);
}

static void send_message(
        struct server *server, uint64_t id, uint32_t kind, struct skrfs_bytes message) {
    struct skrfs_error ignored;
    skrfs_autobuf packet = SKRFS_BUF(PACKET_MAX);
    size_t offset = 0;
    pthread_mutex_lock(&server->send_lock);
    do {
        if (skrfs_fragment_build(id, kind, message, offset, &packet, &ignored) < 0)
            break;
        ssize_t sent = 0;
        do
            sent = send(server->fd, packet.data, packet.len, MSG_NOSIGNAL);
        while (sent < 0 && errno == EINTR);
        if (sent < 0)
            break; /* nobody is left to hear it */
        offset += FRAGMENT_MAX;
    } while (offset < message.len);
    pthread_mutex_unlock(&server->send_lock);
}

static void say_hello(struct server *server) {
    uint8_t text[8];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(server->instance >> (8 * i));
    send_message(server, 0, MESSAGE_HELLO, (struct skrfs_bytes){text, sizeof(text)});
}

static void send_failure(struct server *server, const struct job *job,
        const struct skrfs_error *failure, const struct skrfs_trace *trace) {
    struct skrfs_error ignored;
    skrfs_autobuf out = SKRFS_BUF(MESSAGE_MAX);
    struct pen pen = {.out = &out, .err = &ignored};
    skrfs_answer_begin(&pen, failure, trace);
    if (!pen.failed)
        send_message(server, job->id, job->kind | MESSAGE_ANSWER, skrfs_buf_bytes(&out));
}

static int do_attest(struct server *server, const struct request *request,
        struct skrfs_trace *trace, struct pen *pen, struct skrfs_error *err) {
    skrfs_autosealed sealed;
    skrfs_sealed_token_init(&sealed);
    if (server->backend->ops->attest(
                server->backend, &request->evidence, request->deadline_ns, trace, &sealed, err) < 0)
        return -1;
    skrfs_answer_begin(pen, NULL, trace);
    skrfs_answer_put_sealed(pen, &sealed);
    return 0;
}

static int do_inspect(struct server *server, const struct request *request,
        struct skrfs_trace *trace, struct pen *pen, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_token_info_done) struct skrfs_token_info info = {0};
    if (server->backend->ops->inspect(server->backend, skrfs_buf_bytes(&request->token),
                request->deadline_ns, &info, err) < 0)
        return -1;
    skrfs_answer_begin(pen, NULL, trace);
    skrfs_answer_put_info(pen, &info);
    return 0;
}

static int do_release(struct server *server, const struct request *request,
        struct skrfs_trace *trace, struct pen *pen, struct skrfs_error *err) {
    skrfs_autobuf jws = SKRFS_BUF(SKRFS_JWS_MAX);
    const struct skrfs_release_ask ask = {
            .vault = request->vault,
            .name = request->name,
            .version = request->has_version ? request->version : NULL,
            .nonce = request->nonce,
            .enc = request->enc,
            .token = skrfs_buf_bytes(&request->token),
    };
    if (server->backend->ops->release(
                server->backend, &ask, request->deadline_ns, trace, &jws, err) < 0)
        return -1;
    skrfs_answer_begin(pen, NULL, trace);
    skrfs_answer_put_jws(pen, &jws);
    return 0;
}

static int do_key_show(struct server *server, const struct request *request,
        struct skrfs_trace *trace, struct pen *pen, struct skrfs_error *err) {
    skrfs_autovaultkey key = {0};
    if (server->backend->ops->key_show(server->backend, request->vault, request->name,
                request->has_version ? request->version : NULL, request->deadline_ns, &key,
                err) < 0)
        return -1;
    skrfs_answer_begin(pen, NULL, trace);
    skrfs_answer_put_key(pen, &key);
    return 0;
}

static int do_request(struct server *server, const struct request *request,
        struct skrfs_trace *trace, struct pen *pen, struct skrfs_error *err) {
    switch (request->kind) {
    case MESSAGE_ATTEST:
        return do_attest(server, request, trace, pen, err);
    case MESSAGE_INSPECT:
        return do_inspect(server, request, trace, pen, err);
    case MESSAGE_RELEASE:
        return do_release(server, request, trace, pen, err);
    default:
        return do_key_show(server, request, trace, pen, err);
    }
}

static void answer(struct server *server, const struct job *job) {
    struct skrfs_error err = {0};
    struct skrfs_trace trace;
    skrfs_autobuf out = SKRFS_BUF(MESSAGE_MAX);
    struct pen pen = {.out = &out, .err = &err};
    struct request request;
    skrfs_trace_start(&trace);
    skrfs_request_init(&request);
    if (skrfs_request_parse(job->kind, skrfs_buf_bytes(&job->message), &request, &err) < 0 ||
            do_request(server, &request, &trace, &pen, &err) < 0 || pen.failed)
        send_failure(server, job, &err, &trace);
    else
        send_message(server, job->id, job->kind | MESSAGE_ANSWER, skrfs_buf_bytes(&out));
    skrfs_request_done(&request);
}

/* The next job, or NULL after having taken this thread out of the count. */
static struct job *next_job(struct server *server) {
    pthread_mutex_lock(&server->lock);
    struct job *job = server->queue;
    if (job) {
        server->queue = job->next;
        if (!server->queue)
            server->queue_end = &server->queue;
        server->queued--;
    } else {
        server->threads--;
        pthread_cond_signal(&server->idle);
    }
    pthread_mutex_unlock(&server->lock);
    return job;
}

static void *run(void *context) {
    struct work work = *(struct work *)context;
    free(context);
    for (struct job *job = work.job; job; job = next_job(work.server)) {
        answer(work.server, job);
        job_free(job);
    }
    return NULL;
}

static bool start_thread(struct server *server, struct job *job) {
    struct work *work = malloc(sizeof(*work));
    if (!work)
        return false;
    *work = (struct work){server, job};
    sigset_t all, before;
    pthread_t thread;
    pthread_attr_t attributes;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, WORKER_STACK);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&thread, &attributes, run, work) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (!started)
        free(work);
    return started;
}

static void refuse_job(struct server *server, struct job *job) {
    struct skrfs_error busy;
    skrfs_fail(&busy, SKRFS_CLASS_UNAVAILABLE, "the courier has too many requests in hand");
    skrfs_fail_retryable(&busy, 0);
    send_failure(server, job, &busy, NULL);
    job_free(job);
}

/* Takes the job over. */
static void dispatch(struct server *server, struct job *job) {
    pthread_mutex_lock(&server->lock);
    bool thread = server->threads < THREADS_MAX;
    bool queue = !thread && server->queued < QUEUE_MAX;
    if (thread)
        server->threads++;
    if (queue) {
        job->next = NULL;
        *server->queue_end = job;
        server->queue_end = &job->next;
        server->queued++;
    }
    pthread_mutex_unlock(&server->lock);
    if (queue || (thread && start_thread(server, job)))
        return;
    if (thread) {
        pthread_mutex_lock(&server->lock);
        server->threads--;
        pthread_mutex_unlock(&server->lock);
    }
    refuse_job(server, job);
}

static bool begun_lately(struct server *server, uint64_t id) {
    for (size_t i = 0; i < RECENT; i++)
        if (server->recent[i] == id)
            return true;
    server->recent[server->recent_next++ % RECENT] = id;
    return false;
}

/* The one begun longest ago: its keeper is no more, or never meant to end it. */
static void forget_oldest(struct server *server) {
    struct job *oldest = server->partial;

    server->partial = oldest->next;
    server->partial_count--;
    job_free(oldest);
}

/* The link to the request that this fragment belongs to; a new one for a first fragment. NULL: drop
 * it. */
static struct job **find_partial(struct server *server, const struct fragment *fragment) {
    struct job **link = &server->partial;
    while (*link && (*link)->id != fragment->id)
        link = &(*link)->next;
    if (*link)
        return (*link)->kind == fragment->kind ? link : NULL;
    if (fragment->offset != 0)
        return NULL;
    if (server->partial_count >= PARTIAL_MAX) {
        forget_oldest(server);
        return find_partial(server, fragment);
    }
    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        return NULL;
    job->id = fragment->id;
    job->kind = fragment->kind;
    job->message = SKRFS_BUF(MESSAGE_MAX);
    *link = job;
    server->partial_count++;
    return link;
}

static void take_packet(struct server *server, struct skrfs_bytes packet) {
    struct fragment fragment;
    bool whole = false;
    if (!skrfs_fragment_parse(packet, &fragment))
        return;
    if (fragment.kind == MESSAGE_KNOCK) {
        say_hello(server);
        return;
    }
    struct job **link = find_partial(server, &fragment);
    if (!link)
        return;
    struct job *job = *link;
    bool joined = skrfs_fragment_join(&fragment, &job->message, &whole);
    if (joined && !whole)
        return;
    *link = job->next;
    server->partial_count--;
    if (joined && !begun_lately(server, job->id))
        dispatch(server, job);
    else
        job_free(job);
}

/* Nothing was received: the other end is closed, or has sent an empty packet. */
static bool hung_up(int fd) {
    struct pollfd end = {.fd = fd, .events = POLLRDHUP};

    /* Closed, or shut down for writing: nothing comes any more either way, and recv says so at once
     * each time. */
    return poll(&end, 1, 0) > 0 && (end.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* Waits for a packet, not for ever: false when there is something else to do first. */
static bool has_come(struct server *server) {
    struct pollfd packet = {.fd = server->fd, .events = POLLIN};
    int ready = poll(&packet, 1, TEND_EVERY_MS);
    if (ready == 0 && server->backend->ops->tend)
        server->backend->ops->tend(server->backend);
    return ready > 0;
}

/* Reads until the other end closes. With `wait` false only what is there already, and does nothing
 * with it: it was sent to a courier that is no more, and is sent again after the hello. */
static int read_packets(struct server *server, bool wait, struct skrfs_error *err) {
    skrfs_autofree uint8_t *space = malloc(PACKET_MAX);
    if (!space)
        return skrfs_fail_memory(err);
    for (;;) {
        if (wait && !has_come(server))
            continue;
        ssize_t len = recv(server->fd, space, PACKET_MAX, MSG_TRUNC | (wait ? 0 : MSG_DONTWAIT));
        if ((len == 0 && hung_up(server->fd)) || (len < 0 && errno == EAGAIN))
            return 0;
        if (len == 0 || (len < 0 && errno == EINTR))
            continue;
        if (len < 0)
            return skrfs_fail_errno(err, errno, "the keeper's socket");
        size_t have = (size_t)len;
        if (wait)
            take_packet(server, (struct skrfs_bytes){space, have});
        skrfs_wipe(space, have < PACKET_MAX ? have : PACKET_MAX);
    }
}

static void drop_jobs(struct job *job) {
    while (job) {
        struct job *next = job->next;
        job_free(job);
        job = next;
    }
}

/* Drops what nobody has begun and waits for the rest, which ends by its deadlines. */
static void finish(struct server *server) {
    pthread_mutex_lock(&server->lock);
    drop_jobs(server->queue);
    server->queue = NULL;
    server->queue_end = &server->queue;
    server->queued = 0;
    while (server->threads > 0)
        pthread_cond_wait(&server->idle, &server->lock);
    pthread_mutex_unlock(&server->lock);
    drop_jobs(server->partial);
    pthread_cond_destroy(&server->idle);
    pthread_mutex_destroy(&server->lock);
    pthread_mutex_destroy(&server->send_lock);
}

int skrfs_courier_serve_ops(int fd, struct skrfs_courier *backend, struct skrfs_error *err) {
    struct server server = {.fd = fd, .backend = backend};
    /* The flags are the socket's, which a predecessor may have left in any state: a reader that
     * does not wait would take silence for the end. */
    if (fcntl(fd, F_SETFL, 0) < 0)
        return skrfs_fail_errno(err, errno, "the socket to the keeper");
    if (skrfs_random(&server.instance, sizeof(server.instance), err) < 0)
        return -1;
    server.instance |= 1; /* 0 stands for none */
    server.queue_end = &server.queue;
    pthread_mutex_init(&server.send_lock, NULL);
    pthread_mutex_init(&server.lock, NULL);
    pthread_cond_init(&server.idle, NULL);
    int result = read_packets(&server, false, err);
    if (result == 0) {
        say_hello(&server);
        result = read_packets(&server, true, err);
    }
    finish(&server);
    return result;
}

int skrfs_courier_serve(int fd, struct skrfs_cloud *cloud, struct skrfs_error *err) {
    struct skrfs_courier *direct = NULL;
    if (skrfs_courier_direct(cloud, &direct, err) < 0)
        return -1;
    int result = skrfs_courier_serve_ops(fd, direct, err);
    skrfs_courier_close(direct);
    return result;
}
