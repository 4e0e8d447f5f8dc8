#include "internal.h"

#include <fcntl.h>
#include <skrfs/base/cleanup.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void op_init(void *userdata, struct fuse_conn_info *conn) {
    (void)userdata;
    /* No asynchronous reads, of AIO (FUSE_CAP_ASYNC_DIO) or readahead: whoever asks waits, and is
     * still who he was when he is looked at. He could execute an allowed program meanwhile, while
     * another process shares the memory that the answer goes to; poll.c tells what else follows.
     * No splice: it leaves copies of the key in pipe pages. No write-back, no automatic truncation.
     */
    conn->want = conn->capable &
                 (FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO);
    conn->max_write = FS_MAX_WRITE;
    conn->time_gran = 1;
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino) {
    const struct skrfs_fs *fs = fuse_req_userdata(req);
    struct statvfs stat = {.f_bsize = 4096,
            .f_frsize = 4096,
            .f_files = fs->options.key_count - hide_count(fs),
            .f_namemax = 255};
    stat.f_flag = ST_RDONLY;
    (void)ino;
    (void)fuse_reply_statfs(req, &stat);
}

/* All that changes anything, and extended attributes, are left out: libfuse says ENOSYS and the
 * kernel does not ask again. */
static const struct fuse_lowlevel_ops operations = {
        .init = op_init,
        .lookup = op_lookup,
        .getattr = op_getattr,
        .open = op_open,
        .read = op_read,
        .release = op_release,
        .opendir = op_opendir,
        .readdir = op_readdir,
        .readdirplus = op_readdirplus,
        .access = op_access,
        .statfs = op_statfs,
        .ioctl = op_ioctl,
        .poll = op_poll,
};

static const struct fuse_custom_io device_io = {.writev = device_writev, .read = device_read};

/* The session closes its descriptor: it gets a copy, the caller keeps its own. */
static int session_init(struct skrfs_fs *fs, int fd, struct skrfs_error *err) {
    char name[] = "skrfs";
    char *argv[] = {name, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(1, argv);
    skrfs_autoclose int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        return skrfs_fail_errno(err, errno, "copy the FUSE device's descriptor");
    fs->session = fuse_session_new(&args, &operations, sizeof operations, fs);
    fuse_opt_free_args(&args);
    if (!fs->session)
        return skrfs_fail(err, SKRFS_CLASS_NO_MEMORY, "libfuse could not make a session");
    int rc = fuse_session_custom_io(fs->session, &device_io, own);
    if (rc)
        return skrfs_fail_errno(err, rc < 0 ? -rc : EINVAL, "give libfuse the device");
    (void)skrfs_take_fd(&own);
    return 0;
}

static int tables_init(struct skrfs_fs *fs, struct skrfs_error *err) {
    size_t count = fs->options.key_count ? fs->options.key_count : 1;
    fs->told_sizes = calloc(count, sizeof *fs->told_sizes);
    fs->why_sizes = calloc(count, sizeof *fs->why_sizes);
    fs->receipt_sizes = calloc(count, sizeof *fs->receipt_sizes);
    if (!fs->told_sizes || !fs->why_sizes || !fs->receipt_sizes)
        return skrfs_fail_memory(err);
    fs->hides = hide_count(fs) != 0;
    if (names_init(fs, err) || versions_init(fs, err) || limits_init(fs, err))
        return -1;
    return handles_init(&fs->handles, err);
}

static unsigned thread_count(const struct skrfs_fs_options *options) {
    if (!options->threads)
        return FS_THREADS_DEFAULT;
    return options->threads < FS_THREADS_MAX ? options->threads : FS_THREADS_MAX;
}

static struct skrfs_fs *fs_alloc(
        const struct skrfs_fs_options *options, struct skrfs_fs_handover *handover) {
    struct skrfs_fs *fs = calloc(1, sizeof *fs);
    if (!fs)
        return NULL;
    fs->options = *options;
    fs->handover = handover;
    fs->threads = thread_count(options);
    (void)clock_gettime(CLOCK_REALTIME, &fs->started);
    TAILQ_INIT(&fs->openings);
    SLIST_INIT(&fs->doomed);
    (void)pthread_mutex_init(&fs->lock, NULL);
    (void)pthread_cond_init(&fs->no_openings, NULL);
    (void)pthread_mutex_init(&fs->janitor_lock, NULL);
    (void)pthread_cond_init(&fs->janitor_work, NULL);
    (void)pthread_mutex_init(&fs->again_lock, NULL);
    (void)pthread_mutex_init(&fs->learning.lock, NULL);
    return fs;
}

int skrfs_fs_new(const struct skrfs_fs_options *options, int fd, struct skrfs_fs_handover *handover,
        struct skrfs_fs **ret_fs, struct skrfs_error *err) {
    struct skrfs_fs *fs = fs_alloc(options, handover);
    if (!fs)
        return skrfs_fail_memory(err);
    if (tables_init(fs, err) || session_init(fs, fd, err)) {
        skrfs_fs_free(fs);
        return -1;
    }
    *ret_fs = fs;
    return 0;
}

int skrfs_fs_serve(struct skrfs_fs *fs, struct skrfs_error *err) {
    if (device_begin(fs, err) || janitor_start(fs, err))
        return -1;
    int rc = clockworks_start(fs, err);
    if (rc == 0)
        rc = device_serve(fs, err);
    clockworks_end(fs);
    janitor_end(fs);
    return rc;
}

void skrfs_fs_free(struct skrfs_fs *fs) {
    if (!fs)
        return;
    openings_end(fs);
    handles_done(&fs->handles);
    again_end(fs);
    learn_end(fs);
    limits_done(fs);
    if (fs->session)
        fuse_session_destroy(fs->session);
    free(fs->told_sizes);
    free(fs->why_sizes);
    free(fs->receipt_sizes);
    free(fs->index);
    free(fs->versions);
    (void)pthread_mutex_destroy(&fs->lock);
    (void)pthread_cond_destroy(&fs->no_openings);
    (void)pthread_mutex_destroy(&fs->janitor_lock);
    (void)pthread_cond_destroy(&fs->janitor_work);
    free(fs);
}

void skrfs_fs_get_stats(struct skrfs_fs *fs, struct skrfs_fs_stats *ret_stats) {
    *ret_stats = (struct skrfs_fs_stats){
            .requests = atomic_load(&fs->requests),
            .opens = atomic_load(&fs->opens),
            .reads = atomic_load(&fs->reads),
            .denied = atomic_load(&fs->denied),
            .failed = atomic_load(&fs->failed),
            .interrupted = atomic_load(&fs->interrupted),
            .reply_failures = atomic_load(&fs->reply_failures),
            .adopted = fs->adopted,
    };
}
