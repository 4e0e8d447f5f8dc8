/* Where things are: the configuration, the mount that is meant, a folder that no disk is behind. */
#ifndef SKRFS_CLI_PLACE_H
#define SKRFS_CLI_PLACE_H

#include <skrfs/base/secret.h>
#include <skrfs/conf/conf.h>

/* The option's value, else $SKRFS_CONFIG, else SKRFS_CONF_PATH. */
const char *skrfs_config_path(const char *option);
/* Index of the vault `name`; NULL means the only one. CONFIG otherwise, naming those there are. */
int skrfs_vault_pick(const struct skrfs_conf *conf, const char *name, size_t *ret_vault,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Index of [key NAME]; NOT_FOUND with the nearest name otherwise. */
int skrfs_key_pick(const struct skrfs_conf *conf, const char *name, size_t *ret_key,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#define SKRFS_MOUNTS_MAX 64
/* Mount points of type fuse.skrfs, without doubles. */
struct skrfs_mounts {
    char *paths[SKRFS_MOUNTS_MAX];
    size_t count;
};
void skrfs_mounts_done(struct skrfs_mounts *mounts);
#define skrfs_automounts SKRFS_CLEANUP(skrfs_mounts_done) struct skrfs_mounts
/* From the text of /proc/self/mountinfo (proc(5)). Lines that cannot be read are passed over. */
int skrfs_mounts_parse(const char *text, struct skrfs_mounts *ret_mounts,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Those of this system. */
int skrfs_mounts_read(struct skrfs_mounts *ret_mounts, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* 0 when none of them is at `path`; CONFIG otherwise: a second one would only hide the first. */
int skrfs_mounts_miss(const struct skrfs_mounts *mounts, const char *path,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Which mount is meant: `argument`, else `configured` when it is mounted, else the only one.
 * Allocated. */
int skrfs_mount_pick(const struct skrfs_mounts *mounts, const char *argument,
        const char *configured, char **ret_path, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The same with the system's mounts and the configuration found by `config` (an option's value, or
 * NULL). */
int skrfs_mount_find(const char *argument, const char *config, char **ret_path,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* What is known of the file system behind a descriptor that a key is to be written to. */
struct skrfs_volume {
    unsigned long type; /* f_type of statfs(2) */
    bool may_swap;      /* the system swaps, and this volume takes part in it */
};
int skrfs_volume_look(
        int fd, struct skrfs_volume *ret_volume, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* 0 when bytes written there stay in memory: tmpfs that does not swap, or ramfs. `force` allows
 * tmpfs that may swap. CONFIG otherwise, with the reason. Pure. */
int skrfs_volume_check(const struct skrfs_volume *volume, const char *where, bool force,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A key on its way to a file. */
struct skrfs_delivery {
    int dir_fd;       /* borrowed */
    const char *name; /* in that folder, not "." or ".." */
    const struct skrfs_guard *guard;
    const struct skrfs_secret *secret;
};
/* Writes all of them, with owner, group and mode from the first moment that a name exists, or none:
 * every file is whole beside its place before the first one is put there (a failure of that after
 * all takes back what was put). No signal ends the process in between. Folders and other
 * files than regular ones are not replaced. */
int skrfs_deliver_all(const struct skrfs_delivery *deliveries, size_t count,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
#endif
