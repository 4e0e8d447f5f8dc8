/* What is done to a key of a running mount: by an ioctl(2) on a file below its status/. */
#include "verbs.h"

#include <fcntl.h>
#include <skrfs/fs/fs.h>
#include <sys/ioctl.h>

static int command(
        const char *path, unsigned long request, const char *verb, struct skrfs_error *err) {
    skrfs_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, request) < 0) {
        return skrfs_fail_errno(err, errno, "%s through %s", verb, path);
    }
    return 0;
}

int skrfs_key_command(const struct skrfs_call *call, const struct skrfs_command_options *options,
        unsigned long request, const char *verb, struct skrfs_error *err) {
    int place = options->all ? 0 : 1;
    skrfs_autofree char *mount = NULL;
    skrfs_autobuf path = SKRFS_BUF(8192);
    if (call->count < place || call->count > place + 1) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "which key? %s NAME, or %s --all", verb, verb);
    }
    if (skrfs_mount_find(call->count > place ? call->operands[place] : NULL, options->config,
                &mount, err) < 0) {
        return -1;
    }
    int rc = options->all ? skrfs_buf_printf(&path, err, "%s/status/status.json", mount)
                          : skrfs_why_path(mount, call->operands[0], &path, err);
    if (rc < 0) {
        return -1;
    }
    rc = command(skrfs_buf_text(&path), request, verb, err);
    return rc < 0 ? skrfs_status_failed(mount, err) : 0;
}
