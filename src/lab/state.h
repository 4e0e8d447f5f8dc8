/* The lab's whole state. `lock` guards everything that changes after skrfs_lab_new. */
#ifndef SKRFS_LAB_STATE_H
#define SKRFS_LAB_STATE_H

#include "directory.h"
#include "guest.h"
#include "http.h"
#include "platform.h"
#include "vault.h"
#include <limits.h>
#include <pthread.h>

#define SKRFS_LAB_FAULTS_MAX 64
#define SKRFS_LAB_URL_MAX 128
#define SKRFS_LAB_TENANT "1ab00000-0000-4000-8000-00000000000a"
#define SKRFS_LAB_CLIENT "1ab00000-0000-4000-8000-0000000000e2" /* the application */
#define SKRFS_LAB_ENTRA_KID "skrfs-lab-entra"
#define SKRFS_LAB_TOKEN_MAX ((size_t)16 * 1024) /* octets of an access token */
#define SKRFS_LAB_LOGIN_HOST "login.skrfs.localhost"
#define SKRFS_LAB_MAA_HOST "maa.skrfs.localhost"
#define SKRFS_LAB_VAULT_HOST "lab.vault.skrfs.localhost"
#define SKRFS_LAB_HSM_HOST "lab.hsm.skrfs.localhost"

struct skrfs_lab_fault {
    enum skrfs_lab_place at;
    int64_t times; /* left; -1: for ever */
    unsigned status;
    char code[64], message[256], claim[128];
    unsigned retry_after_s, delay_ms;
    enum skrfs_lab_deed deed;
    struct skrfs_lab_delivery delivery;
};

struct skrfs_lab_settings {
    int64_t token_life_s;  /* of attestation tokens */
    int64_t access_life_s; /* of access tokens */
    int64_t clock_skew_s;  /* how much the lab's clock is off */
    bool throttle;
    bool release_role; /* whether the machine's identity may release */
    bool identity;     /* whether the machine has a system-assigned identity */
    char compliance[64];
};

struct skrfs_lab {
    pthread_mutex_t lock;
    struct skrfs_lab_pki *pki;
    bool tdx;
    struct skrfs_lab_directory *directory;
    char dir[PATH_MAX]; /* the lab's folder; Arc's key files go below */
    char imds_url[SKRFS_LAB_URL_MAX], maa_url[SKRFS_LAB_URL_MAX];
    char authority[SKRFS_LAB_URL_MAX], login_url[SKRFS_LAB_URL_MAX]; /* without and with tenant */
    char arc_path[PATH_MAX + 32], arc_key[72]; /* of the last challenge; empty when used up */
    int64_t claims_wanted_s;                   /* nbf of the last claims challenge; 0: none */
    struct skrfs_lab_settings settings;
    struct skrfs_lab_settings first; /* those it came up with; never changed */
    uint64_t counters[SKRFS_LAB_PLACES];
    struct skrfs_lab_fault faults[SKRFS_LAB_FAULTS_MAX];
    size_t fault_count;
    struct skrfs_lab_vault vaults[2]; /* [0] Key Vault, [1] Managed HSM */
};

struct skrfs_lab_ports {
    unsigned imds, https;
};
/* The state of a lab whose services listen on these ports. */
int skrfs_lab_new(const struct skrfs_lab_ports *ports, bool tdx, bool throttle,
        struct skrfs_lab **ret_lab, struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_lab_free(struct skrfs_lab *lab);
SKRFS_DEFINE_CLEANUP(struct skrfs_lab, skrfs_lab_free)

/* Which service a Host header (with or without port) means. */
enum skrfs_lab_service skrfs_lab_service_of(const char *host);
/* Answers one request: routes it, counts it, applies faults. Thread safe. */
void skrfs_lab_serve(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer);

/* The services. Each leaves `answer` answered. */
void skrfs_lab_imds(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer);
void skrfs_lab_maa(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer);
void skrfs_lab_vault(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer);
void skrfs_lab_login(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer);
/* The lab's own interface: /lab/counters, /lab/faults, /lab/settings. */
void skrfs_lab_control(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer);

/* Counts a request and takes the fault that waits there. False when the fault has answered it
 * already. */
bool skrfs_lab_enter(
        struct skrfs_lab *lab, enum skrfs_lab_place at, struct skrfs_lab_answer *answer);
struct skrfs_lab_settings skrfs_lab_settings_get(struct skrfs_lab *lab);
/* The lab's clock, in seconds since 1970: every token and answer goes by it. */
int64_t skrfs_lab_wall_s(struct skrfs_lab *lab);
/* What a token must have been asked for with since a claims challenge was made; 0: nothing. */
int64_t skrfs_lab_claims_wanted(struct skrfs_lab *lab);

/* An access token of the lab's Entra ID, and what one says. `identity` is NULL for the machine's
 * own. */
int skrfs_lab_access_token(struct skrfs_lab *lab, const char *resource, const char *identity,
        struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
