/* What is true of secret memory can be seen from outside: in /proc, in a child, and through the
 * kernel's own reading. Each test that needs a fresh arena runs in a child of its own. */
#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <skrfs/base/secret.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* Runs `body` in a child; its exit status or, negative, the signal that ended it. */
static int in_child(void (*body)(void)) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* In a child cmocka's asserts would jump back into the parent's test. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* The flags of the mapping that an address is in, as /proc/self/smaps has them. */
static bool mapping_has(const void *address, const char *flag) {
    FILE *smaps = fopen("/proc/self/smaps", "re");
    char line[512];
    bool inside = false;
    bool found = false;
    CHECK(smaps);
    while (fgets(line, sizeof(line), smaps)) {
        unsigned long begin;
        unsigned long end;
        if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
            inside = (uintptr_t)address >= begin && (uintptr_t)address < end;
        if (inside && strncmp(line, "VmFlags:", 8) == 0)
            found = strstr(line, flag) != NULL;
    }
    (void)fclose(smaps);
    return found;
}

static void check_memory(bool force_locked) {
    struct skrfs_error err = {0};
    struct skrfs_secret *secret;
    struct skrfs_secret_stats stats;
    CHECK(skrfs_secret_setup(0, force_locked, &err) == 0);
    CHECK(skrfs_secret_copy("key bytes", 9, &secret, &err) == 0);
    const uint8_t *data = skrfs_secret_data(secret);
    CHECK(skrfs_secret_equal(secret, "key bytes", 9));
    CHECK(!skrfs_secret_equal(secret, "key bytez", 9));
    CHECK(!skrfs_secret_equal(secret, "key byte", 8));
    CHECK(mapping_has(data, " lo"));
    CHECK(mapping_has(data, " dd"));
    CHECK(mapping_has(data, " dc"));
    skrfs_secret_get_stats(&stats);
    CHECK(stats.secrets == 1 && stats.used == 9 && stats.arena >= 256 * 1024);
    CHECK(!force_locked || stats.kind == SKRFS_SECRET_LOCKED);
    CHECK(skrfs_secret_setup(0, false, &err) == -1);
    struct skrfs_secret *second = skrfs_secret_ref(secret);
    skrfs_secret_unref(secret);
    CHECK(memcmp(data, "key bytes", 9) == 0);
    skrfs_secret_unref(second);
    for (size_t i = 0; i < 32; i++)
        CHECK(data[i] == 0);
    skrfs_secret_get_stats(&stats);
    CHECK(stats.secrets == 0 && stats.used == 0);
}

static void check_default_memory(void) {
    check_memory(false);
}

static void check_locked_memory(void) {
    check_memory(true);
}

static void secrets_are_locked_undumped_and_wiped(void **state) {
    (void)state;
    assert_int_equal(in_child(check_default_memory), 0);
    assert_int_equal(in_child(check_locked_memory), 0);
}

static void check_hidden(void) {
    struct skrfs_error err = {0};
    struct skrfs_secret *secret;
    struct skrfs_secret_stats stats;
    char copy[9];
    CHECK(skrfs_secret_copy("key bytes", 9, &secret, &err) == 0);
    skrfs_secret_get_stats(&stats);
    if (stats.kind != SKRFS_SECRET_MEMFD)
        _exit(77);
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    CHECK(memory >= 0);
    CHECK(pread(memory, copy, 9, (off_t)(uintptr_t)skrfs_secret_data(secret)) == -1);
}

static void the_kernel_cannot_be_asked_for_them(void **state) {
    (void)state;
    int result = in_child(check_hidden);
    if (result == 77) {
        print_message("skipped: this kernel has no memfd_secret\n");
        skip();
    }
    assert_int_equal(result, 0);
}

static void touch_in_grandchild(void) {
    struct skrfs_error err = {0};
    struct skrfs_secret *secret;
    CHECK(skrfs_secret_copy("key bytes", 9, &secret, &err) == 0);
    int status;
    pid_t child = fork();
    if (child == 0) {
        /* A child has an arena of its own... */
        struct skrfs_secret *own;
        CHECK(skrfs_secret_copy("own", 3, &own, &err) == 0);
        CHECK(skrfs_secret_equal(own, "own", 3));
        skrfs_secret_unref(own);
        /* ...and nothing where its parent's is, unless its own came to lie there. */
        signal(SIGSEGV, SIG_DFL);
        struct rlimit none = {0};
        setrlimit(RLIMIT_CORE, &none);
        _exit(*skrfs_secret_data(secret) == 'k' ? 2 : 3);
    }
    CHECK(waitpid(child, &status, 0) == child);
    bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
    bool sanitized = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    CHECK(died || sanitized || (WIFEXITED(status) && WEXITSTATUS(status) == 3));
}

static void children_do_not_inherit_them(void **state) {
    (void)state;
    assert_int_equal(in_child(touch_in_grandchild), 0);
}

static void overrun(void) {
    struct skrfs_error err = {0};
    struct skrfs_secret *secret;
    struct rlimit none = {0};
    setrlimit(RLIMIT_CORE, &none);
    CHECK(skrfs_secret_new(20, &secret, &err) == 0);
    CHECK(freopen("/dev/null", "we", stderr));
    skrfs_secret_space(secret)[20] ^= 1;
    skrfs_secret_unref(secret);
}

static void writing_past_the_end_ends_the_process(void **state) {
    (void)state;
    assert_int_equal(in_child(overrun), -SIGABRT);
}

/* Without CAP_IPC_LOCK the limit counts for root too. */
static void exhaust(void) {
    struct skrfs_error err = {0};
    struct skrfs_secret *secret;
    struct rlimit limit = {.rlim_cur = 64 * 1024, .rlim_max = 1024 * 1024};
    CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    if (geteuid() == 0)
        CHECK(setresuid(65534, 65534, 65534) == 0);
    int failed = 0;
    size_t count = 0;
    while (!failed && count < 4096) {
        failed = skrfs_secret_new(2048, &secret, &err);
        count += !failed;
    }
    CHECK(failed);
    /* The hard limit is used nearly whole, not the soft one. */
    CHECK(count * 2048 > 700 * 1024);
    CHECK(err.kind == SKRFS_CLASS_NO_MEMORY);
    CHECK(strstr(err.message, "RLIMIT_MEMLOCK is 1024 KiB"));
    skrfs_secret_unref(secret);
    CHECK(skrfs_secret_new(2048, &secret, &err) == 0);
}

static void a_full_limit_is_said_and_never_passed(void **state) {
    (void)state;
    assert_int_equal(in_child(exhaust), 0);
}

static void forbid_locking(void) {
    struct skrfs_error err = {0};
    struct rlimit limit = {0};
    CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    if (geteuid() == 0)
        CHECK(setresuid(65534, 65534, 65534) == 0);
    CHECK(skrfs_secret_setup(0, false, &err) == -1);
    CHECK(err.kind == SKRFS_CLASS_NO_MEMORY && strstr(err.message, "RLIMIT_MEMLOCK is 0 KiB"));
    CHECK(skrfs_secret_setup(0, true, &err) == -1);
    CHECK(err.kind == SKRFS_CLASS_NO_MEMORY && strstr(err.message, "RLIMIT_MEMLOCK is 0 KiB"));
    struct skrfs_stage *stage;
    CHECK(skrfs_stage_new(4096, &stage, &err) == -1);
    CHECK(strstr(err.message, "RLIMIT_MEMLOCK"));
}

static void nothing_is_kept_in_memory_that_is_not_locked(void **state) {
    (void)state;
    assert_int_equal(in_child(forbid_locking), 0);
}

static void they_are_packed(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    enum { COUNT = 1000 };
    static struct skrfs_secret *secrets[COUNT];
    struct skrfs_secret_stats stats;
    for (size_t i = 0; i < COUNT; i++) {
        assert_ok(skrfs_secret_new(2048, &secrets[i], &err), err);
        memset(skrfs_secret_space(secrets[i]), (int)i, 2048);
    }
    skrfs_secret_get_stats(&stats);
    assert_int_equal(stats.secrets, COUNT);
    assert_int_equal(stats.used, COUNT * 2048);
    size_t full = stats.arena;
    assert_true(full <= 4 * 1024 * 1024);
    /* Every other one goes, and what fits takes the gaps. */
    for (size_t i = 0; i < COUNT; i += 2)
        skrfs_secret_unref(secrets[i]);
    for (size_t i = 0; i < COUNT; i += 2)
        assert_ok(skrfs_secret_new(2000, &secrets[i], &err), err);
    for (size_t i = 0; i < COUNT; i++) {
        const uint8_t *data = skrfs_secret_data(secrets[i]);
        assert_int_equal(data[0], i % 2 ? (uint8_t)i : 0);
        assert_int_equal(data[1999], i % 2 ? (uint8_t)i : 0);
        skrfs_secret_unref(secrets[i]);
    }
    skrfs_secret_get_stats(&stats);
    assert_int_equal(stats.arena, full);
    assert_int_equal(stats.secrets, 0);
}

static void lengths_have_limits(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    struct skrfs_secret *secret = NULL;
    assert_fails(skrfs_secret_new(0, &secret, &err), err, SKRFS_CLASS_BAD_ANSWER, "0 octets");
    assert_fails(skrfs_secret_new(SKRFS_SECRET_MAX + 1, &secret, &err), err, SKRFS_CLASS_BAD_ANSWER,
            "65537 octets");
    assert_null(secret);
    assert_ok(skrfs_secret_new(SKRFS_SECRET_MAX, &secret, &err), err);
    skrfs_secret_unref(secret);
    skrfs_secret_unref(NULL);
}

static void shortening_wipes(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autosecret *secret = NULL;
    assert_ok(skrfs_secret_copy("0123456789", 10, &secret, &err), err);
    skrfs_secret_shorten(secret, 4);
    skrfs_secret_shorten(secret, 8);
    assert_int_equal(skrfs_secret_len(secret), 4);
    assert_memory_equal(skrfs_secret_data(secret), "0123\0\0\0\0\0\0", 10);
}

static void *take_and_drop(void *unused) {
    struct skrfs_error err;
    (void)unused;
    for (int i = 0; i < 500; i++) {
        struct skrfs_secret *secret;
        if (skrfs_secret_new(16 + (size_t)(i % 7) * 300, &secret, &err))
            return &lengths_have_limits;
        memset(skrfs_secret_space(secret), i, skrfs_secret_len(secret));
        skrfs_secret_unref(skrfs_secret_ref(secret));
        if (skrfs_secret_data(secret)[skrfs_secret_len(secret) - 1] != (uint8_t)i)
            return &lengths_have_limits;
        skrfs_secret_unref(secret);
    }
    return NULL;
}

static void threads_share_the_arena(void **state) {
    (void)state;
    pthread_t threads[4];
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_drop, NULL), 0);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(threads); i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
    }
}

static void a_stage_holds_one_reply(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autosecret *secret = NULL;
    SKRFS_CLEANUP(skrfs_stage_free_p) struct skrfs_stage *stage = NULL;
    size_t len = 99;
    assert_ok(skrfs_secret_copy("0123456789", 10, &secret, &err), err);
    assert_ok(skrfs_stage_new(6, &stage, &err), err);
    const uint8_t *data = skrfs_stage_fill(stage, secret, 2, 3, &len);
    assert_int_equal(len, 3);
    assert_memory_equal(data, "234\0\0", 5);
    data = skrfs_stage_fill(stage, secret, 0, 100, &len);
    assert_int_equal(len, 6);
    assert_memory_equal(data, "012345", 6);
    data = skrfs_stage_fill(stage, secret, 8, 100, &len);
    assert_int_equal(len, 2);
    assert_memory_equal(data, "89\0\0\0\0", 6);
    (void)skrfs_stage_fill(stage, secret, 10, 1, &len);
    assert_int_equal(len, 0);
    (void)skrfs_stage_fill(stage, secret, UINT64_MAX, 1, &len);
    assert_int_equal(len, 0);
    data = skrfs_stage_fill(stage, secret, 0, 6, &len);
    skrfs_stage_wipe(stage);
    assert_memory_equal(data, "\0\0\0\0\0\0", 6);
}

static void a_stage_can_be_written_from(void **state) {
    (void)state;
    struct skrfs_error err = {0};
    skrfs_autosecret *secret = NULL;
    SKRFS_CLEANUP(skrfs_stage_free_p) struct skrfs_stage *stage = NULL;
    int ends[2];
    size_t len;
    char copy[10];
    assert_ok(skrfs_secret_copy("0123456789", 10, &secret, &err), err);
    assert_ok(skrfs_stage_new(4096, &stage, &err), err);
    const uint8_t *data = skrfs_stage_fill(stage, secret, 0, 10, &len);
    assert_true(mapping_has(data, " lo"));
    assert_true(mapping_has(data, " dd"));
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], data, len), 10);
    assert_int_equal(read(ends[0], copy, 10), 10);
    assert_memory_equal(copy, "0123456789", 10);
    close(ends[0]);
    close(ends[1]);
    assert_fails(skrfs_stage_new(0, &stage, &err), err, SKRFS_CLASS_BUG, "stage of 0");
}

#if defined(__x86_64__)
/* Puts octets into two vector registers, the second of those that only some processors have. */
__attribute__((noinline)) static void fill_registers(const uint8_t *octets, bool many) {
    __asm__ volatile("movdqu (%0), %%xmm7" ::"r"(octets) : "xmm7");
    if (many)
        __asm__ volatile("vmovdqu64 (%0), %%zmm23" ::"r"(octets));
}

__attribute__((noinline)) static void read_registers(uint8_t *octets, bool many) {
    __asm__ volatile("movdqu %%xmm7, (%0)" ::"r"(octets) : "memory");
    if (many)
        __asm__ volatile("vmovdqu64 %%zmm23, (%0)" ::"r"(octets + 64) : "memory");
}

static void registers_are_wiped(void **state) {
    (void)state;
    uint8_t octets[64], before[128] = {0}, after[128] = {0};
    static const uint8_t none[128];
    bool many = __builtin_cpu_supports("avx512f");
    memset(octets, 0x5a, sizeof(octets));
    fill_registers(octets, many);
    read_registers(before, many);
    fill_registers(octets, many);
    skrfs_wipe(octets, sizeof(octets));
    read_registers(after, many);
    assert_int_equal(before[5], 0x5a);
    assert_int_equal(before[127], many ? 0x5a : 0);
    assert_memory_equal(after, none, sizeof(none));
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
#if defined(__x86_64__)
        cmocka_unit_test(registers_are_wiped),
#endif
        cmocka_unit_test(secrets_are_locked_undumped_and_wiped),
        cmocka_unit_test(the_kernel_cannot_be_asked_for_them),
        cmocka_unit_test(children_do_not_inherit_them),
        cmocka_unit_test(writing_past_the_end_ends_the_process),
        cmocka_unit_test(a_full_limit_is_said_and_never_passed),
        cmocka_unit_test(nothing_is_kept_in_memory_that_is_not_locked),
        cmocka_unit_test(they_are_packed),
        cmocka_unit_test(lengths_have_limits),
        cmocka_unit_test(shortening_wipes),
        cmocka_unit_test(threads_share_the_arena),
        cmocka_unit_test(a_stage_holds_one_reply),
        cmocka_unit_test(a_stage_can_be_written_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
