/* From a configuration to the halves that do the work: shared by the daemon, the verbs and
 * libskrfs. */
#ifndef SKRFS_CLIENT_WIRING_H
#define SKRFS_CLIENT_WIRING_H

#include <pthread.h>
#include <skrfs/audit/audit.h>
#include <skrfs/conf/conf.h>
#include <skrfs/release/release.h>
#include <skrfs/store/store.h>

/* What the environment says of logging in, as the platforms and Azure's own libraries have it: read
 * here alone, and only where the configuration is silent. */
struct skrfs_network_environment {
    char *tenant, *client;   /* AZURE_TENANT_ID, AZURE_CLIENT_ID */
    char *token_file;        /* AZURE_FEDERATED_TOKEN_FILE */
    char *authority;         /* AZURE_AUTHORITY_HOST, without a slash behind */
    char *identity_endpoint; /* IDENTITY_ENDPOINT */
    struct skrfs_buf header; /* IDENTITY_HEADER: a secret */
    struct skrfs_buf secret; /* of struct skrfs_conf_vault.secret_variable: one for all vaults */
    bool arc;                /* IMDS_ENDPOINT is set: the Azure Arc agent's */
};

/* The network half. */
struct skrfs_network {
    struct skrfs_buf ca_pem;
    struct skrfs_network_environment environment;
    struct skrfs_login login;
    struct skrfs_cloud_vault *vaults;
    enum skrfs_cert_source certificates[SKRFS_CERTS_SOURCES];
    size_t certificate_count;
    struct skrfs_cloud *cloud; /* NULL until opened */
};
/* Reads what is read from files and from the environment, and checks what can be without a network:
 * CONFIG, SYSTEM. Not thread safe: the environment. */
int skrfs_network_prepare(const struct skrfs_conf *conf, struct skrfs_network *ret_network,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Opens a prepared network: reads no file of the configuration any more. */
int skrfs_network_start(const struct skrfs_conf *conf, struct skrfs_network *network,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Both at once. */
int skrfs_network_open(const struct skrfs_conf *conf, struct skrfs_network *ret_network,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_network_done(struct skrfs_network *network);
/* Wipes the secrets of a prepared network, which then cannot be started: for a process that got it
 * by fork and never speaks to the network. */
void skrfs_network_forget(struct skrfs_network *network);
/* Wipes the environment's secrets where they stand (so that /proc/PID/environ has them no more) and
 * takes them out of it: for a process of skrfs's own, after the network was prepared; libskrfs
 * leaves its program's environment as it is. Not thread safe. */
void skrfs_environment_wipe(void);

/* Hears of each release that was tried, from the thread that tried it: `err` NULL when the key was
 * released. What it puts into proof->release is the release's number from then on. */
typedef void skrfs_tried_fn(
        void *context, size_t key, struct skrfs_proof *proof, const struct skrfs_error *err);

/* The keeper's half: TPM, TEE, trust anchors, release. The courier is borrowed, and the
 * configuration. A TPM and a descriptor are taken over, also on failure. An opened value must not
 * be moved. */
struct skrfs_keyside {
    struct skrfs_tpm *tpm; /* NULL while there is none */
    int tpm_fd;            /* the way to it while it is not open; -1: none */
    struct skrfs_tee *tee; /* NULL while there is none */
    struct skrfs_trust *trust;
    struct skrfs_courier *courier;
    struct skrfs_release *release; /* NULL while there is no TEE or no courier */
    const struct skrfs_conf *conf;
    struct skrfs_buf event_log;
    pthread_mutex_t lock;          /* over tpm, tee and release while they may still be made */
    struct skrfs_error no_tee;     /* why there is none */
    bool enclosed;                 /* started: no path can be looked at any more */
    struct skrfs_tee_looks *looks; /* NULL unless somebody wants to know */
    skrfs_tried_fn *tried;         /* NULL: nobody keeps record; set before the first fetch */
    void *tried_context;
};
/* `tpm` NULL: the configured one is opened, where the configured kind of TEE wants one. Without a
 * TEE: NO_TEE; a TPM that is there and cannot be opened: SYSTEM. */
int skrfs_keyside_open(const struct skrfs_conf *conf, struct skrfs_tpm *tpm,
        struct skrfs_courier *courier, struct skrfs_keyside *ret_keyside,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The same in two steps, for a process whose sandbox closes in between: the first reads files and
 * looks for TPM and TEE: at the configured TCTI, or behind `relay` when that is no -1. A machine
 * without one is no failure here but said in no_tee: each fetch looks again, as far as the sandbox
 * lets it. */
int skrfs_keyside_prepare(const struct skrfs_conf *conf, int relay, const struct skrfs_buf *ca_pem,
        struct skrfs_keyside *ret_keyside, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Looks for the TEE as a mount or a verb would, tells what was looked at, and closes it again.
 * Changes nothing. Returns as skrfs_keyside_open does; *ret_looks is filled in either case. */
int skrfs_keyside_look(const struct skrfs_conf *conf, struct skrfs_tee_looks *ret_looks,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Other kinds of TEE than the confidential VM's leave the TPM alone. */
bool skrfs_keyside_wants_tpm(const struct skrfs_conf *conf);
/* From here on fetches work; the courier is borrowed. */
void skrfs_keyside_start(struct skrfs_keyside *keyside, struct skrfs_courier *courier);
/* The release flow, made at first use. NO_TEE. Thread safe. */
int skrfs_keyside_release(struct skrfs_keyside *keyside, struct skrfs_release **ret_release,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_keyside_done(struct skrfs_keyside *keyside);

/* libskrfs's client over a configuration that was made otherwise than from a file; taken over, also
 * on failure. */
struct skrfs_client;
int skrfs_client_open(struct skrfs_conf *conf, struct skrfs_client **ret_client,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Fills in the question for a configured key; `version` NULL: as configured. */
void skrfs_keyside_ask(const struct skrfs_conf *conf, size_t key, const char *version,
        struct skrfs_release_key *ret_ask);
/* The store's operations over a keyside (its context). */
extern const struct skrfs_fetch_ops skrfs_keyside_fetch_ops;

#endif
