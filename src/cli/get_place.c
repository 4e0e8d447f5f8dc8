#include "get.h"

#include <fcntl.h>
#include <limits.h>
#include <skrfs/base/file.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const struct skrfs_conf_key *key_of(const struct get *get, const struct get_item *item) {
    return &get->conf->keys[item->key];
}

static bool is_public(const struct get *get, const struct get_item *item) {
    int format = get->format == -1 ? (int)key_of(get, item)->format : get->format;
    return format >= 0 && skrfs_format_is_public((enum skrfs_format)format);
}

static int stdout_check(const struct get *get, struct skrfs_error *err) {
    struct stat status;
    if (isatty(STDOUT_FILENO) && !get->options->force) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "standard output is a terminal, where the key would stay to be scrolled back to; "
                "pipe it, say --to DIR (on tmpfs), or say --force");
    }
    if (fstat(STDOUT_FILENO, &status) != 0) {
        return skrfs_fail_errno(err, errno, "look at standard output");
    }
    if (!S_ISREG(status.st_mode)) {
        return 0;
    }
    struct skrfs_volume volume;
    return skrfs_volume_look(STDOUT_FILENO, &volume, err) < 0
                   ? -1
                   : skrfs_volume_check(&volume, "/dev/stdout", get->options->force, err);
}

const char *get_attestation_folder(const struct skrfs_conf *conf) {
    return conf->tee.attestation ? conf->tee.attestation : "/dev/attestation";
}

static bool in_gramine(const struct get *get) {
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/attestation_type", get_attestation_folder(get->conf));
    return access(path, R_OK) == 0;
}

/* A LibOS tells nothing of the file systems that it is made of: the manifest alone says whether a
 * folder is its own memory or the host's disk. */
static int folder_check(const struct get *get, int fd, const char *where, struct skrfs_error *err) {
    struct skrfs_volume volume;
    bool enclave = in_gramine(get);
    if (get->options->enclave && !enclave) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "--enclave is for inside Gramine, but there is no %s/attestation_type",
                get_attestation_folder(get->conf));
    }
    if (get->options->enclave) {
        return 0;
    }
    if (skrfs_volume_look(fd, &volume, err) == 0 &&
            skrfs_volume_check(&volume, where, get->options->force, err) == 0) {
        return 0;
    }
    return enclave ? skrfs_fail(err, SKRFS_CLASS_CONFIG,
                             "whether '%s' is the enclave's own cannot be seen from inside "
                             "Gramine: "
                             "make it type = \"tmpfs\" in the manifest's fs.mounts, and say "
                             "--enclave",
                             where)
                   : -1;
}

/* The folder of a path below `from`, name by name, none of them a link that leads elsewhere. */
static int walk(int from, const char *path, int *ret_fd, struct skrfs_error *err) {
    skrfs_autoclose int at = from;
    const char *name = path + 1;
    for (const char *slash; (slash = strchr(name, '/')); name = slash + 1) {
        char part[NAME_MAX + 1];
        (void)snprintf(part, sizeof(part), "%.*s", (int)(slash - name), name);
        int next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0) {
            return skrfs_fail_errno(err, errno,
                    "open the folder of '%s' at '%s' (it must be there, and no link)", path, part);
        }
        close(at);
        at = next;
    }
    *ret_fd = skrfs_take_fd(&at);
    return 0;
}

/* The folder of a declared path: as it is, or below --to. */
static int open_declared(
        const struct get *get, const char *path, int *ret_fd, struct skrfs_error *err) {
    const char *to = get->options->to;
    skrfs_autofree char *folder = strndup(path, (size_t)(strrchr(path, '/') - path));
    if (!folder) {
        return skrfs_fail_memory(err);
    }
    const char *begin = to ? to : *folder ? folder : "/";
    int fd = open(begin, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return skrfs_fail_errno(err, errno, "open the folder '%s' of '%s'", begin, path);
    }
    if (!to) {
        *ret_fd = fd;
        return 0;
    }
    return walk(fd, path, ret_fd, err);
}

static int open_folder(const struct get *get, size_t index, const char **ret_where, int *ret_fd,
        struct skrfs_error *err) {
    const char *to = get->options->to;
    if (get->options->mystikos) {
        *ret_where = get->mystikos.secrets[index].path;
        return open_declared(get, *ret_where, ret_fd, err);
    }
    *ret_where = to;
    *ret_fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret_fd < 0 ? skrfs_fail_errno(err, errno, "open the folder '%s'", to) : 0;
}

int get_places(struct get *get, struct skrfs_error *err) {
    const char *to = get->options->to;
    if (get->options->to_gramine) {
        return get_gramine_check(get, err);
    }
    if (!get->options->mystikos && (!to || strcmp(to, "-") == 0)) {
        return is_public(get, &get->items[0]) ? 0 : stdout_check(get, err);
    }
    for (size_t i = 0; i < get->count; i++) {
        struct get_item *item = &get->items[i];
        const char *where = NULL;
        if (open_folder(get, i, &where, &item->dir_fd, err) < 0) {
            return -1;
        }
        if (!is_public(get, item) && folder_check(get, item->dir_fd, where, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int put_in_folders(const struct get *get, struct skrfs_error *err) {
    skrfs_autofree struct skrfs_delivery *deliveries = calloc(get->count + 1, sizeof(*deliveries));
    size_t count = 0;
    if (!deliveries) {
        return skrfs_fail_memory(err);
    }
    for (size_t i = 0; i < get->count; i++) {
        const struct get_item *item = &get->items[i];
        if (item->secret) {
            deliveries[count++] = (struct skrfs_delivery){.dir_fd = item->dir_fd,
                    .name = item->file,
                    .guard = &key_of(get, item)->guard,
                    .secret = item->secret};
        }
    }
    return skrfs_deliver_all(deliveries, count, err);
}

int get_put(struct get *get, struct skrfs_error *err) {
    if (get->options->to_gramine) {
        return get_gramine_put(get, get_attestation_folder(get->conf), err);
    }
    if (get->count && get->items[0].dir_fd >= 0) {
        return put_in_folders(get, err);
    }
    const struct skrfs_secret *secret = get->count ? get->items[0].secret : NULL;
    if (secret && skrfs_fd_write(STDOUT_FILENO, skrfs_secret_data(secret), skrfs_secret_len(secret),
                          err) < 0) {
        return skrfs_wrap(err, "write to standard output");
    }
    return 0;
}
