#include "internal.h"

#include <poll.h>

/* A file is always ready. But io_uring, before it reads, asks by this whether a read would not
 * wait, and with that one it reads on after a short answer from where it began: without
 * asynchronous direct I/O the kernel moves its position only behind its back (fs/fuse/file.c,
 * fuse_direct_IO). It got a key again and again until its buffer was full. Told that a read would
 * wait it leaves it to a thread of its own, which reads once. Its question is for POLLIN alone
 * (io_uring/rw.c, io_file_supports_nowait, Linux 6.9); poll(2), select(2) and epoll(7) always ask
 * for more. */
void op_poll(
        fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *waiter) {
    const short ready = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
    (void)ino;
    if (waiter)
        fuse_pollhandle_destroy(waiter);
    unsigned wanted = fi->poll_events;
    (void)fuse_reply_poll(req, wanted == POLLIN ? 0 : (unsigned)ready);
}
