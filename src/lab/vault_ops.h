/* The vault's operations, each of one file. */
#ifndef SKRFS_LAB_VAULT_OPS_H
#define SKRFS_LAB_VAULT_OPS_H

#include "state.h"

/* A path taken apart; empty members were not given. */
struct skrfs_lab_path {
    char name[SKRFS_LAB_KEY_NAME_MAX * 2], version[SKRFS_LAB_KEY_NAME_MAX], operation[40];
    bool deleted;  /* below /deletedkeys */
    bool bad_name; /* the name or the version has what none has */
};
bool skrfs_lab_path_parse(const char *text, struct skrfs_lab_path *ret_path);

struct skrfs_lab_call {
    struct skrfs_lab *lab;
    struct skrfs_lab_vault *vault;
    const struct skrfs_lab_request *request;
    struct skrfs_lab_path path;
    struct skrfs_lab_settings settings;
    int64_t now_s;  /* by the lab's clock */
    bool may_write; /* the caller's role */
};

/* Called with the lab's lock held. */
void skrfs_lab_update(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer);
void skrfs_lab_get(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer);
void skrfs_lab_list(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer);
void skrfs_lab_delete(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer);
void skrfs_lab_deleted_get(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer);
void skrfs_lab_recover(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer);
void skrfs_lab_purge(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer);
void skrfs_lab_release(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer);
/* Called without it. */
void skrfs_lab_create(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer);
void skrfs_lab_import(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer);
void skrfs_lab_rotate(struct skrfs_lab_call *call, struct skrfs_lab_answer *answer);

/* Whether the request's token is good: 401 with the challenge otherwise. */
int skrfs_lab_authorize(
        struct skrfs_lab_call *call, struct skrfs_lab_answer *answer) SKRFS_MUST_CHECK;
/* Whether its holder may do what is done at this place. */
int skrfs_lab_check_role(const struct skrfs_lab_call *call, enum skrfs_lab_place at,
        struct skrfs_lab_answer *answer) SKRFS_MUST_CHECK;
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
