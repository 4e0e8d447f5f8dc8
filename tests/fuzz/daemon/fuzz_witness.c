/* The witness and the keeper, with somebody between them who changes what they say: a witness that
 * was taken over, and a keeper. The input is the facts that are asked for, then changes, four
 * octets each: whose words (bit 0; with bit 1 they are cut at the place), the place in two octets,
 * the exclusive or. */
#include <skrfs/base/log.h>
#include <skrfs/caller/caller.h>
#include <skrfs/daemon/process.h>

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TESTIMONY = 0, QUESTION = 1, CUT = 2, WORDS_MAX = 64 * 1024 };

static uint8_t words[WORDS_MAX];

struct asking {
    int fd;
    unsigned facts;
    struct skrfs_caller caller;
};

static void *ask(void *context) {
    struct asking *asking = context;
    struct skrfs_error err;
    struct skrfs_witness *witness = NULL;
    if (skrfs_witness_new(asking->fd, &witness, &err) < 0)
        abort();
    skrfs_witness_describe(witness, asking->facts, &asking->caller);
    skrfs_witness_free(witness);
    return NULL;
}

static void *testify(void *context) {
    struct skrfs_error err;
    int fd = *(const int *)context;
    static const char *const paths[] = {"/bin/sh"};
    SKRFS_CLEANUP(skrfs_describer_free_p) struct skrfs_describer *describer = NULL;
    if (skrfs_describer_new(paths, 1, 0, &describer, &err) < 0)
        abort();
    (void)!skrfs_witness_serve(fd, describer, NULL, &err);
    close(fd);
    return NULL;
}

static size_t change(unsigned whose, size_t len, const uint8_t *data, size_t size) {
    for (size_t i = 0; i + 3 < size; i += 4) {
        size_t at = data[i + 1] | (size_t)data[i + 2] << 8;
        if ((data[i] & 1) != whose || at >= len)
            continue;
        words[at] ^= data[i + 3];
        if (data[i] & CUT)
            len = at;
    }
    return len;
}

/* Hands on what comes from one, changed; false when nothing came. */
static bool hand_on(int from, int to, unsigned whose, const uint8_t *data, size_t size) {
    ssize_t len = recv(from, words, sizeof(words), 0);
    if (len <= 0)
        return false;
    size_t left = change(whose, (size_t)len, data, size);
    return left > 0 && send(to, words, left, MSG_NOSIGNAL) >= 0;
}

static void check(const struct skrfs_caller *caller, unsigned facts) {
    if (caller->known & ~facts)
        abort(); /* believed of what was not asked */
    if (caller->known & SKRFS_FACT_GROUPS && caller->group_count > SKRFS_GROUPS_MAX)
        abort();
    if ((caller->known & SKRFS_FACT_EXE && !memchr(caller->exe, 0, sizeof(caller->exe))) ||
            !memchr(caller->cgroup, 0, sizeof(caller->cgroup)) ||
            !memchr(caller->label, 0, sizeof(caller->label)))
        abort();
    char text[512];
    skrfs_caller_print(caller, text, sizeof(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int keeper[2], witness[2];
    pthread_t asker, witnesser;
    if (size < 1)
        return 0;
    skrfs_log_set_level(SKRFS_LOG_ERROR);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, keeper) < 0 ||
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, witness) < 0)
        abort();
    struct asking asking = {.fd = keeper[1],
            .facts = data[0] & SKRFS_FACTS_ALL,
            .caller = {.uid = geteuid(), .gid = getegid(), .pid = getpid()}};
    if (pthread_create(&asker, NULL, ask, &asking) != 0 ||
            pthread_create(&witnesser, NULL, testify, &witness[1]) != 0)
        abort();
    if (hand_on(keeper[0], witness[0], QUESTION, data + 1, size - 1))
        (void)hand_on(witness[0], keeper[0], TESTIMONY, data + 1, size - 1);
    close(witness[0]);
    (void)shutdown(keeper[0], SHUT_WR);
    (void)pthread_join(asker, NULL);
    (void)pthread_join(witnesser, NULL);
    close(keeper[0]);
    check(&asking.caller, asking.facts);
    return 0;
}
