/* Tries to get at a key in the ways there are, as whoever it was started as. Reads lines "WAY PATH"
 * or "WAY fd:N" and answers each with "0" or the name of the error:
 *
 *   open read pread mmap sendfile splice aio io_uring stat access o_path reopen
 *   send N      hands descriptor N to whoever is behind descriptor 3
 *   take        receives one from there: answers "fd:M"
 *   steal P N   takes descriptor N of process P (pidfd_getfd): answers "fd:M"
 *   keep PATH   opens and keeps: answers "fd:M"
 *   exec PROGRAM N   becomes that program, with descriptor N kept open
 *   thread      from now on each way is tried by a thread of its own
 *   alone U G S the same, after that thread alone became user U, group G with supplementary group S
 *   traced      has its parent trace it
 *   quit */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROOM 65536
#define CHANNEL 3

static char room[ROOM];

/* 0, or the errno of what failed. */
static int result(bool good) {
    return good ? 0 : errno;
}

static int by_read(int fd) {
    return result(read(fd, room, ROOM) > 0);
}

static int by_pread(int fd) {
    return result(pread(fd, room, ROOM, 0) > 0);
}

static _Thread_local sigjmp_buf fault;

static void on_fault(int number) {
    (void)number;
    siglongjmp(fault, 1);
}

/* A page that cannot be had is a bus error; why is not told. */
static int by_mmap(int fd) {
    const volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    int rc = 0;
    if (page == MAP_FAILED)
        return errno;
    signal(SIGBUS, on_fault);
    if (sigsetjmp(fault, 1))
        rc = EFAULT;
    else
        room[0] = page[0];
    munmap((void *)(uintptr_t)page, 4096);
    return rc;
}

static int by_sendfile(int fd) {
    int ends[2];
    if (pipe(ends))
        return errno;
    off_t from = 0;
    int rc = result(sendfile(ends[1], fd, &from, ROOM) > 0);
    close(ends[0]);
    close(ends[1]);
    return rc;
}

static int by_splice(int fd) {
    int ends[2];
    if (pipe(ends))
        return errno;
    off_t from = 0;
    int rc = result(splice(fd, &from, ends[1], NULL, ROOM, 0) > 0);
    close(ends[0]);
    close(ends[1]);
    return rc;
}

static int by_aio(int fd) {
    aio_context_t context = 0;
    struct io_event event = {0};
    struct iocb block = {.aio_lio_opcode = IOCB_CMD_PREAD,
            .aio_fildes = (uint32_t)fd,
            .aio_buf = (uintptr_t)room,
            .aio_nbytes = ROOM};
    struct iocb *blocks[] = {&block};
    if (syscall(SYS_io_setup, 1, &context))
        return errno;
    int rc = syscall(SYS_io_submit, context, 1, blocks) == 1 ? 0 : errno;
    if (rc == 0 && syscall(SYS_io_getevents, context, 1, 1, &event, NULL) == 1)
        rc = event.res > 0 ? 0 : (int)-event.res;
    syscall(SYS_io_destroy, context);
    return rc;
}

static uint32_t *at(void *ring, uint32_t offset) {
    return (uint32_t *)(void *)((uint8_t *)ring + offset);
}

static int submit(int ring, const struct io_uring_params *params, int fd) {
    const size_t size = 64 * 1024;
    void *queue = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    void *done = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
    struct io_uring_sqe *entry =
            mmap(NULL, sizeof *entry, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    if (queue == MAP_FAILED || done == MAP_FAILED || entry == MAP_FAILED)
        return errno;
    *entry = (struct io_uring_sqe){
            .opcode = IORING_OP_READ, .fd = fd, .addr = (uintptr_t)room, .len = ROOM};
    uint32_t tail = *at(queue, params->sq_off.tail), seen = *at(done, params->cq_off.head);
    *at(queue, params->sq_off.array) = 0;
    __atomic_store_n(at(queue, params->sq_off.tail), tail + 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
        return errno;
    const struct io_uring_cqe *answers = (const void *)((uint8_t *)done + params->cq_off.cqes);
    const struct io_uring_cqe *answer = &answers[seen & *at(done, params->cq_off.ring_mask)];
    int rc = answer->res > 0 ? 0 : -answer->res;
    __atomic_store_n(at(done, params->cq_off.head), seen + 1, __ATOMIC_RELEASE);
    munmap(queue, size);
    munmap(done, size);
    munmap(entry, sizeof *entry);
    return rc;
}

/* The ring of a thread is never closed: the kernel would wake the thread for its end some time
 * later, which interrupts whatever it waits in. */
static int by_io_uring(int fd) {
    static _Thread_local struct io_uring_params params;
    static _Thread_local int ring = -1;
    if (ring < 0)
        ring = (int)syscall(SYS_io_uring_setup, 1, &params);
    return ring < 0 ? errno : submit(ring, &params, fd);
}

static int by_open(int fd) {
    return result(fd >= 0);
}

static int by_reopen(int fd) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = open(path, O_RDONLY | O_CLOEXEC);
    int rc = result(again >= 0);
    if (again >= 0)
        close(again);
    return rc;
}

static const struct {
    const char *name;
    int (*run)(int fd);
} ways[] = {{"open", by_open}, {"read", by_read}, {"pread", by_pread}, {"mmap", by_mmap},
        {"sendfile", by_sendfile}, {"splice", by_splice}, {"aio", by_aio},
        {"io_uring", by_io_uring}, {"reopen", by_reopen}};

static int by_path(const char *way, const char *path) {
    struct stat status;
    if (!strcmp(way, "stat"))
        return result(stat(path, &status) == 0);
    if (!strcmp(way, "access"))
        return result(access(path, R_OK) == 0);
    int fd = open(path, O_PATH | O_CLOEXEC);
    int rc = result(fd >= 0);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int run(const char *way, const char *what) {
    bool passed = !strncmp(what, "fd:", 3);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        if (strcmp(ways[i].name, way) != 0)
            continue;
        int fd = passed ? (int)strtol(what + 3, NULL, 10) : open(what, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return errno;
        int rc = ways[i].run(fd);
        if (!passed)
            close(fd);
        return rc;
    }
    return by_path(way, what);
}

struct job {
    const char *way, *what;
    unsigned ids[3];
    bool alone;
    int rc;
};

static void *work(void *arg) {
    struct job *job = arg;
    gid_t group = job->ids[2];
    if (job->alone && (syscall(SYS_setgroups, 1, &group) ||
                              syscall(SYS_setresgid, job->ids[1], job->ids[1], job->ids[1]) ||
                              syscall(SYS_setresuid, job->ids[0], job->ids[0], job->ids[0])))
        job->rc = errno;
    else
        job->rc = run(job->way, job->what);
    return NULL;
}

static int in_thread(struct job *job) {
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, work, job);
    if (rc)
        return rc;
    pthread_join(thread, NULL);
    return job->rc;
}

static int send_fd(int fd) {
    char space[CMSG_SPACE(sizeof fd)] = {0}, byte = 0;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
            .msg_iovlen = 1,
            .msg_control = space,
            .msg_controllen = sizeof space};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
    return result(sendmsg(CHANNEL, &message, 0) == 1);
}

static int take_fd(void) {
    char space[CMSG_SPACE(sizeof(int))] = {0}, byte;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
            .msg_iovlen = 1,
            .msg_control = space,
            .msg_controllen = sizeof space};
    int fd = -1;
    if (recvmsg(CHANNEL, &message, 0) == 1 && CMSG_FIRSTHDR(&message))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
}

static int steal(pid_t pid, int number) {
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    return pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
}

static void say_fd(int fd) {
    if (fd < 0)
        printf("%s\n", strerrorname_np(errno));
    else
        printf("fd:%d\n", fd);
}

static void become(const char *program, int fd) {
    fcntl(fd, F_SETFD, 0);
    fflush(stdout);
    execl(program, program, NULL);
}

int main(void) {
    char line[4096], way[32], what[3900];
    struct job mode = {0};
    bool threads = false;
    setvbuf(stdin, NULL, _IONBF, 0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("ready %d\n", (int)getpid());
    while (fgets(line, sizeof line, stdin)) {
        int number = 0, rc = 0;
        what[0] = 0;
        if (sscanf(line, "%31s %3899s %d", way, what, &number) < 1 || !strcmp(way, "quit"))
            break;
        if (!strcmp(way, "keep") || !strcmp(way, "take") || !strcmp(way, "steal")) {
            say_fd(!strcmp(way, "keep")    ? open(what, O_RDONLY | O_CLOEXEC)
                    : !strcmp(way, "take") ? take_fd()
                                           : steal((pid_t)strtol(what, NULL, 10), number));
            continue;
        }
        if (!strcmp(way, "exec"))
            become(what, number);
        if (!strcmp(way, "send"))
            rc = send_fd((int)strtol(what, NULL, 10));
        else if (!strcmp(way, "traced"))
            rc = result(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
        else if (!strcmp(way, "thread"))
            threads = true;
        else if (!strcmp(way, "alone"))
            threads = mode.alone =
                    sscanf(line, "%*s %u %u %u", &mode.ids[0], &mode.ids[1], &mode.ids[2]) == 3;
        else {
            mode.way = way;
            mode.what = what;
            rc = threads ? in_thread(&mode) : run(way, what);
        }
        printf("%s\n", rc ? strerrorname_np(rc) : "0");
    }
    return 0;
}
