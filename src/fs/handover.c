#include "internal.h"

#include <linux/fuse.h>
#include <skrfs/base/cleanup.h>
#include <skrfs/base/log.h>
#include <skrfs/base/shared.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Linux 6.9 (protocol 7.40): include/uapi/linux/fuse.h. Older headers lack the names. */
#define NOTIFY_RESEND 7
#define HAS_RESEND (UINT64_C(1) << 39)

#define INIT_MAX 512

/* Of the layout below: a parent of another version must not read it. */
#define LAYOUT UINT64_C(0x736b726673480001)

/* The kernel sends FUSE_INIT once in a connection's life, and a request once to whoever reads it.
 * What a keeper read and did not answer before it died would hang its caller, were it not sent
 * again or answered. */
struct in_flight {
    _Atomic uint64_t unique; /* 0: free */
    _Atomic uint32_t opcode;
};

struct skrfs_fs_handover {
    uint64_t layout;
    uint64_t below;
    _Atomic uint32_t init_len;
    /* Octets, not truth values: who wrote them last may have been taken over, and any other value
     * than 0 and 1 is none that a bool can have. */
    _Atomic uint8_t init_answered;
    _Atomic uint8_t tracking; /* 0 where the kernel can send again: then nothing needs to be
                                 remembered */
    uint8_t init[INIT_MAX];
    struct in_flight in_flight[HANDOVER_SLOTS];
};

static int map(int fd, struct skrfs_fs_handover **ret_handover, struct skrfs_error *err) {
    void *memory;
    if (skrfs_shared_map(fd, sizeof **ret_handover, &memory, err))
        return skrfs_wrap(err, "the handover pages");
    *ret_handover = memory;
    return 0;
}

int skrfs_fs_handover_create(dev_t below, int *ret_fd, struct skrfs_error *err) {
    struct skrfs_fs_handover *handover;
    skrfs_autoclose int fd = -1;
    if (skrfs_shared_create("skrfs-handover", sizeof *handover, &fd, err) ||
            map(fd, &handover, err))
        return -1;
    handover->layout = LAYOUT;
    handover->below = below;
    skrfs_fs_handover_free(handover);
    *ret_fd = skrfs_take_fd(&fd);
    return 0;
}

int skrfs_fs_handover_open(int fd, struct skrfs_fs_handover **ret_handover, dev_t *ret_below,
        struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_fs_handover_free_p) struct skrfs_fs_handover *handover = NULL;
    if (map(fd, &handover, err))
        return -1;
    if (handover->layout != LAYOUT)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "the handover pages are another version's: the mount has to be made anew");
    *ret_below = handover->below;
    *ret_handover = skrfs_take(handover);
    return 0;
}

int skrfs_fs_handover_new(struct skrfs_fs_handover **ret_handover, struct skrfs_error *err) {
    skrfs_autoclose int fd = -1;
    dev_t ignored;
    return skrfs_fs_handover_create(0, &fd, err) ||
                           skrfs_fs_handover_open(fd, ret_handover, &ignored, err)
                   ? -1
                   : 0;
}

void skrfs_fs_handover_free(struct skrfs_fs_handover *handover) {
    if (handover)
        (void)munmap(handover, sizeof *handover);
}

void handover_save_init(struct skrfs_fs_handover *handover, const void *request, size_t len) {
    if (!handover || len > sizeof handover->init)
        return;
    memcpy(handover->init, request, len);
    atomic_store(&handover->tracking, (uint8_t)!handover_can_resend(request, len));
    atomic_store(&handover->init_len, (uint32_t)len);
}

void handover_init_answered(struct skrfs_fs_handover *handover) {
    if (handover)
        atomic_store(&handover->init_answered, 1);
}

size_t handover_load_init(
        const struct skrfs_fs_handover *handover, void *out, size_t size, bool *ret_answered) {
    uint32_t len = handover ? atomic_load(&handover->init_len) : 0;
    if (!len || len > size || len > sizeof handover->init)
        return 0;
    memcpy(out, handover->init, len);
    *ret_answered = atomic_load(&handover->init_answered) != 0;
    return len;
}

bool handover_can_resend(const void *init, size_t len) {
    struct fuse_init_in in = {0};
    size_t head = sizeof(struct fuse_in_header);
    if (len < head + sizeof in)
        return false;
    memcpy(&in, (const uint8_t *)init + head, sizeof in);
    if (!(in.flags & FUSE_INIT_EXT))
        return false;
    return ((uint64_t)in.flags2 << 32 | in.flags) & HAS_RESEND;
}

static bool wants_answer(uint32_t opcode) {
    return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT &&
           opcode != FUSE_INIT;
}

/* Uniques are even and count up: neighbours take neighbouring slots. */
static size_t first_slot(uint64_t unique) {
    return (size_t)(unique >> 1) % HANDOVER_SLOTS;
}

void handover_begin(struct skrfs_fs_handover *handover, const void *request, size_t len) {
    struct fuse_in_header in;
    if (!handover || len < sizeof in || !atomic_load(&handover->tracking))
        return;
    memcpy(&in, request, sizeof in);
    if (!wants_answer(in.opcode))
        return;
    for (size_t i = 0; i < HANDOVER_SLOTS; i++) {
        struct in_flight *slot = &handover->in_flight[(first_slot(in.unique) + i) % HANDOVER_SLOTS];
        uint64_t empty = 0;
        if (atomic_compare_exchange_strong(&slot->unique, &empty, in.unique)) {
            atomic_store(&slot->opcode, in.opcode);
            return;
        }
    }
    skrfs_log_warning("more than %d requests at once: should the keeper die, some callers will "
                      "have to be killed",
            HANDOVER_SLOTS);
}

void handover_end(struct skrfs_fs_handover *handover, uint64_t unique) {
    if (!handover || !unique || !atomic_load(&handover->tracking))
        return;
    for (size_t i = 0; i < HANDOVER_SLOTS; i++) {
        struct in_flight *slot = &handover->in_flight[(first_slot(unique) + i) % HANDOVER_SLOTS];
        uint64_t wanted = unique;
        if (atomic_compare_exchange_strong(&slot->unique, &wanted, 0))
            return;
        /* Slots before it may have become free since: only the full round says that it is not
         * there. */
    }
}

/* A request that was answered after all is unknown to the kernel: ENOENT, and nobody cares. */
static void answer_error(int fd, uint64_t unique, int errnum) {
    struct fuse_out_header out = {.len = sizeof out, .error = -errnum, .unique = unique};
    if (write(fd, &out, sizeof out) < 0 && errno != ENOENT)
        skrfs_log_warning(
                "a request of the earlier keeper could not be answered: %s", strerror(errno));
}

static void answer_all(struct skrfs_fs_handover *handover, int fd) {
    for (size_t i = 0; i < HANDOVER_SLOTS; i++) {
        struct in_flight *slot = &handover->in_flight[i];
        uint64_t unique = atomic_exchange(&slot->unique, 0);
        uint32_t opcode = atomic_exchange(&slot->opcode, 0);
        if (unique)
            answer_error(fd, unique, opcode == FUSE_OPEN ? EAGAIN : EIO);
    }
}

int handover_adopt(
        struct skrfs_fs_handover *handover, int fd, bool can_resend, struct skrfs_error *err) {
    struct fuse_out_header notify = {.len = sizeof notify, .error = NOTIFY_RESEND};
    if (!can_resend) {
        answer_all(handover, fd);
        return 0;
    }
    if (write(fd, &notify, sizeof notify) != (ssize_t)sizeof notify)
        return skrfs_fail_errno(err, errno, "ask the kernel for the requests in flight");
    return 0;
}
