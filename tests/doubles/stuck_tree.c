/* stuck_tree MOUNTPOINT PROGRAM: a file system with one file, `program`, a copy of PROGRAM, that
 * answers until SIGUSR1 and then nothing any more: what a user can mount to have others wait. */
#include "tree.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static atomic_bool stuck;
static int program;

static void get_stuck(int number) {
    (void)number;
    atomic_store(&stuck, true);
}

static void wait_for_ever(void) {
    while (atomic_load(&stuck))
        pause();
}

static int get_attributes(const char *path, struct stat *about, struct fuse_file_info *info) {
    (void)info;
    wait_for_ever();
    if (!strcmp(path, "/"))
        return tree_describe(about, true, 0755);
    if (strcmp(path, "/program") != 0)
        return -ENOENT;
    struct stat real;
    tree_describe(about, false, 0755);
    if (fstat(program, &real))
        return -errno;
    about->st_size = real.st_size;
    return 0;
}

static int open_file(const char *path, struct fuse_file_info *info) {
    (void)path;
    wait_for_ever();
    info->keep_cache = 1;
    return 0;
}

static int read_file(
        const char *path, char *out, size_t len, off_t offset, struct fuse_file_info *info) {
    (void)path;
    (void)info;
    wait_for_ever();
    ssize_t got = pread(program, out, len, offset);
    return got < 0 ? -errno : (int)got;
}

int main(int argc, char **argv) {
    static const struct fuse_operations operations = {
            .init = tree_init, .getattr = get_attributes, .open = open_file, .read = read_file};
    if (argc != 3)
        return 2;
    program = open(argv[2], O_RDONLY | O_CLOEXEC);
    if (program < 0) {
        perror(argv[2]);
        return 1;
    }
    signal(SIGUSR1, get_stuck);
    return tree_serve(argv[1], &operations);
}
