/* Between the files of `skrfs get`: what is wanted, and where it goes. */
#ifndef SKRFS_SRC_CLI_GET_H
#define SKRFS_SRC_CLI_GET_H

#include "verbs.h"

#include <skrfs/client/mystikos.h>
#include <sys/resource.h>

struct get_options {
    const char *config, *version, *format, *to, *program, *mystikos, *attestation;
    unsigned timeout_ms;
    bool force, enclave, to_gramine, go_on;
};

/* One key. */
struct get_item {
    const char *name; /* [key NAME] */
    const char *told; /* what it is called in messages */
    size_t key;       /* its index */
    int dir_fd;       /* -1: to no folder */
    const char *file; /* its name there; borrowed */
    bool verbose;
    struct skrfs_secret *secret; /* NULL until it was released */
};

/* One run. */
struct get {
    const struct get_options *options;
    struct skrfs_conf *conf; /* the client's once that is there */
    struct skrfs_client *client;
    struct skrfs_mystikos mystikos;
    struct get_item *items;
    size_t count;
    int format;         /* -1: as configured; SKRFS_FORMAT_PLAIN: as Mystikos has it */
    char **environment; /* as it was, for the program: libraries put into it what they like */
    char *program;      /* path of the program; NULL: none */
    struct rlimit core, locked; /* as they were */
};

/* get_items.c: the configuration and the keys in it. */
int get_items(
        struct get *get, const struct skrfs_call *call, struct skrfs_error *err) SKRFS_MUST_CHECK;
void get_done(struct get *get);

/* get_place.c: before anything is released, whether there is a place for it. Opens folders. */
int get_places(struct get *get, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Puts what was released there. */
int get_put(struct get *get, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* "/dev/attestation" or as configured. */
const char *get_attestation_folder(const struct skrfs_conf *conf);

/* get_gramine.c: Gramine's own store of keys for encrypted files. */
#define GET_GRAMINE_KEY_LEN 16
int get_gramine_check(const struct get *get, struct skrfs_error *err) SKRFS_MUST_CHECK;
int get_gramine_put(
        const struct get *get, const char *folder, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* get_exec.c: the program that takes over. */
/* Its path, found as execvp(3) does; CONFIG when there is no such program. */
int get_program_find(
        const char *program, char **ret_path, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* No core file and no debugger while key bytes are here; what is undone for the program is kept. */
int get_process_close(struct get *get, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Before any library's first use. */
int get_environment_keep(struct get *get, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Becomes the program. Returns only when that failed. */
int get_exec(
        struct get *get, const struct skrfs_call *call, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
