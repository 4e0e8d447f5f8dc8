/* A mount that the service manager holds: see daemon.h. */
#include "manager.h"

#include <fcntl.h>
#include <skrfs/base/log.h>
#include <skrfs/daemon/process.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <systemd/sd-daemon.h>

#define NAME "skrfs"
#define LEDGER "skrfs-ledger"
#define STORED 2 /* the FUSE device and the handover pages */
#define PATIENCE_US (UINT64_C(5) * 1000 * 1000)

void skrfs_handed_done(struct skrfs_handed *handed) {
    skrfs_close_p(&handed->fuse);
    handed->fuse = -1;
    skrfs_close_p(&handed->ledger);
    handed->ledger = -1;
    skrfs_fs_handover_free(handed->handover);
    handed->handover = NULL;
}

/* The manager finds a message's unit by its sender, who must live until it is read. */
static int tell_manager(
        const char *message, const int *fds, unsigned fd_count, struct skrfs_error *err) {
    int result = sd_pid_notify_with_fds(0, 0, message, fds, fd_count);
    if (result == 0)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "there is no service manager to tell (NOTIFY_SOCKET is not set): this step is for "
                "a systemd service with NotifyAccess=exec");
    if (result > 0)
        result = sd_notify_barrier(0, PATIENCE_US);
    return result < 0 ? skrfs_fail_errno(err, -result, "tell the service manager") : 0;
}

static int forget_ledger(struct skrfs_error *err) {
    return tell_manager("FDSTOREREMOVE=1\nFDNAME=" LEDGER, NULL, 0, err);
}

static int forget_stored(struct skrfs_error *err) {
    return tell_manager("FDSTOREREMOVE=1\nFDNAME=" NAME, NULL, 0, err) < 0 || forget_ledger(err) < 0
                   ? -1
                   : 0;
}

int skrfs_service_keep_ledger(int fd, struct skrfs_error *err) {
    return forget_ledger(err) < 0 ||
                           tell_manager("FDSTORE=1\nFDPOLL=0\nFDNAME=" LEDGER, &fd, 1, err) < 0
                   ? -1
                   : 0;
}

/* FDPOLL=0: the manager would be woken at each request that a reader makes, to see that the device
 * is well. */
static int store(int fuse, int pages, struct skrfs_error *err) {
    const int fds[STORED] = {fuse, pages};
    struct manager_unit unit;
    if (tell_manager("FDSTORE=1\nFDPOLL=0\nFDNAME=" NAME, fds, STORED, err) < 0 ||
            manager_look(&unit, err) < 0)
        return -1;
    if (unit.stored != STORED)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "the service manager did not take the mount: the unit wants "
                "FileDescriptorStoreMax=%d and NotifyAccess=exec",
                STORED + 1);
    return 0;
}

static int mount_and_store(const struct skrfs_conf *conf, const struct skrfs_mount_options *options,
        dev_t below, struct skrfs_error *err) {
    skrfs_autoclose int fuse = -1;
    skrfs_autoclose int pages = -1;
    struct skrfs_error ignored;
    if (skrfs_fs_handover_create(below, &pages, err) < 0 ||
            skrfs_fs_mount(options->path, options->options, conf->allow_other, &fuse, err) < 0)
        return -1;
    if (store(fuse, pages, err) == 0)
        return 0;
    (void)!skrfs_fs_unmount(options->path, &ignored);
    return -1;
}

/* The kernel may know the root's attributes of a mount whose server is dead: statfs asks. */
static bool is_served(const char *path) {
    struct statfs ignored;
    return statfs(path, &ignored) == 0;
}

/* With the store's descriptor gone the mount is dead, or somebody else's. */
static int clear(const char *path, bool mounted, uint32_t stored, dev_t *ret_below,
        struct skrfs_error *err) {
    if (stored && forget_stored(err) < 0)
        return -1;
    if (mounted && is_served(path))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "keys are mounted at %s already, by another than this service: unmount it there",
                path);
    return skrfs_mount_point_check(path, ret_below, err);
}

int skrfs_service_prepare(const struct skrfs_conf *conf, const struct skrfs_mount_options *options,
        bool mounted, struct skrfs_error *err) {
    struct manager_unit unit;
    dev_t below;
    if (manager_look(&unit, err) < 0)
        return -1;
    if (mounted && unit.stored >= STORED)
        return 0;
    if (clear(options->path, mounted, unit.stored, &below, err) < 0)
        return -1;
    return mount_and_store(conf, options, below, err);
}

static bool is_fuse(int fd) {
    /* include/linux/miscdevice.h: MISC_MAJOR and FUSE_MINOR */
    const dev_t device = makedev(10, 229);
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == device;
}

/* Takes the descriptors that are known by their names out of those that were inherited; others are
 * closed: no unit of skrfs's hands any. */
static void sort_out(int count, char **names, int *ret_pages, struct skrfs_handed *handed) {
    for (int i = 0; i < count; i++) {
        int fd = SD_LISTEN_FDS_START + i;
        int *place = NULL;
        if (strcmp(names[i], LEDGER) == 0)
            place = &handed->ledger;
        else if (strcmp(names[i], NAME) == 0)
            place = is_fuse(fd) ? &handed->fuse : ret_pages;
        if (place && *place < 0)
            *place = fd;
        else
            close(fd);
    }
}

static int open_pages(int pages, struct skrfs_handed *handed, struct skrfs_error *err) {
    struct stat status;
    struct skrfs_error ignored;
    if (pages < 0 || handed->fuse < 0)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "the service manager keeps no mount to serve: 'skrfs mount --service prepare' "
                "makes one");
    if (fstat(pages, &status) < 0)
        return skrfs_fail_errno(err, errno, "look at the handover pages");
    handed->owner = status.st_uid;
    handed->group = status.st_gid;
    if (skrfs_fs_handover_open(pages, &handed->handover, &handed->below, err) == 0)
        return 0;
    (void)!forget_stored(&ignored);
    return -1;
}

int skrfs_service_receive(struct skrfs_handed *ret_handed, struct skrfs_error *err) {
    struct skrfs_handed handed = {.fuse = -1, .ledger = -1};
    skrfs_autoclose int pages = -1;
    char **names = NULL;
    int count = sd_listen_fds_with_names(1, &names);
    if (count < 0)
        return skrfs_fail_errno(err, -count, "take what the service manager keeps");
    sort_out(count, names, &pages, &handed);
    for (int i = 0; names && names[i]; i++)
        free(names[i]);
    free(names);
    if (open_pages(pages, &handed, err) < 0) {
        skrfs_handed_done(&handed);
        return -1;
    }
    *ret_handed = handed;
    return 0;
}

/* systemd.exec(5), SERVICE_RESULT: a service that was killed is started again on the mount that is
 * there. One that ended by itself had a reason, and nobody is left to answer readers. */
static bool was_killed(void) {
    static const char *const results[] = {"signal", "core-dump", "watchdog", "oom-kill"};
    const char *result = getenv("SERVICE_RESULT");
    for (size_t i = 0; result && i < SKRFS_ARRAY_LEN(results); i++)
        if (strcmp(result, results[i]) == 0)
            return true;
    return false;
}

int skrfs_service_finish(const char *path, struct skrfs_error *err) {
    struct manager_unit unit = {.stored = STORED, .is_stopped = true};
    struct skrfs_error why;
    if (manager_look(&unit, &why) < 0)
        skrfs_log_warning("%s; unmounting", why.message);
    if (unit.is_restarted)
        return forget_ledger(err);
    if (was_killed() && !unit.is_stopped)
        return 0;
    if (!unit.stored && is_served(path))
        return 0; /* somebody else's */
    return skrfs_fs_unmount(path, err);
}
