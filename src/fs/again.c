#include "internal.h"

#include <skrfs/base/clock.h>

/* sendfile(2) and splice(2) believe the size that the kernel has of a file and ask for none:
 * busybox's cat would silently see an empty file where the size became known only by its open. So
 * an open after which the kernel's size is not the file's is answered with ESTALE once. The path
 * walk then looks the name up again, learns the size, and opens again, all inside the same open(2)
 * (fs/namei.c, do_filp_open: LOOKUP_REVAL); the caller sees nothing of it.
 *
 * It retries only once: a thread that was answered so is remembered, and its next open is answered
 * with the file whatever the kernel believes by then. */

#define REMEMBERED_NS (2 * SKRFS_SECOND_NS)

static struct again_slot *slot_of(struct skrfs_fs *fs, pid_t tid) {
    return &fs->again[(uint32_t)tid % FS_AGAIN_SLOTS];
}

static void forget(struct again_slot *slot) {
    slot->tid = 0;
    skrfs_buf_done(&slot->text);
}

bool again_ask(struct skrfs_fs *fs, pid_t tid, fuse_ino_t ino, struct skrfs_buf *text) {
    uint64_t now = skrfs_now_ns();
    struct again_slot *slot = slot_of(fs, tid);
    pthread_mutex_lock(&fs->again_lock);
    bool ours = slot->tid == tid && slot->until_ns > now;
    bool taken = slot->tid && slot->until_ns > now && !ours;
    /* Without a place to remember the thread in, its second open would be refused for good. */
    bool ask = tid > 0 && !ours && !taken;
    if (!taken)
        forget(slot);
    if (ask) {
        slot->tid = tid;
        slot->ino = ino;
        slot->until_ns = now + REMEMBERED_NS;
        if (text) {
            slot->text.max = text->max;
            skrfs_buf_move(&slot->text, text);
        }
    }
    pthread_mutex_unlock(&fs->again_lock);
    return ask;
}

bool again_take_text(struct skrfs_fs *fs, pid_t tid, fuse_ino_t ino, struct skrfs_buf *ret_text) {
    struct again_slot *slot = slot_of(fs, tid);
    pthread_mutex_lock(&fs->again_lock);
    bool found = tid > 0 && slot->tid == tid && slot->ino == ino && slot->text.len &&
                 slot->until_ns > skrfs_now_ns();
    if (found) {
        skrfs_buf_move(ret_text, &slot->text);
        forget(slot);
    }
    pthread_mutex_unlock(&fs->again_lock);
    return found;
}

void again_forget(struct skrfs_fs *fs, pid_t tid) {
    struct again_slot *slot = slot_of(fs, tid);
    pthread_mutex_lock(&fs->again_lock);
    if (slot->tid == tid)
        forget(slot);
    pthread_mutex_unlock(&fs->again_lock);
}

void again_end(struct skrfs_fs *fs) {
    for (size_t i = 0; i < FS_AGAIN_SLOTS; i++)
        forget(&fs->again[i]);
    (void)pthread_mutex_destroy(&fs->again_lock);
}
