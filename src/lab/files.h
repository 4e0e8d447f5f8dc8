/* The lab's folder. */
#ifndef SKRFS_LAB_FILES_H
#define SKRFS_LAB_FILES_H

#include "provision.h"

/* An absolute path without a slash at the end; the folder need not be there. */
int skrfs_lab_dir_resolve(
        const char *dir, char *out, size_t size, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* True when the folder is a lab's: it has the marker file. */
bool skrfs_lab_dir_is_lab(const char *dir);
/* Makes the folder (0700) and its marker. A folder with anything else in it is CONFIG; what a lab
 * that is no longer up left there is removed. */
int skrfs_lab_dir_make(const char *dir, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Removes a lab's folder; anything else is CONFIG, and so is one with a mount in it. */
int skrfs_lab_dir_remove(const char *dir, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* CONFIG when something is mounted at `dir`/mnt. */
int skrfs_lab_dir_check_unmounted(const char *dir, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The lock that says "this lab is up": held by the lab's process for its life. *ret_pid is who
 * holds it when it cannot be had (then *ret_fd is -1), 0 otherwise. */
int skrfs_lab_dir_lock(
        const char *dir, int *ret_fd, pid_t *ret_pid, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Writes ca.pem, skrfs.conf, skrfs.conf.d, lab.json, the pid files and mnt. */
/* The client secret, certificate, federated token and so on are among them. */
int skrfs_lab_dir_fill(const char *dir, struct skrfs_lab *lab,
        const struct skrfs_lab_machine *machine, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Writes a new federated token over the last, as a cluster does well before that ends. */
int skrfs_lab_dir_renew(
        const char *dir, struct skrfs_lab *lab, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
