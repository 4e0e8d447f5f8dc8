#include "support.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <skrfs/base/cleanup.h>
#include <skrfs/base/file.h>
#include <skrfs/cli/place.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE(point, type) "36 35 0:44 / " point " rw,nosuid shared:1 - " type " skrfs rw\n"

static void mounts_are_found(void **state) {
    (void)state;
    struct skrfs_error err;
    skrfs_automounts mounts = {.count = 0};
    assert_ok(skrfs_mounts_parse(LINE("/", "ext4") LINE("/run/skrfs", "fuse.skrfs") LINE(
                                         "/mnt/a\\040b", "fuse.skrfs")
                                         LINE("/run/skrfs", "fuse.skrfs") LINE("/x", "fuse.skrfsx")
                                                 LINE("/y", "fuse") "broken line\n"
                                                                    " - fuse.skrfs\n",
                      &mounts, &err),
            err);
    assert_int_equal(mounts.count, 2);
    assert_string_equal(mounts.paths[0], "/run/skrfs");
    assert_string_equal(mounts.paths[1], "/mnt/a b");
}

static void one_place_has_one_mount(void **state) {
    (void)state;
    struct skrfs_error err;
    struct skrfs_mounts two = {.paths = {(char *)"/a", (char *)"/b"}, .count = 2};
    assert_ok(skrfs_mounts_miss(&two, "/ab", &err), err);
    assert_fails(skrfs_mounts_miss(&two, "/b", &err), err, SKRFS_CLASS_CONFIG,
            "mounted at '/b' already");
}

static void pick_one(const struct skrfs_mounts *mounts, const char *argument,
        const char *configured, const char *wanted) {
    struct skrfs_error err;
    skrfs_autofree char *path = NULL;
    assert_ok(skrfs_mount_pick(mounts, argument, configured, &path, &err), err);
    assert_string_equal(path, wanted);
}

static void the_mount_meant_is_picked(void **state) {
    (void)state;
    struct skrfs_error err;
    char *path = NULL;
    struct skrfs_mounts none = {.count = 0};
    struct skrfs_mounts two = {.paths = {(char *)"/a", (char *)"/b"}, .count = 2};
    struct skrfs_mounts one = {.paths = {(char *)"/a"}, .count = 1};
    pick_one(&two, "/c", "/b", "/c");
    pick_one(&two, NULL, "/b", "/b");
    pick_one(&one, NULL, "/z", "/a");
    pick_one(&one, NULL, NULL, "/a");
    assert_fails(skrfs_mount_pick(&two, NULL, "/z", &path, &err), err, SKRFS_CLASS_CONFIG,
            "name one of /a, /b");
    assert_fails(skrfs_mount_pick(&none, NULL, "/z", &path, &err), err, SKRFS_CLASS_NOT_FOUND,
            "nothing of type fuse.skrfs");
}

static void only_memory_takes_keys(void **state) {
    (void)state;
    struct skrfs_error err;
    struct skrfs_volume disk = {.type = EXT4_SUPER_MAGIC};
    struct skrfs_volume memory = {.type = TMPFS_MAGIC}, ram = {.type = RAMFS_MAGIC};
    struct skrfs_volume swaps = {.type = TMPFS_MAGIC, .may_swap = true};
    assert_ok(skrfs_volume_check(&memory, "/run/x", false, &err), err);
    assert_ok(skrfs_volume_check(&ram, "/run/x", false, &err), err);
    assert_ok(skrfs_volume_check(&swaps, "/run/x", true, &err), err);
    assert_fails(
            skrfs_volume_check(&swaps, "/run/x", false, &err), err, SKRFS_CLASS_CONFIG, "swap");
    assert_fails(skrfs_volume_check(&disk, "/home/x", false, &err), err, SKRFS_CLASS_CONFIG,
            "'/home/x' is not on tmpfs or ramfs");
    assert_fails(skrfs_volume_check(&disk, "/home/x", true, &err), err, SKRFS_CLASS_CONFIG, "disk");
}

static void looks_at_the_real_thing(void **state) {
    (void)state;
    struct skrfs_error err;
    struct skrfs_volume volume;
    skrfs_autoclose int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(proc >= 0);
    assert_ok(skrfs_volume_look(proc, &volume, &err), err);
    assert_int_equal(volume.type, PROC_SUPER_MAGIC);
    assert_fails(
            skrfs_volume_check(&volume, "/proc", true, &err), err, SKRFS_CLASS_CONFIG, "/proc");
}

static int deliver(int dir_fd, const char *name, const struct skrfs_guard *guard,
        const struct skrfs_secret *secret, struct skrfs_error *err) {
    const struct skrfs_delivery delivery = {
            .dir_fd = dir_fd, .name = name, .guard = guard, .secret = secret};
    return skrfs_deliver_all(&delivery, 1, err);
}

struct folder {
    char path[64];
    int fd;
};

static void folder_open(struct folder *folder) {
    (void)snprintf(folder->path, sizeof(folder->path), "/tmp/skrfs-deliver-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder->fd >= 0);
}

static void folder_close(const struct folder *folder, const char *name) {
    (void)unlinkat(folder->fd, name, 0);
    close(folder->fd);
    assert_int_equal(rmdir(folder->path), 0); /* nothing else was left in it */
}

static void a_key_file_is_whole_and_guarded(void **state) {
    (void)state;
    struct skrfs_error err;
    struct folder folder;
    struct skrfs_guard guard = {.owner = geteuid(), .group = getegid(), .mode = 0440};
    skrfs_autosecret *secret = NULL;
    folder_open(&folder);
    assert_ok(skrfs_secret_copy("not a real key", 14, &secret, &err), err);
    for (int round = 0; round < 2; round++) { /* the second replaces the first */
        assert_ok(deliver(folder.fd, "tls", &guard, secret, &err), err);
        struct stat status;
        assert_int_equal(fstatat(folder.fd, "tls", &status, 0), 0);
        assert_int_equal(status.st_mode & 07777, 0440);
        assert_int_equal(status.st_size, 14);
        assert_int_equal(status.st_uid, geteuid());
    }
    assert_fails(deliver(folder.fd, "../tls", &guard, secret, &err), err, SKRFS_CLASS_CONFIG,
            "no file name");
    assert_fails(deliver(folder.fd, "..", &guard, secret, &err), err, SKRFS_CLASS_CONFIG,
            "no file name");
    folder_close(&folder, "tls");
}

static void a_failed_delivery_leaves_nothing(void **state) {
    (void)state;
    struct skrfs_error err;
    struct folder folder;
    struct skrfs_guard guard = {.owner = geteuid(), .group = getegid(), .mode = 0400};
    skrfs_autosecret *secret = NULL;
    folder_open(&folder);
    assert_ok(skrfs_secret_copy("not a real key", 14, &secret, &err), err);
    assert_int_equal(
            mkdirat(folder.fd, "tls", 0700), 0); /* a folder is in the way of the renaming */
    assert_fails(deliver(folder.fd, "tls", &guard, secret, &err), err, SKRFS_CLASS_SYSTEM,
            "put 'tls' in its place");
    assert_int_equal(unlinkat(folder.fd, "tls", AT_REMOVEDIR), 0);
    folder_close(&folder, "tls");
}

static void all_are_delivered_or_none(void **state) {
    (void)state;
    struct skrfs_error err;
    struct folder folder;
    struct skrfs_guard guard = {.owner = geteuid(), .group = getegid(), .mode = 0400};
    skrfs_autosecret *secret = NULL;
    folder_open(&folder);
    assert_ok(skrfs_secret_copy("not a real key", 14, &secret, &err), err);
    struct skrfs_delivery both[] = {
            {.dir_fd = folder.fd, .name = "a", .guard = &guard, .secret = secret},
            {.dir_fd = folder.fd, .name = "b", .guard = &guard, .secret = secret}};
    assert_int_equal(mkdirat(folder.fd, "b", 0700), 0);
    assert_fails(skrfs_deliver_all(both, 2, &err), err, SKRFS_CLASS_SYSTEM, "put 'b'");
    assert_int_equal(faccessat(folder.fd, "a", F_OK, 0), -1);
    assert_int_equal(unlinkat(folder.fd, "b", AT_REMOVEDIR), 0);
    assert_ok(skrfs_deliver_all(both, 2, &err), err);
    assert_int_equal(unlinkat(folder.fd, "a", 0), 0);
    folder_close(&folder, "b");
}

static void a_vault_is_picked(void **state) {
    (void)state;
    struct skrfs_error err;
    size_t vault = 9;
    struct skrfs_conf_vault vaults[] = {{.name = (char *)"prod"}, {.name = (char *)"hsm"}};
    struct skrfs_conf conf = {.vaults = vaults, .vault_count = 2, .source = (char *)"x.conf"};
    assert_ok(skrfs_vault_pick(&conf, "hsm", &vault, &err), err);
    assert_int_equal(vault, 1);
    assert_fails(skrfs_vault_pick(&conf, NULL, &vault, &err), err, SKRFS_CLASS_CONFIG,
            "x.conf has prod, hsm");
    assert_fails(skrfs_vault_pick(&conf, "test", &vault, &err), err, SKRFS_CLASS_CONFIG,
            "no vault 'test'");
    conf.vault_count = 1;
    assert_ok(skrfs_vault_pick(&conf, NULL, &vault, &err), err);
    assert_int_equal(vault, 0);
    conf.vault_count = 0;
    assert_fails(skrfs_vault_pick(&conf, NULL, &vault, &err), err, SKRFS_CLASS_CONFIG,
            "no [vault NAME]");
}

static void a_key_is_picked(void **state) {
    (void)state;
    struct skrfs_error err;
    size_t key = 9;
    struct skrfs_conf_key keys[] = {{.file = (char *)"tls"}, {.file = (char *)"disk-data"}};
    struct skrfs_conf conf = {.keys = keys, .key_count = 2, .source = (char *)"x.conf"};
    assert_ok(skrfs_key_pick(&conf, "disk-data", &key, &err), err);
    assert_int_equal(key, 1);
    assert_fails(skrfs_key_pick(&conf, "disk-dta", &key, &err), err, SKRFS_CLASS_NOT_FOUND,
            "did you mean 'disk-data'?");
    assert_fails(skrfs_key_pick(&conf, "mail", &key, &err), err, SKRFS_CLASS_NOT_FOUND,
            "no section [key mail] in x.conf");
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(mounts_are_found),
            cmocka_unit_test(one_place_has_one_mount),
            cmocka_unit_test(the_mount_meant_is_picked),
            cmocka_unit_test(only_memory_takes_keys),
            cmocka_unit_test(looks_at_the_real_thing),
            cmocka_unit_test(a_key_file_is_whole_and_guarded),
            cmocka_unit_test(a_failed_delivery_leaves_nothing),
            cmocka_unit_test(all_are_delivered_or_none),
            cmocka_unit_test(a_vault_is_picked),
            cmocka_unit_test(a_key_is_picked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
