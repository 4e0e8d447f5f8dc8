#include "room.h"

#include <skrfs/base/clock.h>
#include <sys/random.h>

static bool listed(const struct skrfs_http_retry *retry, long status) {
    for (const long *at = retry->statuses; at && *at; at++)
        if (*at == status)
            return true;
    return status >= 500 && status <= 599 && status != 501 && status != 505;
}

/* Between 80 and 120 percent, so that machines that failed together do not come back together. */
static uint64_t jitter(uint64_t pause_ns) {
    uint32_t random = 0;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
        random = UINT32_MAX / 2;
    return pause_ns / 10 * 8 + pause_ns / 10 * 4 / 1000 * (random % 1001);
}

/* The pause after the attempt of this number (from 1). */
static uint64_t pause_after(const struct skrfs_http_retry *retry, unsigned attempt) {
    uint64_t pause = retry->base_ns;
    for (unsigned i = 1; i < attempt && pause < retry->max_ns; i++)
        pause *= 2;
    pause = jitter(pause);
    return pause < retry->max_ns ? pause : retry->max_ns;
}

/* Waits for the next attempt; false when there is none. */
static bool wait_for_next(const struct skrfs_http_request *request,
        const struct skrfs_http_retry *retry, unsigned attempt, uint64_t asked_ns) {
    if (attempt >= retry->attempts)
        return false;
    uint64_t now = skrfs_now_ns();
    uint64_t when = now + pause_after(retry, attempt);
    if (asked_ns > when)
        when = asked_ns;
    /* A server that wants more patience than one pause may take, or than the deadline leaves, is
     * not bothered again: the caller is told now. */
    if (when - now > retry->max_ns || when >= request->deadline_ns)
        return false;
    return skrfs_sleep_until(when, request->deadline_ns);
}

static bool worth_another(const struct skrfs_http_retry *retry, int failed,
        const struct skrfs_http_answer *answer, const struct skrfs_error *err) {
    if (failed)
        return retry->transport && err->retryable;
    return listed(retry, answer->status);
}

int skrfs_http_send(struct skrfs_http *http, const struct skrfs_http_request *request,
        const struct skrfs_http_retry *retry, struct skrfs_http_answer *ret_answer,
        struct skrfs_error *err) {
    struct skrfs_error why = {0};
    for (unsigned attempt = 1;; attempt++) {
        skrfs_autoanswer answer = {0};
        int failed = http_transfer(http, request, &answer, &why);
        if (retry && worth_another(retry, failed, &answer, &why) &&
                wait_for_next(request, retry, attempt, failed ? 0 : answer.retry_at_ns))
            continue;
        if (failed) {
            *err = why;
            return attempt > 1 ? skrfs_wrap(err, "%u attempts", attempt) : -1;
        }
        skrfs_http_answer_done(ret_answer);
        *ret_answer = answer;
        answer = (struct skrfs_http_answer){0};
        return 0;
    }
}
