/* A request and its answer, without the network: what the server hands to the services, and what
 * the tests hand to them directly. */
#ifndef SKRFS_LAB_HTTP_H
#define SKRFS_LAB_HTTP_H

#include <limits.h>
#include <skrfs/base/buf.h>

#define SKRFS_LAB_BODY_MAX ((size_t)4 * 1024 * 1024)

enum skrfs_lab_service {
    SKRFS_LAB_IMDS,
    SKRFS_LAB_MAA,
    SKRFS_LAB_VAULT,
    SKRFS_LAB_HSM,
    SKRFS_LAB_LOGIN,
    SKRFS_LAB_NOWHERE, /* a Host that is none of the lab's */
};

/* What is counted, and where a fault can be put. */
enum skrfs_lab_place {
    SKRFS_LAB_AT_IMDS_TOKEN,
    SKRFS_LAB_AT_THIM,
    SKRFS_LAB_AT_TDQUOTE,
    SKRFS_LAB_AT_ATTEST,
    SKRFS_LAB_AT_RELEASE,
    SKRFS_LAB_AT_GET,
    SKRFS_LAB_AT_CREATE,
    SKRFS_LAB_AT_IMPORT,
    SKRFS_LAB_AT_UPDATE,
    SKRFS_LAB_AT_LIST,
    SKRFS_LAB_AT_VERSIONS,
    SKRFS_LAB_AT_ROTATE,
    SKRFS_LAB_AT_DELETE,
    SKRFS_LAB_AT_DELETED,
    SKRFS_LAB_AT_RECOVER,
    SKRFS_LAB_AT_PURGE,
    SKRFS_LAB_AT_LOGIN,
    SKRFS_LAB_PLACES
};

/* What a fault does; the first group is the transport's, the second is lies that are otherwise well
 * made. */
enum skrfs_lab_deed {
    SKRFS_LAB_TRUTH,
    SKRFS_LAB_RESET,
    SKRFS_LAB_HALF_BODY,
    SKRFS_LAB_GARBAGE,
    SKRFS_LAB_OVERSIZE,
    SKRFS_LAB_NO_ANSWER,
    SKRFS_LAB_OTHER_KEY,
    SKRFS_LAB_OTHER_VERSION,
    SKRFS_LAB_OTHER_NONCE,
    SKRFS_LAB_OTHER_ENC,
    SKRFS_LAB_OTHER_KEK,
    SKRFS_LAB_OTHER_SIGNER,
    SKRFS_LAB_BAD_SIGNATURE,
    SKRFS_LAB_EXPIRED_LEAF,
    SKRFS_LAB_OTHER_HOST,
    SKRFS_LAB_SHORT_CIPHER,
    SKRFS_LAB_OTHER_PUBLIC,
    SKRFS_LAB_WRONG_INNER_KEY,
    SKRFS_LAB_BAD_TAG,
    SKRFS_LAB_STALE_VCEK,
    SKRFS_LAB_CLAIMS_CHALLENGE,
    SKRFS_LAB_DENY_CLAIM,
    SKRFS_LAB_DENY_TOKEN,
    SKRFS_LAB_WRONG_KID,
    SKRFS_LAB_OTHER_KEK_KID,
    SKRFS_LAB_DEEDS
};

struct skrfs_lab_request {
    enum skrfs_lab_service service;
    const char *method;
    const char *path; /* percent-decoded, without the query */
    struct skrfs_bytes body;
    /* Value of a header, or of a query parameter (name and value decoded); NULL when absent. */
    const char *(*header)(const void *context, const char *name);
    const char *(*query)(const void *context, const char *name);
    const void *context;
};

/* How an answer goes out when a fault changes it. */
struct skrfs_lab_delivery {
    int64_t stall_at;        /* octets of the body after which nothing more comes; -1: never */
    int64_t cut_at;          /* octets of the body after which the connection ends; -1: never */
    unsigned retry_after_ms; /* 0: no retry-after-ms header */
    bool retry_after_date;   /* Retry-After is a date */
    char location[256];      /* Location, or empty */
};

struct skrfs_lab_answer {
    enum skrfs_lab_service service; /* decides the shape of errors */
    unsigned status;                /* 0 until it is answered */
    struct skrfs_buf body;
    char challenge[PATH_MAX + 128]; /* WWW-Authenticate, or empty */
    char note[256];                 /* why it was refused, for the log */
    unsigned retry_after_s;         /* 0: no such header */
    unsigned delay_ms;              /* wait before answering */
    int64_t skew_s;                 /* how much the lab's clock is off */
    unsigned fault_number;          /* a fault's code, when that is a number */
    char fault_claim[128];          /* the claim that a fault is about, or empty */
    struct skrfs_lab_delivery delivery;
    enum skrfs_lab_deed deed;
};

const char *skrfs_lab_header(const struct skrfs_lab_request *request, const char *name);
const char *skrfs_lab_query(const struct skrfs_lab_request *request, const char *name);

void skrfs_lab_answer_init(struct skrfs_lab_answer *answer, enum skrfs_lab_service service);
void skrfs_lab_answer_done(struct skrfs_lab_answer *answer);
/* A random request id, as the services write theirs. */
void skrfs_lab_new_id(char out[37]);
/* Makes it an error answer in the service's shape; replaces what was there. Returns -1. */
int skrfs_lab_refuse(struct skrfs_lab_answer *answer, unsigned status, const char *code,
        const char *format, ...) SKRFS_PRINTF(4, 5);
/* The same with an innererror code. Returns -1. */
int skrfs_lab_refuse_inner(struct skrfs_lab_answer *answer, unsigned status, const char *code,
        const char *inner, const char *format, ...) SKRFS_PRINTF(5, 6);
/* A failure of the lab itself: 500. Returns -1. */
int skrfs_lab_broken(struct skrfs_lab_answer *answer, const struct skrfs_error *err);
/* As in base/error.h: the compiler is told that each of them is -1. */
#define skrfs_lab_refuse(...) skrfs_minus_one((skrfs_lab_refuse)(__VA_ARGS__))
#define skrfs_lab_refuse_inner(...) skrfs_minus_one((skrfs_lab_refuse_inner)(__VA_ARGS__))
#define skrfs_lab_broken(answer, err) skrfs_minus_one((skrfs_lab_broken)(answer, err))

struct skrfs_json;
/* 200 with a JSON body; takes `json` over. Returns 0, or -1 having answered 500. */
int skrfs_lab_reply(struct skrfs_lab_answer *answer, struct skrfs_json *json);

#endif
