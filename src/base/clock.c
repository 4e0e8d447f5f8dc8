#include <skrfs/base/clock.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Far enough for "never", near enough for every timespec arithmetic. */
#define LONGEST_WAIT_NS (UINT64_C(10) * 365 * 86400 * SKRFS_SECOND_NS)

static uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    if (clock_gettime(clock, &now))
        abort();
    return (uint64_t)now.tv_sec * SKRFS_SECOND_NS + (uint64_t)now.tv_nsec;
}

static struct timespec to_timespec(uint64_t ns) {
    return (struct timespec){
            .tv_sec = (time_t)(ns / SKRFS_SECOND_NS), .tv_nsec = (long)(ns % SKRFS_SECOND_NS)};
}

uint64_t skrfs_now_ns(void) {
    return read_clock(CLOCK_BOOTTIME);
}

int64_t skrfs_wall_s(void) {
    return (int64_t)(read_clock(CLOCK_REALTIME) / SKRFS_SECOND_NS);
}

uint64_t skrfs_until_ns(uint64_t deadline_ns) {
    if (deadline_ns == SKRFS_NEVER_NS)
        return SKRFS_NEVER_NS;
    uint64_t now = skrfs_now_ns();
    return now < deadline_ns ? deadline_ns - now : 0;
}

bool skrfs_sleep_until(uint64_t when_ns, uint64_t deadline_ns) {
    struct timespec end = to_timespec(when_ns < deadline_ns ? when_ns : deadline_ns);
    while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &end, NULL) == EINTR)
        continue;
    return when_ns <= deadline_ns;
}

void skrfs_format_time(int64_t wall_s, char *out, size_t size) {
    time_t when = (time_t)wall_s;
    struct tm parts;
    if (!gmtime_r(&when, &parts) || !strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &parts))
        snprintf(out, size, "?");
}

static uint64_t unit_seconds(const char *unit) {
    if (unit[0] != '\0' && unit[1] != '\0')
        return 0;
    switch (unit[0]) {
    case '\0':
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    default:
        return 0;
    }
}

bool skrfs_parse_duration(const char *text, uint64_t *ret_ns) {
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    char *end;
    unsigned long long count = strtoull(text, &end, 10);
    uint64_t unit = unit_seconds(end);
    if (errno || !unit || count > (SKRFS_NEVER_NS - 1) / (unit * SKRFS_SECOND_NS))
        return false;
    *ret_ns = count * unit * SKRFS_SECOND_NS;
    return true;
}

/* The two clocks differ by the time spent in suspend, which nobody can wait through: the distance
 * until the deadline is what counts. */
struct timespec skrfs_deadline_timespec(uint64_t deadline_ns) {
    uint64_t left = skrfs_until_ns(deadline_ns);
    if (left > LONGEST_WAIT_NS)
        left = LONGEST_WAIT_NS;
    return to_timespec(read_clock(CLOCK_MONOTONIC) + left);
}

int skrfs_cond_init(pthread_cond_t *cond) {
    pthread_condattr_t attributes;
    int errnum = pthread_condattr_init(&attributes);
    if (errnum)
        return errnum;
    errnum = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (!errnum)
        errnum = pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
    return errnum;
}
