#include "room.h"

#include <skrfs/base/clock.h>
#include <sys/random.h>

static bool listed(const struct skrfs_http_retry *retry, long status) {
    for (const long *at = retry->statuses; at && *at; at++)
        if (*at == status)
            return true;
    return !retry->strict && status >= 500 && status <= 599 && status != 501 && status != 505;
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

/* How often it was tried. */
struct tries {
    unsigned usual; /* attempts but those that ended on the steady status */
    unsigned steady;
};

static bool is_steady(
        const struct skrfs_http_retry *retry, int failed, const struct skrfs_http_answer *answer) {
    return !failed && retry->steady_status && answer->status == retry->steady_status;
}

static bool worth_another(const struct skrfs_http_retry *retry, int failed,
        const struct skrfs_http_answer *answer, const struct skrfs_error *err) {
    if (failed)
        return retry->transport && err->retryable;
    return listed(retry, answer->status) || is_steady(retry, failed, answer);
}

/* The pause before the next attempt and the longest that may be asked for; 0: there is no next. */
static uint64_t next_pause(const struct skrfs_http_retry *retry, struct tries *tries, bool steady,
        uint64_t *ret_most) {
    if (steady) {
        *ret_most = retry->steady_ns > retry->max_ns ? retry->steady_ns : retry->max_ns;
        return ++tries->steady <= retry->steady_times ? retry->steady_ns : 0;
    }
    *ret_most = retry->max_ns;
    return ++tries->usual < retry->attempts ? pause_after(retry, tries->usual) : 0;
}

/* Waits for the next attempt; false when there is none. */
static bool wait_for_next(const struct skrfs_http_request *request, uint64_t pause_ns,
        uint64_t most_ns, uint64_t asked_ns) {
    if (pause_ns == 0)
        return false;
    uint64_t now = skrfs_now_ns();
    uint64_t when = now + pause_ns;
    if (asked_ns > when)
        when = asked_ns;
    /* A server that wants more patience than one pause may take, or than the deadline leaves, is
     * not bothered again: the caller is told now. */
    if (when - now > most_ns || when >= request->deadline_ns)
        return false;
    return skrfs_sleep_until(when, request->deadline_ns);
}

/* True after a pause when it is to be tried again. */
static bool again(const struct skrfs_http_request *request, const struct skrfs_http_retry *retry,
        struct tries *tries, int failed, struct skrfs_http_answer *answer,
        const struct skrfs_error *why) {
    if (!retry || !worth_another(retry, failed, answer, why))
        return false;
    uint64_t most = 0;
    bool steady = is_steady(retry, failed, answer);
    uint64_t pause = next_pause(retry, tries, steady, &most);
    if (wait_for_next(request, pause, most, failed ? 0 : answer->retry_at_ns))
        return true;
    if (steady && !answer->retry_at_ns)
        answer->retry_at_ns = skrfs_now_ns() + retry->steady_ns;
    return false;
}

int skrfs_http_send(struct skrfs_http *http, const struct skrfs_http_request *request,
        const struct skrfs_http_retry *retry, struct skrfs_http_answer *ret_answer,
        struct skrfs_error *err) {
    struct skrfs_error why = {0};
    struct tries tries = {0};
    for (unsigned attempt = 1;; attempt++) {
        skrfs_autoanswer answer = {0};
        int failed = http_transfer(http, request, &answer, &why);
        if (again(request, retry, &tries, failed, &answer, &why))
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
