/* Reads a file in one of the ways in which programs read, and writes what it got to standard
 * output:
 *
 *     read_ways WAY PATH
 *     read_ways list
 *
 * It ends with 0 when it got all of the file, 3 when the kernel has no such way (said on standard
 * error, with the reason), 1 when reading failed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define ROOM ((size_t)64 * 1024)
#define ABSENT 3

static uint8_t *room; /* page aligned, as O_DIRECT may want */

static int fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return errno == ENOSYS || errno == EPERM ? ABSENT : 1;
}

static int put(const uint8_t *data, size_t len) {
    while (len) {
        ssize_t put = write(STDOUT_FILENO, data, len);
        if (put <= 0)
            return fail("write");
        data += put;
        len -= (size_t)put;
    }
    return 0;
}

static int by_read(int fd, size_t len) {
    size_t got = 0;
    (void)len;
    for (ssize_t more; (more = read(fd, room + got, ROOM - got)) != 0; got += (size_t)more)
        if (more < 0)
            return fail("read");
    return put(room, got);
}

static int by_pread(int fd, size_t len) {
    for (size_t at = 0; at < len; at += 50)
        if (pread(fd, room + at, 50, (off_t)at) <= 0)
            return fail("pread");
    return put(room, len);
}

static int by_readv(int fd, size_t len) {
    struct iovec parts[] = {{room, 7}, {room + 7, 100}, {room + 107, ROOM - 107}};
    ssize_t got = readv(fd, parts, 3);
    return got == (ssize_t)len ? put(room, len) : fail("readv");
}

/* Cached pages would be taken without waiting; there are none. */
static int by_preadv2(int fd, size_t len) {
    struct iovec part = {room, ROOM};
    ssize_t got = preadv2(fd, &part, 1, 0, RWF_HIPRI);
    if (got < 0 && errno == EOPNOTSUPP)
        got = preadv2(fd, &part, 1, 0, 0);
    return got == (ssize_t)len ? put(room, len) : fail("preadv2");
}

static int drain(int pipe_end, size_t len) {
    size_t got = 0;
    while (got < len) {
        ssize_t more = read(pipe_end, room + got, ROOM - got);
        if (more <= 0)
            return fail("read from the pipe");
        got += (size_t)more;
    }
    return put(room, got);
}

static int by_splice(int fd, size_t len) {
    int ends[2];
    if (pipe(ends) < 0 || splice(fd, NULL, ends[1], NULL, ROOM, 0) != (ssize_t)len)
        return fail("splice");
    return drain(ends[0], len);
}

static int by_tee(int fd, size_t len) {
    int ends[2], others[2];
    if (pipe(ends) < 0 || pipe(others) < 0 ||
            splice(fd, NULL, ends[1], NULL, ROOM, 0) != (ssize_t)len ||
            tee(ends[0], others[1], ROOM, 0) != (ssize_t)len)
        return fail("tee");
    return drain(others[0], len);
}

static int by_vmsplice(int fd, size_t len) {
    int ends[2];
    struct iovec part = {room, len};
    if (pipe(ends) < 0 || read(fd, room, ROOM) != (ssize_t)len ||
            vmsplice(ends[1], &part, 1, 0) != (ssize_t)len)
        return fail("vmsplice");
    uint8_t *copy = malloc(ROOM);
    ssize_t got = copy ? read(ends[0], copy, ROOM) : -1;
    return got == (ssize_t)len ? put(copy, len) : fail("read from the pipe");
}

static int by_sendfile(int fd, size_t len) {
    int ends[2];
    if (pipe(ends) < 0 || sendfile(ends[1], fd, NULL, ROOM) != (ssize_t)len)
        return fail("sendfile");
    return drain(ends[0], len);
}

static int map(int fd, size_t len, int flags) {
    const uint8_t *pages = mmap(NULL, len, PROT_READ, flags, fd, 0);
    return pages == MAP_FAILED ? fail("mmap") : put(pages, len);
}

static int by_mmap(int fd, size_t len) {
    return map(fd, len, MAP_PRIVATE);
}

static int by_populate(int fd, size_t len) {
    return map(fd, len, MAP_PRIVATE | MAP_POPULATE);
}

/* Direct I/O has no shared mappings; where a kernel gives one all the same it counts as a way. */
static int by_mmap_shared(int fd, size_t len) {
    const uint8_t *pages = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
    if (pages == MAP_FAILED)
        return errno == ENODEV ? by_read(fd, len) : fail("mmap");
    return put(pages, len);
}

/* Written to and locked: a private mapping of the reader's own. */
static int by_mmap_written(int fd, size_t len) {
    uint8_t *pages = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (pages == MAP_FAILED || mlock(pages, len) < 0)
        return fail("mmap");
    volatile uint8_t *first = pages;
    *first = *first;
    return put(pages, len);
}

static int by_willneed(int fd, size_t len) {
    int failed = posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
    errno = failed;
    return failed ? fail("posix_fadvise") : by_read(fd, len);
}

static int by_readahead(int fd, size_t len) {
    return readahead(fd, 0, ROOM) < 0 && errno != EINVAL ? fail("readahead") : by_read(fd, len);
}

static int by_direct(int fd, size_t len) {
    if (fcntl(fd, F_SETFL, O_DIRECT) < 0)
        return fail("O_DIRECT");
    return by_read(fd, len);
}

static int by_aio(int fd, size_t len) {
    aio_context_t context = 0;
    struct io_event event = {0};
    struct iocb block = {.aio_lio_opcode = IOCB_CMD_PREAD,
            .aio_fildes = (uint32_t)fd,
            .aio_buf = (uintptr_t)room,
            .aio_nbytes = ROOM};
    struct iocb *blocks[] = {&block};
    if (syscall(SYS_io_setup, 1, &context) < 0 || syscall(SYS_io_submit, context, 1, blocks) != 1 ||
            syscall(SYS_io_getevents, context, 1, 1, &event, NULL) != 1)
        return fail("aio");
    syscall(SYS_io_destroy, context);
    return event.res == (int64_t)len ? put(room, len) : fail("aio");
}

static uint32_t *at(void *ring, uint32_t offset) {
    return (uint32_t *)((uint8_t *)ring + offset);
}

/* One entry, by hand: io_uring_setup(2) describes the rings. */
static int by_io_uring(int fd, size_t len) {
    struct io_uring_params params = {0};
    int ring = (int)syscall(SYS_io_uring_setup, 1, &params);
    if (ring < 0)
        return fail("io_uring_setup");
    size_t size = 64 * 1024;
    void *submit = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
            IORING_OFF_SQ_RING);
    void *complete = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
            IORING_OFF_CQ_RING);
    struct io_uring_sqe *entry = mmap(NULL, sizeof(*entry), PROT_READ | PROT_WRITE,
            MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
    if (submit == MAP_FAILED || complete == MAP_FAILED || entry == MAP_FAILED)
        return fail("io_uring's rings");
    *entry = (struct io_uring_sqe){
            .opcode = IORING_OP_READ, .fd = fd, .addr = (uintptr_t)room, .len = ROOM};
    *at(submit, params.sq_off.array) = 0;
    __atomic_store_n(at(submit, params.sq_off.tail), 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
        return fail("io_uring_enter");
    const struct io_uring_cqe *done =
            (const struct io_uring_cqe *)((uint8_t *)complete + params.cq_off.cqes);
    errno = done->res < 0 ? -done->res : 0;
    return done->res == (int)len ? put(room, len) : fail("io_uring");
}

/* The kernel has the answer and no place for it. */
static int by_fault(int fd, size_t len) {
    void *nowhere = mmap(NULL, ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (nowhere == MAP_FAILED || read(fd, nowhere, ROOM) != -1 || errno != EFAULT)
        return fail("a read to where nothing can be written");
    return by_read(fd, len);
}

/* Half of it to a page that is there, the rest to one that is not. */
static int by_half_fault(int fd, size_t len) {
    uint8_t *pages =
            mmap(NULL, 2 * ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + ROOM, ROOM, PROT_NONE) < 0)
        return fail("mmap");
    ssize_t got = pread(fd, pages + ROOM - len / 2, len, 0);
    if (got < 0 ? errno != EFAULT : (size_t)got > len / 2)
        return fail("a read to where half of it can be written");
    return by_read(fd, len);
}

static const struct {
    const char *name;
    int (*run)(int fd, size_t len);
} ways[] = {
        {"read", by_read},
        {"pread", by_pread},
        {"readv", by_readv},
        {"preadv2", by_preadv2},
        {"splice", by_splice},
        {"tee", by_tee},
        {"vmsplice", by_vmsplice},
        {"sendfile", by_sendfile},
        {"mmap", by_mmap},
        {"mmap-populate", by_populate},
        {"mmap-shared", by_mmap_shared},
        {"mmap-written", by_mmap_written},
        {"willneed", by_willneed},
        {"readahead", by_readahead},
        {"direct", by_direct},
        {"aio", by_aio},
        {"io_uring", by_io_uring},
        {"fault", by_fault},
        {"half-fault", by_half_fault},
};

static int list(void) {
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
        puts(ways[i].name);
    return 0;
}

static int run(const char *name, const char *path) {
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0)
        return fail(path);
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
        if (strcmp(ways[i].name, name) == 0)
            return ways[i].run(fd, (size_t)status.st_size);
    fprintf(stderr, "no way '%s'\n", name);
    return 2;
}

int main(int argc, char **argv) {
    room = aligned_alloc(4096, ROOM);
    if (argc == 2 && strcmp(argv[1], "list") == 0)
        return list();
    return argc == 3 && room ? run(argv[1], argv[2]) : 2;
}
