#include "internal.h"

#include <skrfs/base/cleanup.h>
#include <skrfs/base/log.h>

/* Dropping pages waits for their locks, and a page that is being read is locked until a thread here
 * answers the read. So at least one of the threads that read the device never drops pages itself:
 * when all others are at it, the work goes to a thread of its own. */
struct doomed {
    SLIST_ENTRY(doomed) links;
    fuse_ino_t ino;
};

static void drop(struct skrfs_fs *fs, fuse_ino_t ino) {
    (void)fuse_lowlevel_notify_inval_inode(fs->session, ino, 0, 0);
}

static void *keep_house(void *arg) {
    struct skrfs_fs *fs = arg;
    struct doomed *doomed;
    pthread_mutex_lock(&fs->janitor_lock);
    for (;;) {
        while (SLIST_EMPTY(&fs->doomed) && !fs->janitor_stop)
            pthread_cond_wait(&fs->janitor_work, &fs->janitor_lock);
        doomed = SLIST_FIRST(&fs->doomed);
        if (!doomed)
            break;
        SLIST_REMOVE_HEAD(&fs->doomed, links);
        pthread_mutex_unlock(&fs->janitor_lock);
        drop(fs, doomed->ino);
        free(doomed);
        pthread_mutex_lock(&fs->janitor_lock);
    }
    pthread_mutex_unlock(&fs->janitor_lock);
    return NULL;
}

int janitor_start(struct skrfs_fs *fs, struct skrfs_error *err) {
    if (device_thread(&fs->janitor, keep_house, fs, err))
        return -1;
    fs->has_janitor = true;
    return 0;
}

void janitor_end(struct skrfs_fs *fs) {
    if (!fs->has_janitor)
        return;
    pthread_mutex_lock(&fs->janitor_lock);
    fs->janitor_stop = true;
    pthread_cond_signal(&fs->janitor_work);
    pthread_mutex_unlock(&fs->janitor_lock);
    (void)pthread_join(fs->janitor, NULL);
    fs->has_janitor = false;
}

static bool hand_over(struct skrfs_fs *fs, fuse_ino_t ino) {
    struct doomed *doomed = malloc(sizeof *doomed);
    if (!doomed)
        return false;
    doomed->ino = ino;
    pthread_mutex_lock(&fs->janitor_lock);
    SLIST_INSERT_HEAD(&fs->doomed, doomed, links);
    pthread_cond_signal(&fs->janitor_work);
    pthread_mutex_unlock(&fs->janitor_lock);
    return true;
}

void janitor_drop_pages(struct skrfs_fs *fs, fuse_ino_t ino) {
    if (atomic_fetch_add(&fs->dropping, 1) + 1 < fs->threads || !hand_over(fs, ino))
        drop(fs, ino);
    atomic_fetch_sub(&fs->dropping, 1);
}

static void drop_files(struct skrfs_fs *fs, size_t key) {
    janitor_drop_pages(fs, node_ino(fs, NODE_KEY, key, 0));
    for (int format = 0; format < SKRFS_FORMAT_COUNT; format++)
        janitor_drop_pages(fs, node_ino(fs, NODE_FORMAT, key, (enum skrfs_format)format));
}

void janitor_drop_key(struct skrfs_fs *fs, size_t key) {
    fuse_ino_t ino;
    for (size_t i = 0; i < fs->options.key_count; i++)
        if (key == SIZE_MAX || key == i)
            drop_files(fs, i);
    for (size_t i = 0; i < FS_VERSIONS; i++)
        if (versions_ino(fs, i, key, &ino))
            janitor_drop_pages(fs, ino);
}
