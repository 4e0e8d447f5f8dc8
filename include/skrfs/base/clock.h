/* Time. Deadlines are absolute, in nanoseconds of CLOCK_BOOTTIME (which goes on in suspend). */
#ifndef SKRFS_BASE_CLOCK_H
#define SKRFS_BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define SKRFS_SECOND_NS UINT64_C(1000000000)
#define SKRFS_MILLISECOND_NS UINT64_C(1000000)
#define SKRFS_NEVER_NS UINT64_MAX

/* Now, for deadlines and ages. */
uint64_t skrfs_now_ns(void);
/* Now, in seconds since 1970, for certificates, tokens and people. */
int64_t skrfs_wall_s(void);
/* Nanoseconds until the deadline, 0 when it has passed; SKRFS_NEVER_NS stays. */
uint64_t skrfs_until_ns(uint64_t deadline_ns);
/* Sleeps until `when_ns`, or until `deadline_ns` if that is earlier; true when `when_ns` was
 * reached. */
bool skrfs_sleep_until(uint64_t when_ns, uint64_t deadline_ns);
/* "2026-01-31T08:15:00Z" into at least 21 octets. */
void skrfs_format_time(int64_t wall_s, char *out, size_t size);
/* Parses "90", "90s", "15m", "1h", "7d" into nanoseconds; false when it is none of these. */
bool skrfs_parse_duration(const char *text, uint64_t *ret_ns);
/* An absolute CLOCK_BOOTTIME value turned into a CLOCK_MONOTONIC timespec for
 * pthread_cond_timedwait on a condition made by skrfs_cond_init. */
struct timespec skrfs_deadline_timespec(uint64_t deadline_ns);
/* A condition that is waited for with such a timespec. 0, or an errno value like pthread_cond_init.
 */
int skrfs_cond_init(pthread_cond_t *cond);

#endif
