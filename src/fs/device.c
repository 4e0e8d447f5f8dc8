#include "internal.h"

#include <limits.h>
#include <linux/fuse.h>
#include <signal.h>
#include <skrfs/base/cleanup.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/log.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* The loop that reads the device is this project's own, for libfuse's has a buffer of 1 MiB a
 * thread and may splice. Requests carry no secret; answers go through device_writev. */

static size_t iov_len(const struct iovec *iov, int count) {
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += iov[i].iov_len;
    return len;
}

ssize_t device_writev(int fd, struct iovec *iov, int count, void *userdata) {
    struct skrfs_fs *fs = userdata;
    struct fuse_out_header out;
    if (iov[0].iov_len < sizeof out) {
        errno = EINVAL;
        return -1;
    }
    memcpy(&out, iov[0].iov_base, sizeof out);
    /* The kernel had its answer to this one from an earlier keeper. */
    if (fs->swallowed && out.unique == fs->swallowed)
        return (ssize_t)iov_len(iov, count);
    ssize_t rc = writev(fd, iov, count);
    if (out.unique)
        handover_end(fs->handover, out.unique);
    return rc;
}

ssize_t device_read(int fd, void *buf, size_t len, void *userdata) {
    (void)userdata;
    return read(fd, buf, len);
}

/* > 0: a request's octets; 0: the file system is gone; -1: the device failed. */
static ssize_t read_request(const struct skrfs_fs *fs, void *buffer) {
    for (;;) {
        ssize_t len = read(fuse_session_fd(fs->session), buffer, FS_BUFFER);
        if (len > 0)
            return len;
        if (len == 0 || errno == ENODEV)
            return 0;
        /* ENOENT: the request was interrupted while it was handed over. */
        if (errno != EINTR && errno != ENOENT && errno != EAGAIN)
            return -1;
    }
}

static void process(struct skrfs_fs *fs, void *buffer, size_t len) {
    struct fuse_buf request = {.size = len, .mem = buffer, .fd = -1};
    atomic_fetch_add(&fs->requests, 1);
    handover_begin(fs->handover, buffer, len);
    fuse_session_process_buf(fs->session, &request);
}

static void *new_buffer(void) {
    void *buffer = NULL;
    return posix_memalign(&buffer, 4096, FS_BUFFER) ? NULL : buffer;
}

static void serve_requests(struct skrfs_fs *fs, void *buffer) {
    ssize_t len;
    while ((len = read_request(fs, buffer)) > 0)
        process(fs, buffer, (size_t)len);
    if (len < 0)
        atomic_store(&fs->device_errno, errno);
}

static void *read_device(void *arg) {
    struct skrfs_fs *fs = arg;
    skrfs_autofree void *buffer = new_buffer();
    struct skrfs_stage *stage = NULL;
    struct skrfs_error err;
    if (!buffer || skrfs_stage_new(FS_MAX_WRITE, &stage, &err)) {
        skrfs_log_error(
                "a thread that serves readers ends: %s", buffer ? err.message : "out of memory");
        atomic_store(&fs->device_errno, ENOMEM);
        return NULL;
    }
    read_set_stage(stage);
    serve_requests(fs, buffer);
    read_set_stage(NULL);
    skrfs_stage_free(stage);
    return NULL;
}

static bool is_init(const void *request, size_t len) {
    struct fuse_in_header in;
    if (len < sizeof in)
        return false;
    memcpy(&in, request, sizeof in);
    return in.opcode == FUSE_INIT;
}

static int begin_fresh(struct skrfs_fs *fs, void *buffer, struct skrfs_error *err) {
    ssize_t len = read_request(fs, buffer);
    if (len < 0)
        return skrfs_fail_errno(err, errno, "read the FUSE device");
    if (len == 0)
        return skrfs_fail(
                err, SKRFS_CLASS_INTERRUPTED, "the file system was unmounted before it was served");
    if (!is_init(buffer, (size_t)len))
        return skrfs_fail(err, SKRFS_CLASS_BUG,
                "the mount was served by another keeper, and nothing of it was handed over");
    handover_save_init(fs->handover, buffer, (size_t)len);
    process(fs, buffer, (size_t)len);
    handover_init_answered(fs->handover);
    return 0;
}

/* The same octets as the first keeper's, so that libfuse comes to the same result: with a smaller
 * max_write the kernel would refuse its buffer. */
static int begin_replay(
        struct skrfs_fs *fs, void *buffer, size_t len, bool answered, struct skrfs_error *err) {
    struct fuse_in_header in;
    memcpy(&in, buffer, sizeof in);
    fs->adopted = true;
    attr_distrust(fs);
    fs->swallowed = answered ? in.unique : 0;
    process(fs, buffer, len);
    fs->swallowed = 0;
    handover_init_answered(fs->handover);
    return handover_adopt(
            fs->handover, fuse_session_fd(fs->session), handover_can_resend(buffer, len), err);
}

int device_begin(struct skrfs_fs *fs, struct skrfs_error *err) {
    skrfs_autofree void *buffer = new_buffer();
    bool answered = false;
    if (!buffer)
        return skrfs_fail_memory(err);
    size_t len = handover_load_init(fs->handover, buffer, FS_BUFFER, &answered);
    int rc = len ? begin_replay(fs, buffer, len, answered, err) : begin_fresh(fs, buffer, err);
    if (rc)
        return -1;
    if (fuse_session_exited(fs->session))
        return skrfs_fail(err, SKRFS_CLASS_SYSTEM, "this kernel's FUSE protocol is not understood");
    return 0;
}

int device_thread(
        pthread_t *ret_thread, void *(*work)(void *), void *arg, struct skrfs_error *err) {
    pthread_attr_t attr;
    sigset_t all, before;
    size_t stack = FS_STACK < (size_t)PTHREAD_STACK_MIN ? (size_t)PTHREAD_STACK_MIN : FS_STACK;
    int rc = pthread_attr_init(&attr);
    if (rc)
        return skrfs_fail_errno(err, rc, "start a thread");
    (void)pthread_attr_setstacksize(&attr, stack);
    /* A signal frame would put registers, and with them key bytes, on the stack. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(ret_thread, &attr, work, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    return rc ? skrfs_fail_errno(err, rc, "start a thread") : 0;
}

int device_serve(struct skrfs_fs *fs, struct skrfs_error *err) {
    pthread_t threads[FS_THREADS_MAX];
    unsigned started = 0;
    int rc = 0;
    while (started < fs->threads && rc == 0) {
        rc = device_thread(&threads[started], read_device, fs, err);
        started += rc == 0;
    }
    /* Fewer threads than wished for only cost time. */
    if (started)
        rc = 0;
    for (unsigned i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
    if (rc)
        return -1;
    int errnum = atomic_load(&fs->device_errno);
    return errnum ? skrfs_fail_errno(err, errnum, "read the FUSE device") : 0;
}
