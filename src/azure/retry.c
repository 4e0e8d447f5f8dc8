/* What is tried again, in one place. A reader waits: no pause is longer than a few seconds but the
 * metadata service's, none goes past the deadline, and a Retry-After beyond it is told at once.
 * Each 5xx but 501 and 505 counts too (http.h). */
#include "internal.h"

/* learn.microsoft.com, "Azure Instance Metadata Service", errors; and MSAL: 404 while an identity
 * or an endpoint is being set up, 408, 429, and 410 while the service is updated, which takes up to
 * 70 seconds. */
static const long host_statuses[] = {404, 408, 410, 429, 0};
/* Azure SDKs: 408, 429 and 5xx. */
static const long service_statuses[] = {408, 429, 0};
/* AMD's service is shared by the whole world and shuts out who asks too often: 429 is final. */
static const long amd_statuses[] = {408, 0};

static const struct skrfs_http_retry rules[] = {
        [RETRY_IDENTITY] = {.attempts = 8,
                .max_ns = 10 * SKRFS_SECOND_NS,
                .statuses = host_statuses},
        [RETRY_HOST] = {.attempts = 5, .max_ns = 8 * SKRFS_SECOND_NS, .statuses = host_statuses},
        [RETRY_HOST_ONCE] = {.attempts = 2,
                .max_ns = 8 * SKRFS_SECOND_NS,
                .statuses = host_statuses},
        [RETRY_SERVICE] = {.attempts = 4,
                .max_ns = 8 * SKRFS_SECOND_NS,
                .statuses = service_statuses},
        [RETRY_AMD] = {.attempts = 2, .max_ns = 4 * SKRFS_SECOND_NS, .statuses = amd_statuses},
};

struct skrfs_http_retry skrfs_retry(enum retry_of of) {
    struct skrfs_http_retry retry = rules[of];
    retry.base_ns = SKRFS_SECOND_NS;
    retry.transport = true;
    return retry;
}
