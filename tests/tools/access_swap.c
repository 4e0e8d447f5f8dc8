/* access_swap aio|direct|io_uring|fault FD PROGRAM: begins to read a descriptor that was handed to
 * it, in a way that may not wait, and becomes PROGRAM, which may read it, before anybody looks who
 * asked. Another process shares the memory that the answer goes to: asked by a packet on descriptor
 * 3, it says "leaked" or "nothing" there. */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROOM 4096
#define STACK ((size_t)256 * 1024)
#define CHANNEL 3

static volatile uint8_t *room; /* all zero until something is read into it */
static const char *program;
static sigjmp_buf no_page;

static void on_fault(int number) {
    (void)number;
    siglongjmp(no_page, 1);
}

static int is_filled(void) {
    if (sigsetjmp(no_page, 1))
        return 0;
    for (size_t i = 0; i < ROOM; i++)
        if (room[i])
            return 1;
    return 0;
}

/* Shares the memory, not the descriptors. */
static int accomplice(void *arg) {
    char question;
    (void)arg;
    signal(SIGBUS, on_fault);
    while (recv(CHANNEL, &question, 1, 0) == 1) {
        const char *word = is_filled() ? "leaked" : "nothing";
        (void)send(CHANNEL, word, strlen(word), 0);
    }
    _exit(0);
}

static void become(int number) {
    (void)number;
    execl(program, program, NULL);
    _exit(2);
}

static void by_aio(int fd) {
    static aio_context_t context;
    static struct iocb block;
    struct iocb *blocks[] = {&block};
    block = (struct iocb){.aio_lio_opcode = IOCB_CMD_PREAD,
            .aio_fildes = (uint32_t)fd,
            .aio_buf = (uintptr_t)room,
            .aio_nbytes = ROOM};
    if (syscall(SYS_io_setup, 1, &context) || syscall(SYS_io_submit, context, 1, blocks) != 1)
        perror("aio");
}

static void by_direct(int fd) {
    if (fcntl(fd, F_SETFL, O_DIRECT))
        perror("O_DIRECT");
    by_aio(fd);
}

static void by_io_uring(int fd) {
    struct io_uring_params params = {0};
    int ring = (int)syscall(SYS_io_uring_setup, 1, &params);
    const int all = PROT_READ | PROT_WRITE;
    uint8_t *queue = mmap(NULL, 65536, all, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    struct io_uring_sqe *entry = mmap(NULL, sizeof *entry, all, MAP_SHARED, ring, IORING_OFF_SQES);
    if (ring < 0 || queue == MAP_FAILED || entry == MAP_FAILED) {
        perror("io_uring");
        return;
    }
    *entry = (struct io_uring_sqe){
            .opcode = IORING_OP_READ, .fd = fd, .addr = (uintptr_t)room, .len = ROOM};
    __atomic_store_n((uint32_t *)(void *)(queue + params.sq_off.tail), 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 0, 0, NULL, 0) != 1)
        perror("io_uring_enter");
}

/* Whoever touches the page is called away from it by a signal, if he can be. */
static void by_fault(int fd) {
    room = mmap(NULL, ROOM, PROT_READ, MAP_PRIVATE, fd, 0);
    if (room == MAP_FAILED)
        _exit(2);
    signal(SIGALRM, become);
    signal(SIGBUS, become);
    ualarm(100000, 0);
    (void)room[0];
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*begin)(int fd);
    } ways[] = {
            {"aio", by_aio}, {"direct", by_direct}, {"io_uring", by_io_uring}, {"fault", by_fault}};
    const int all = PROT_READ | PROT_WRITE, kind = MAP_PRIVATE | MAP_ANONYMOUS;
    if (argc != 4)
        return 2;
    program = argv[3];
    room = mmap(NULL, ROOM, all, kind, -1, 0);
    char *stack = mmap(NULL, STACK, all, kind, -1, 0);
    if (room == MAP_FAILED || stack == MAP_FAILED)
        return 2;
    int fd = (int)strtol(argv[2], NULL, 10);
    if (clone(accomplice, stack + STACK, CLONE_VM | SIGCHLD, NULL) < 0)
        return 2;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (!strcmp(ways[i].name, argv[1]))
            ways[i].begin(fd);
    become(0);
}
