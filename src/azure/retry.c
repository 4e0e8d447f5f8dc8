/* What is tried again, in one place. A reader waits: no pause goes past the deadline, and a
 * Retry-After beyond it is told at once (http.h). Each 5xx but 501 and 505 counts too. */
#include "internal.h"

/* The Azure SDKs' pauses: 1, 2, 4 seconds, with jitter. */
#define BASE_NS SKRFS_SECOND_NS
/* The longest that is waited here. Vaults count releases in windows of ten seconds; who is told to
 * wait longer does better without a thread that waits. */
#define PAUSE_MAX_NS (10 * SKRFS_SECOND_NS)

/* learn.microsoft.com, "Azure Instance Metadata Service", errors; and MSAL: 404 while an identity
 * or an endpoint is being set up, 408, 429; and 410 while the service is updated, which takes up to
 * 70 seconds: seven times, ten seconds apart. */
static const long host_statuses[] = {404, 408, 429, 0};
#define GONE 410
#define GONE_TIMES 7
#define GONE_PAUSE_NS (10 * SKRFS_SECOND_NS)

/* Azure SDKs: 408, 429 and 5xx. */
static const long service_statuses[] = {408, 429, 0};

/* With these it was not done (RFC 6585 section 4, RFC 9110 section 15.6.4). */
static const long undone_statuses[] = {429, 503, 0};

struct rule {
    unsigned attempts;
    const long *statuses;
    bool host; /* the metadata service or its like: 410 has its own rhythm */
    bool once; /* not again when it is unknown what came of it */
};

static const struct rule rules[] = {
        [RETRY_IDENTITY] = {.attempts = 4, .statuses = host_statuses, .host = true},
        [RETRY_HOST] = {.attempts = 4, .statuses = host_statuses, .host = true},
        [RETRY_HOST_ONCE] = {.attempts = 2, .statuses = host_statuses},
        [RETRY_SERVICE] = {.attempts = 4, .statuses = service_statuses},
        [RETRY_SERVICE_ONCE] = {.attempts = 4, .statuses = undone_statuses, .once = true},
        [RETRY_CACHE] = {.attempts = 2, .statuses = service_statuses},
};

struct skrfs_http_retry skrfs_retry(enum retry_of of) {
    const struct rule *rule = &rules[of];
    struct skrfs_http_retry retry = {
            .attempts = rule->attempts,
            .base_ns = BASE_NS,
            .max_ns = PAUSE_MAX_NS,
            .statuses = rule->statuses,
            .strict = rule->once,
            .transport = !rule->once,
    };
    if (rule->host) {
        retry.steady_status = GONE;
        retry.steady_times = GONE_TIMES;
        retry.steady_ns = GONE_PAUSE_NS;
    }
    return retry;
}
