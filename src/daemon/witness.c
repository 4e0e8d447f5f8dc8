#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/log.h>
#include <skrfs/daemon/process.h>
#include <string.h>
#include <sys/socket.h>

#define PATIENCE_MS 1000

struct question {
    uint32_t number;
    uid_t uid;
    gid_t gid;
    pid_t pid;
    uint32_t facts;
};

struct testimony {
    uint32_t number;
    uint32_t known;
    uint32_t group_count;
    gid_t groups[SKRFS_GROUPS_MAX];
    char exe[SKRFS_PATH_MAX];
};

struct skrfs_witness {
    int fd;
    pthread_mutex_t lock;
    uint32_t number;
};

int skrfs_witness_new(int fd, struct skrfs_witness **ret_witness, struct skrfs_error *err) {
    struct skrfs_witness *witness = calloc(1, sizeof(*witness));

    if (!witness)
        return skrfs_fail_memory(err);
    witness->fd = fd;
    pthread_mutex_init(&witness->lock, NULL);
    *ret_witness = witness;
    return 0;
}

void skrfs_witness_free(struct skrfs_witness *witness) {
    if (!witness)
        return;
    close(witness->fd);
    pthread_mutex_destroy(&witness->lock);
    free(witness);
}

/* Waits for the testimony with this number; one that came too late for an earlier question is
 * passed over. */
static bool hear(const struct skrfs_witness *witness, struct testimony *ret) {
    uint64_t deadline = skrfs_now_ns() + PATIENCE_MS * SKRFS_MILLISECOND_NS;
    struct pollfd ready = {.fd = witness->fd, .events = POLLIN};

    for (;;) {
        int left = (int)(skrfs_until_ns(deadline) / SKRFS_MILLISECOND_NS);
        int count = poll(&ready, 1, left);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        /* MSG_TRUNC tells the true length: what is longer than a testimony is none. */
        ssize_t len = recv(witness->fd, ret, sizeof(*ret), MSG_DONTWAIT | MSG_TRUNC);
        if (len <= 0)
            return false;
        if (len == (ssize_t)sizeof(*ret) && ret->number == witness->number)
            return true;
    }
}

static void believe(const struct testimony *testimony, struct skrfs_caller *caller) {
    if (testimony->known & SKRFS_FACT_GROUPS && testimony->group_count <= SKRFS_GROUPS_MAX) {
        caller->known |= SKRFS_FACT_GROUPS;
        caller->group_count = testimony->group_count;
        memcpy(caller->groups, testimony->groups, sizeof(caller->groups));
    }
    if (testimony->known & SKRFS_FACT_EXE && memchr(testimony->exe, 0, sizeof(testimony->exe))) {
        caller->known |= SKRFS_FACT_EXE;
        memcpy(caller->exe, testimony->exe, sizeof(caller->exe));
    }
}

void skrfs_witness_describe(void *context, unsigned facts, struct skrfs_caller *caller) {
    struct skrfs_witness *witness = context;
    struct question question = {
            .uid = caller->uid, .gid = caller->gid, .pid = caller->pid, .facts = facts};
    struct testimony testimony;

    caller->known = 0;
    pthread_mutex_lock(&witness->lock);
    question.number = ++witness->number;
    bool heard = send(witness->fd, &question, sizeof(question), MSG_NOSIGNAL | MSG_DONTWAIT) ==
                         (ssize_t)sizeof(question) &&
                 hear(witness, &testimony);
    pthread_mutex_unlock(&witness->lock);
    if (heard)
        believe(&testimony, caller);
    else
        skrfs_log_warning("the witness process is silent about pid %d", (int)caller->pid);
}

static void testify(const struct question *question, struct testimony *ret) {
    struct skrfs_caller caller = {.uid = question->uid, .gid = question->gid, .pid = question->pid};

    skrfs_caller_describe(question->facts, &caller);
    memset(ret, 0, sizeof(*ret));
    ret->number = question->number;
    ret->known = caller.known;
    if (caller.known & SKRFS_FACT_GROUPS) {
        ret->group_count = (uint32_t)caller.group_count;
        memcpy(ret->groups, caller.groups, caller.group_count * sizeof(caller.groups[0]));
    }
    if (caller.known & SKRFS_FACT_EXE)
        memcpy(ret->exe, caller.exe, sizeof(ret->exe));
}

int skrfs_witness_serve(int fd, struct skrfs_error *err) {
    struct question question;
    struct testimony testimony;

    for (;;) {
        ssize_t len = recv(fd, &question, sizeof(question), MSG_TRUNC);
        if (len == 0 || (len < 0 && errno == ECONNRESET))
            return 0;
        if (len < 0 && errno == EINTR)
            continue;
        if (len != (ssize_t)sizeof(question))
            return skrfs_fail_errno(err, len < 0 ? errno : EBADMSG, "receive a question");
        testify(&question, &testimony);
        if (send(fd, &testimony, sizeof(testimony), MSG_NOSIGNAL) < 0)
            return errno == EPIPE ? 0 : skrfs_fail_errno(err, errno, "send a testimony");
    }
}

/* Another user's executable is seen with CAP_SYS_PTRACE alone (proc(5)); a user's own mount does
 * without. */
int skrfs_witness_main(const struct skrfs_child *child) {
    const uint64_t keep = UINT64_C(1) << CAP_SYS_PTRACE | UINT64_C(1) << CAP_DAC_READ_SEARCH;
    struct skrfs_error err;

    skrfs_log_set_name("witness");
    skrfs_fs_handover_free(child->handover);
    if (skrfs_process_harden("skrfs-witness", keep, &err) < 0 || skrfs_sandbox_witness(&err) < 0)
        return skrfs_notice_failed(child, SKRFS_ROLE_WITNESS, &err);
    close(child->notices);
    if (skrfs_witness_serve(child->witness, &err) < 0) {
        skrfs_log_error("%s", err.message);
        return 1;
    }
    return 0;
}
