/* The vault's operations, each of one file. */
#ifndef SKRFS_LAB_VAULT_OPS_H
#define SKRFS_LAB_VAULT_OPS_H

#include "state.h"

/* A path taken apart; empty members were not given. */
struct skrfs_lab_path {
    char name[SKRFS_LAB_KEY_NAME_MAX], version[40], operation[40];
};
bool skrfs_lab_path_parse(const char *text, struct skrfs_lab_path *ret_path);

struct skrfs_lab_call {
    struct skrfs_lab *lab;
    struct skrfs_lab_vault *vault;
    const struct skrfs_lab_request *request;
    struct skrfs_lab_path path;
    struct skrfs_lab_settings settings;
    bool may_release; /* the caller's role */
};

/* Called with the lab's lock held. */
void skrfs_lab_update(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer);
void skrfs_lab_release(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer);
/* Called without it. */
void skrfs_lab_create(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer);
void skrfs_lab_import(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer);
void skrfs_lab_rotate(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer);

/* True for API versions that know release policies. */
bool skrfs_lab_api_exports(const char *version);
int skrfs_lab_key_missing(
        struct skrfs_lab_answer *answer, const struct skrfs_lab_vault *vault, const char *name);
int skrfs_lab_path_find(const struct skrfs_lab_vault *vault, const struct skrfs_lab_path *path,
        struct skrfs_lab_key **ret_key, struct skrfs_lab_version **ret_version,
        struct skrfs_lab_answer *answer) SKRFS_MUST_CHECK;
void skrfs_lab_reply_bundle(const struct skrfs_lab_vault *vault, const struct skrfs_lab_key *key,
        const struct skrfs_lab_version *version, struct skrfs_lab_answer *answer);
/* 429 when it is one creation or release too many; the lock is held. */
int skrfs_lab_throttle(struct skrfs_lab_call *call, bool hsm_key,
        struct skrfs_lab_answer *answer) SKRFS_MUST_CHECK;

#endif
