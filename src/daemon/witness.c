/* The keeper's end: it believes nothing that it did not ask for, or that is out of form. */
#include "witness.h"

#include <poll.h>
#include <pthread.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/log.h>
#include <skrfs/caller/caller.h>
#include <skrfs/daemon/process.h>
#include <string.h>
#include <sys/socket.h>

#define PATIENCE_MS 1000
/* Of those that come while an earlier question is unanswered: they wait less, so that a witness
 * that is stuck holds up nobody for long. */
#define HURRY_MS 100

struct skrfs_witness {
    int fd;
    pthread_mutex_t lock;
    uint32_t number;
    bool owes; /* the answer to that number was not heard */
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

/* Waits for the testimony to the last question; what has another number or length is passed over.
 */
static bool hear(struct skrfs_witness *witness, unsigned patience_ms,
        struct witness_testimony *ret_testimony) {
    uint64_t deadline = skrfs_now_ns() + patience_ms * SKRFS_MILLISECOND_NS;
    struct pollfd ready = {.fd = witness->fd, .events = POLLIN};

    for (;;) {
        int left = (int)(skrfs_until_ns(deadline) / SKRFS_MILLISECOND_NS);
        int count = poll(&ready, 1, left);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        ssize_t len =
                recv(witness->fd, ret_testimony, sizeof(*ret_testimony), MSG_DONTWAIT | MSG_TRUNC);
        if (len <= 0)
            return false;
        if (len == (ssize_t)sizeof(*ret_testimony) && ret_testimony->number == witness->number) {
            witness->owes = false;
            return true;
        }
    }
}

/* One question at a time. */
static bool ask(struct skrfs_witness *witness, struct witness_question *question,
        struct witness_testimony *ret_testimony) {
    pthread_mutex_lock(&witness->lock);
    bool owed = witness->owes;
    question->number = ++witness->number;
    witness->owes = true;
    bool heard = send(witness->fd, question, sizeof(*question), MSG_NOSIGNAL | MSG_DONTWAIT) ==
                         (ssize_t)sizeof(*question) &&
                 hear(witness, owed ? HURRY_MS : PATIENCE_MS, ret_testimony);
    pthread_mutex_unlock(&witness->lock);
    if (!heard && !owed)
        skrfs_log_warning("the witness process is silent");
    return heard;
}

static bool ends(const char *text, size_t size) {
    return memchr(text, 0, size) != NULL;
}

#define ENDS(text) ends(text, sizeof(text))

static unsigned in_form(const struct witness_testimony *testimony, unsigned facts) {
    unsigned known = testimony->known & facts;

    if (testimony->group_count > SKRFS_GROUPS_MAX)
        known &= ~(unsigned)SKRFS_FACT_GROUPS;
    if (!ENDS(testimony->exe) || testimony->exe[0] != '/')
        known &= ~(unsigned)SKRFS_FACT_EXE;
    if (!ENDS(testimony->verity) || !testimony->verity[0])
        known &= ~(unsigned)SKRFS_FACT_VERITY;
    if (!ENDS(testimony->cgroup) || testimony->cgroup[0] != '/')
        known &= ~(unsigned)SKRFS_FACT_CGROUP;
    if (!ENDS(testimony->label) || !testimony->label[0])
        known &= ~(unsigned)SKRFS_FACT_LABEL;
    return known;
}

static void believe(
        const struct witness_testimony *testimony, unsigned facts, struct skrfs_caller *caller) {
    caller->known = in_form(testimony, facts);
    if (caller->known & SKRFS_FACT_GROUPS) {
        caller->group_count = testimony->group_count;
        memcpy(caller->groups, testimony->groups, sizeof(caller->groups));
    }
    if (caller->known & SKRFS_FACT_EXE)
        memcpy(caller->exe, testimony->exe, sizeof(caller->exe));
    if (caller->known & SKRFS_FACT_SHA256)
        memcpy(caller->sha256, testimony->sha256, sizeof(caller->sha256));
    if (caller->known & SKRFS_FACT_VERITY)
        memcpy(caller->verity, testimony->verity, sizeof(caller->verity));
    if (caller->known & SKRFS_FACT_LABEL)
        memcpy(caller->label, testimony->label, sizeof(caller->label));
    if (caller->known & SKRFS_FACT_CGROUP) {
        memcpy(caller->cgroup, testimony->cgroup, sizeof(caller->cgroup));
        skrfs_cgroup_unit(caller->cgroup, caller->unit);
        skrfs_cgroup_container(caller->cgroup, caller->container);
    }
    for (size_t i = 0; caller->known & SKRFS_FACT_NAMESPACES && i < SKRFS_NS_COUNT; i++) {
        caller->spaces[i].inode = testimony->spaces[i];
        caller->spaces[i].host = testimony->hosts >> i & 1;
    }
    if (ENDS(testimony->lack))
        memcpy(caller->lack, testimony->lack, sizeof(caller->lack));
}

int skrfs_witness_unit(void *context, const char *unit, bool *ret_active, struct skrfs_error *err) {
    struct witness_question question = {.kind = WITNESS_UNIT};
    struct witness_testimony testimony;

    memcpy(question.unit, unit, strnlen(unit, sizeof(question.unit) - 1));
    if (!ask(context, &question, &testimony))
        return skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "the witness process is silent");
    if (testimony.state == WITNESS_ACTIVE || testimony.state == WITNESS_INACTIVE) {
        *ret_active = testimony.state == WITNESS_ACTIVE;
        return 0;
    }
    return skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "%s",
            ENDS(testimony.lack) && testimony.lack[0] ? testimony.lack : "for no reason given");
}

void skrfs_witness_describe(void *context, unsigned facts, struct skrfs_caller *caller) {
    static const char silence[] = "the witness process is silent";
    struct witness_question question = {.kind = WITNESS_CALLER,
            .uid = caller->uid,
            .gid = caller->gid,
            .pid = caller->pid,
            .facts = facts};
    struct witness_testimony testimony;

    *caller = (struct skrfs_caller){.uid = caller->uid, .gid = caller->gid, .pid = caller->pid};
    if (ask(context, &question, &testimony))
        believe(&testimony, facts, caller);
    else
        memcpy(caller->lack, silence, sizeof(silence));
}
