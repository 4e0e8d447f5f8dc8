/* How mount(8), mount.fuse3 and fstab ask for a mount. */
#ifndef SKRFS_CLI_HELPER_H
#define SKRFS_CLI_HELPER_H

#include <skrfs/base/error.h>

#define SKRFS_MOUNT_WORDS_MAX ((size_t)64 * 1024) /* longest option list */

/* mount(8)'s way to mount (mount.skrfs, or `skrfs SOURCE DIR -o ...` as mount.fuse3 runs it): argv
 * as it came. */
int skrfs_helper_run(int argc, char **argv, struct skrfs_error *err);
/* True when the words after the program's name are mount(8)'s and not a verb. */
bool skrfs_helper_form(int argc, char **argv);

/* A comma separated option list, split into what is skrfs's own and what goes to the mount. */
struct skrfs_mount_words {
    char *rest;   /* comma separated, allocated; NULL when nothing is left */
    char *config; /* config=FILE, allocated, or NULL */
    char log[16]; /* log=LEVEL, "" when absent */
};
void skrfs_mount_words_done(struct skrfs_mount_words *words);
/* Takes `text` apart. Words for mount(8) and systemd alone (noauto, nofail, x-...) are dropped. */
int skrfs_mount_words_parse(const char *text, struct skrfs_mount_words *ret_words,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_log_level_set(const char *name, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
