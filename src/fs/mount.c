#include "internal.h"

#include <fcntl.h>
#include <skrfs/base/cleanup.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTION_MAX 128

struct mount_wish {
    char source[OPTION_MAX];
    char subtype[OPTION_MAX];
    unsigned long flags;
    bool allow_other;
};

/* What fstab(5) and systemd.mount(5) put in that is not the file system's business, and what always
 * holds. */
static const char *const ignored[] = {"defaults", "auto", "noauto", "nofail", "_netdev", "user",
        "nouser", "users", "owner", "group", "ro", "nosuid", "nodev", "noexec",
        "default_permissions"};

static bool is_ignored(const char *option) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(ignored); i++)
        if (!strcmp(option, ignored[i]))
            return true;
    return !strncmp(option, "x-", 2) || !strncmp(option, "comment=", 8);
}

static int take_name(const char *option, const char *name, char *out, struct skrfs_error *err) {
    if (!*name || strlen(name) >= OPTION_MAX || strpbrk(name, ", \t\\"))
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "mount option '%.64s' wants a plain name", option);
    memcpy(out, name, strlen(name) + 1);
    return 0;
}

static int take_option(const char *option, struct mount_wish *wish, struct skrfs_error *err) {
    if (!*option || is_ignored(option))
        return 0;
    if (!strcmp(option, "allow_other")) {
        wish->allow_other = true;
        return 0;
    }
    if (!strcmp(option, "noatime")) {
        wish->flags |= MS_NOATIME;
        return 0;
    }
    if (!strncmp(option, "fsname=", 7))
        return take_name(option, option + 7, wish->source, err);
    if (!strncmp(option, "subtype=", 8))
        return take_name(option, option + 8, wish->subtype, err);
    if (!strcmp(option, "rw"))
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "mount option 'rw': keys can only be read; leave it out");
    return skrfs_fail(err, SKRFS_CLASS_CONFIG,
            "mount option '%.64s' is not known; known are ro, nosuid, nodev, noexec, noatime, "
            "allow_other, fsname=, "
            "subtype= and what fstab itself understands",
            option);
}

static int parse_options(const char *options, struct mount_wish *wish, struct skrfs_error *err) {
    if (!options)
        return 0;
    skrfs_autofree char *text = strdup(options);
    if (!text)
        return skrfs_fail_memory(err);
    char *rest = text, *option;
    while ((option = strsep(&rest, ",")))
        if (take_option(option, wish, err))
            return -1;
    return 0;
}

static int mount_as_root(
        const char *path, const struct mount_wish *wish, int *ret_fd, struct skrfs_error *err) {
    char data[256], type[OPTION_MAX + 8];
    skrfs_autoclose int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return skrfs_fail_errno(err, errno, "open /dev/fuse (is the fuse module loaded?)");
    (void)snprintf(data, sizeof data, "fd=%d,rootmode=40000,user_id=%u,group_id=%u%s", fd, getuid(),
            getgid(), wish->allow_other ? ",allow_other" : "");
    (void)snprintf(type, sizeof type, "fuse.%s", wish->subtype);
    if (mount(wish->source, path, type, wish->flags, data))
        return skrfs_fail_errno(err, errno, "mount at '%s'", path);
    *ret_fd = skrfs_take_fd(&fd);
    return 0;
}

static int session_mount(
        struct fuse_session *session, const char *path, int *ret_fd, struct skrfs_error *err) {
    if (fuse_session_mount(session, path))
        return skrfs_fail(err, SKRFS_CLASS_SYSTEM,
                "mount at '%s': fusermount3 refused (its reason is above; allow_other needs "
                "user_allow_other in "
                "/etc/fuse.conf)",
                path);
    int fd = fcntl(fuse_session_fd(session), F_DUPFD_CLOEXEC, 0);
    if (fd >= 0) {
        *ret_fd = fd;
        return 0;
    }
    int errnum = errno;
    fuse_session_unmount(session);
    return skrfs_fail_errno(err, errnum, "copy the FUSE device's descriptor");
}

static int mount_as_user(
        const char *path, const struct mount_wish *wish, int *ret_fd, struct skrfs_error *err) {
    static const struct fuse_lowlevel_ops none = {0};
    char options[3 * OPTION_MAX], name[] = "skrfs", flag[] = "-o";
    char *argv[] = {name, flag, options, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, argv);
    (void)snprintf(options, sizeof options, "ro,nosuid,nodev,noexec,fsname=%s,subtype=%s%s%s",
            wish->source, wish->subtype, wish->flags & MS_NOATIME ? ",noatime" : "",
            wish->allow_other ? ",allow_other" : "");
    struct fuse_session *session = fuse_session_new(&args, &none, sizeof none, NULL);
    fuse_opt_free_args(&args);
    if (!session)
        return skrfs_fail(err, SKRFS_CLASS_NO_MEMORY, "libfuse could not make a session");
    int rc = session_mount(session, path, ret_fd, err);
    /* Without fuse_session_unmount() this only closes the session's own copy of the descriptor. */
    fuse_session_destroy(session);
    return rc;
}

int skrfs_fs_mount(const char *path, const char *options, bool allow_other, int *ret_fd,
        struct skrfs_error *err) {
    struct mount_wish wish = {.source = "skrfs",
            .subtype = "skrfs",
            .flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
            .allow_other = allow_other};
    struct stat attr;
    if (parse_options(options, &wish, err))
        return -1;
    if (stat(path, &attr))
        return skrfs_fail_errno(err, errno, "mount at '%s'", path);
    if (!S_ISDIR(attr.st_mode))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "mount at '%s': it is not a folder", path);
    return geteuid() == 0 ? mount_as_root(path, &wish, ret_fd, err)
                          : mount_as_user(path, &wish, ret_fd, err);
}

static int run_fusermount(const char *path, bool lazy, struct skrfs_error *err) {
    char name[] = "fusermount3", unmount[] = "-u", later[] = "-z", end[] = "--";
    char *argv[6] = {name, unmount};
    size_t count = 2;
    pid_t pid;
    int status;
    if (lazy)
        argv[count++] = later;
    argv[count++] = end;
    argv[count++] = (char *)(uintptr_t)path; // NOLINT(performance-no-int-to-ptr)
    int rc = posix_spawnp(&pid, name, NULL, NULL, argv, environ);
    if (rc)
        return skrfs_fail_errno(err, rc, "run fusermount3");
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return skrfs_fail_errno(err, errno, "wait for fusermount3");
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        return skrfs_fail(err, SKRFS_CLASS_SYSTEM, "fusermount3 could not unmount '%s'", path);
    return 0;
}

int skrfs_fs_unmount(const char *path, struct skrfs_error *err) {
    if (geteuid() != 0)
        return run_fusermount(path, false, err) == 0 ? 0 : run_fusermount(path, true, err);
    if (umount2(path, UMOUNT_NOFOLLOW) == 0)
        return 0;
    if (errno == EBUSY && umount2(path, UMOUNT_NOFOLLOW | MNT_DETACH) == 0)
        return 0;
    return skrfs_fail_errno(err, errno, "unmount '%s'", path);
}
