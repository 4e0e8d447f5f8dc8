#include "support.h"

#include "../../../src/fs/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct init_request {
    struct fuse_in_header header;
    struct fuse_init_in in;
};

static struct init_request init_of(bool can_resend) {
    struct init_request request = {
            .header = {.len = sizeof request, .opcode = FUSE_INIT, .unique = 2},
            .in = {.major = 7, .minor = can_resend ? 40 : 36, .flags = FUSE_INIT_EXT}};
    if (can_resend)
        request.in.flags2 = 1U << 7;
    return request;
}

static struct skrfs_fs_handover *new_handover(bool can_resend) {
    struct skrfs_fs_handover *handover = NULL;
    struct skrfs_error err;
    struct init_request request = init_of(can_resend);
    assert_ok(skrfs_fs_handover_new(&handover, &err), err);
    handover_save_init(handover, &request, sizeof request);
    return handover;
}

static void begin(struct skrfs_fs_handover *handover, uint32_t opcode, uint64_t unique) {
    struct fuse_in_header header = {.len = sizeof header, .opcode = opcode, .unique = unique};
    handover_begin(handover, &header, sizeof header);
}

/* What an adoption writes to the device. */
static size_t adopt(struct skrfs_fs_handover *handover, bool can_resend,
        struct fuse_out_header *out, size_t max) {
    struct skrfs_error err;
    int ends[2];
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    assert_ok(handover_adopt(handover, ends[1], can_resend, &err), err);
    ssize_t len = read(ends[0], out, max * sizeof *out);
    close(ends[0]);
    close(ends[1]);
    return len > 0 ? (size_t)len / sizeof *out : 0;
}

static void test_init_is_kept(void **state) {
    struct skrfs_fs_handover *handover = NULL;
    struct skrfs_error err;
    struct init_request request = init_of(true), found;
    bool answered = true;
    (void)state;
    assert_ok(skrfs_fs_handover_new(&handover, &err), err);
    assert_int_equal(handover_load_init(handover, &found, sizeof found, &answered), 0);
    handover_save_init(handover, &request, sizeof request);
    assert_int_equal(handover_load_init(handover, &found, sizeof found, &answered), sizeof found);
    assert_memory_equal(&found, &request, sizeof found);
    assert_false(answered);
    handover_init_answered(handover);
    assert_int_equal(handover_load_init(handover, &found, sizeof found, &answered), sizeof found);
    assert_true(answered);
    assert_int_equal(handover_load_init(handover, &found, sizeof found - 1, &answered), 0);
    assert_int_equal(handover_load_init(NULL, &found, sizeof found, &answered), 0);
    skrfs_fs_handover_free(handover);
}

static void test_who_can_resend(void **state) {
    struct init_request request = init_of(true);
    (void)state;
    assert_true(handover_can_resend(&request, sizeof request));
    assert_false(handover_can_resend(&request, sizeof request - 1));
    request.in.flags = 0;
    assert_false(handover_can_resend(&request, sizeof request));
    request = init_of(false);
    assert_false(handover_can_resend(&request, sizeof request));
}

static void test_new_kernel_sends_again(void **state) {
    struct skrfs_fs_handover *handover = new_handover(true);
    struct fuse_out_header out[8];
    (void)state;
    begin(handover, FUSE_OPEN, 4);
    assert_int_equal(adopt(handover, true, out, 8), 1);
    assert_int_equal(out[0].len, sizeof out[0]);
    assert_int_equal(out[0].error, 7);
    assert_int_equal(out[0].unique, 0);
    skrfs_fs_handover_free(handover);
}

static void test_old_kernel_gets_answers(void **state) {
    struct skrfs_fs_handover *handover = new_handover(false);
    struct fuse_out_header out[8];
    (void)state;
    begin(handover, FUSE_OPEN, 4);
    begin(handover, FUSE_READ, 6);
    begin(handover, FUSE_GETATTR, 8);
    begin(handover, FUSE_FORGET, 10);
    begin(handover, FUSE_BATCH_FORGET, 12);
    begin(handover, FUSE_INTERRUPT, 5);
    handover_end(handover, 6);
    handover_end(handover, 600);
    assert_int_equal(adopt(handover, false, out, 8), 2);
    assert_int_equal(out[0].unique, 4);
    assert_int_equal(out[0].error, -EAGAIN);
    assert_int_equal(out[1].unique, 8);
    assert_int_equal(out[1].error, -EIO);
    assert_int_equal(adopt(handover, false, out, 8), 0);
    skrfs_fs_handover_free(handover);
}

/* Two that fall on the same place, and a table that is full: none is mixed up with another. */
static void test_crowded(void **state) {
    struct skrfs_fs_handover *handover = new_handover(false);
    static struct fuse_out_header out[16];
    (void)state;
    begin(handover, FUSE_READ, 4);
    begin(handover, FUSE_OPEN, 4 + 2 * HANDOVER_SLOTS);
    handover_end(handover, 4);
    handover_end(handover, 4 + 4 * HANDOVER_SLOTS);
    assert_int_equal(adopt(handover, false, out, 16), 1);
    assert_int_equal(out[0].unique, 4 + 2 * HANDOVER_SLOTS);
    for (uint64_t i = 0; i < HANDOVER_SLOTS + 3; i++)
        begin(handover, FUSE_READ, 2 * i + 2);
    for (uint64_t i = 0; i < HANDOVER_SLOTS + 3; i++)
        handover_end(handover, 2 * i + 2);
    assert_int_equal(adopt(handover, false, out, 16), 0);
    skrfs_fs_handover_free(handover);
}

static void test_handles(void **state) {
    struct handles handles = {0}, other = {0};
    struct skrfs_error err;
    uint64_t numbers[200], again;
    (void)state;
    assert_ok(handles_init(&handles, &err), err);
    assert_ok(handles_init(&other, &err), err);
    for (size_t i = 0; i < 200; i++) {
        struct node node = {.key = i};
        struct handle *handle = handle_new(&node);
        assert_int_equal(handle_add(&handles, handle, &numbers[i]), 0);
    }
    for (size_t i = 0; i < 200; i++) {
        struct handle *handle = handle_get(&handles, numbers[i]);
        assert_int_equal(handle->node.key, i);
        handle_unref(handle);
        assert_null(handle_get(&other, numbers[i]));
    }
    assert_null(handle_get(&handles, numbers[0] + 200));
    assert_null(handle_get(&handles, numbers[0] ^ UINT64_C(1) << 40));
    for (size_t i = 0; i < 200; i += 3) {
        handle_unref(handle_take(&handles, numbers[i]));
        assert_null(handle_get(&handles, numbers[i]));
        assert_null(handle_take(&handles, numbers[i]));
    }
    struct handle *handle = handle_new(&(struct node){0});
    assert_int_equal(handle_add(&handles, handle, &again), 0);
    assert_ptr_equal(handle_get(&handles, again), handle);
    handle_unref(handle);
    assert_int_equal(again & UINT32_MAX, 198);
    handles_done(&handles);
    handles_done(&other);
}

/* A parent that comes after has the descriptor alone. */
static void test_pages_outlive_their_parent(void **state) {
    struct skrfs_fs_handover *first = NULL, *second = NULL;
    struct skrfs_error err;
    struct init_request request = init_of(false), found;
    bool answered = false;
    dev_t below = 0;
    int fd = -1;
    (void)state;
    assert_ok(skrfs_fs_handover_create(makedev(7, 9), &fd, &err), err);
    assert_ok(skrfs_fs_handover_open(fd, &first, &below, &err), err);
    assert_int_equal(below, makedev(7, 9));
    handover_save_init(first, &request, sizeof request);
    begin(first, FUSE_OPEN, 44);
    skrfs_fs_handover_free(first);
    assert_ok(skrfs_fs_handover_open(fd, &second, &below, &err), err);
    close(fd);
    assert_int_equal(handover_load_init(second, &found, sizeof found, &answered), sizeof found);
    assert_memory_equal(&found, &request, sizeof found);
    struct fuse_out_header out[4];
    assert_int_equal(adopt(second, false, out, 4), 1);
    assert_int_equal(out[0].unique, 44);
    assert_int_equal(out[0].error, -EAGAIN);
    skrfs_fs_handover_free(second);
}

static void refuse_pages(int fd, const char *why) {
    struct skrfs_fs_handover *handover = NULL;
    struct skrfs_error err;
    dev_t below;
    assert_fails(skrfs_fs_handover_open(fd, &handover, &below, &err), err, SKRFS_CLASS_CONFIG, why);
    assert_null(handover);
    close(fd);
}

static void test_only_such_pages(void **state) {
    struct skrfs_error err;
    struct stat attr;
    int fd = -1;
    (void)state;
    assert_ok(skrfs_fs_handover_create(0, &fd, &err), err);
    assert_int_equal(fstat(fd, &attr), 0);
    /* Whoever maps it is safe from SIGBUS. */
    assert_int_equal(ftruncate(fd, attr.st_size - 1), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, attr.st_size + 4096), -1);
    assert_int_equal(pwrite(fd, "x", 1, 0), 1);
    refuse_pages(fd, "another version");
    fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, attr.st_size), 0);
    refuse_pages(fd, "something else");
    fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, attr.st_size + 1), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    refuse_pages(fd, "something else");
    refuse_pages(open("/dev/null", O_RDWR | O_CLOEXEC), "something else");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_init_is_kept),
            cmocka_unit_test(test_pages_outlive_their_parent),
            cmocka_unit_test(test_only_such_pages),
            cmocka_unit_test(test_who_can_resend),
            cmocka_unit_test(test_new_kernel_sends_again),
            cmocka_unit_test(test_old_kernel_gets_answers),
            cmocka_unit_test(test_crowded),
            cmocka_unit_test(test_handles),
    };
    return cmocka_run_group_tests_name("handover and handles", tests, NULL, NULL);
}
