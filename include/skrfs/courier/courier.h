/* The courier: the half that speaks to the network. One struct of operations with two
 * implementations: `direct` calls azure in this process (verbs, libskrfs), `remote` sends the
 * request to the courier process over a socket pair and waits. What a courier answers is believed
 * only as far as docs say: it may be taken over, and can then delay a key, not replace, replay or
 * learn one. Thread safe. */
#ifndef SKRFS_COURIER_COURIER_H
#define SKRFS_COURIER_COURIER_H

#include <skrfs/azure/cloud.h>

struct skrfs_courier;

struct skrfs_courier_ops {
    int (*attest)(struct skrfs_courier *courier, const struct skrfs_evidence *evidence,
            uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_sealed_token *ret_sealed,
            struct skrfs_error *err);
    int (*inspect)(struct skrfs_courier *courier, struct skrfs_bytes token, uint64_t deadline_ns,
            struct skrfs_token_info *ret_info, struct skrfs_error *err);
    int (*release)(struct skrfs_courier *courier, const struct skrfs_release_ask *ask,
            uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_buf *ret_jws,
            struct skrfs_error *err);
    int (*key_show)(struct skrfs_courier *courier, size_t vault, const char *name,
            const char *version, uint64_t deadline_ns, struct skrfs_vault_key *ret_key,
            struct skrfs_error *err);
    void (*close)(struct skrfs_courier *courier);
    /* Wipes what is no longer of use; called now and then where requests are waited for. May be
     * NULL. */
    void (*tend)(struct skrfs_courier *courier);
};

/* Every instance begins with its operations. */
struct skrfs_courier {
    const struct skrfs_courier_ops *ops;
};

/* Calls azure here; the cloud is borrowed. */
int skrfs_courier_direct(struct skrfs_cloud *cloud, struct skrfs_courier **ret_courier,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* The keeper's end of the socket pair (SOCK_SEQPACKET); starts a thread that receives. The courier
 * process may be replaced behind the descriptor: a new one says hello, and every request that waits
 * is sent to it again. Takes the descriptor over on success. */
int skrfs_courier_remote(
        int fd, struct skrfs_courier **ret_courier, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* The courier process's loop on the other end: says hello, then answers requests, each in a thread
 * of its own up to a limit, until the other end closes. */
int skrfs_courier_serve(
        int fd, struct skrfs_cloud *cloud, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The same with any operations behind it. Returns 0 once the other end has closed and the requests
 * in hand have ended. */
int skrfs_courier_serve_ops(
        int fd, struct skrfs_courier *backend, struct skrfs_error *err) SKRFS_MUST_CHECK;

void skrfs_courier_close(struct skrfs_courier *courier);
SKRFS_DEFINE_CLEANUP(struct skrfs_courier, skrfs_courier_close)

#endif
