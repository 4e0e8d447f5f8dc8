/* What takes a key back by itself: as the configuration writes it, and what it says of a moment.
 * Pure; thread safe. */
#ifndef SKRFS_ACCESS_LIMITS_H
#define SKRFS_ACCESS_LIMITS_H

#include <skrfs/access/access.h>

#define SKRFS_NEVER_S INT64_MAX
#define SKRFS_HOURS_TEXT_MAX 48

/* All zero: nothing does. Of the three of `until` at most one is set. */
struct skrfs_limits {
    uint64_t reads;    /* opens that are granted; 0: any number */
    int64_t until_s;   /* seconds since 1970; 0: not set */
    uint64_t until_ns; /* since the mount began, or the key was renewed; 0: not set */
    char *until_unit;  /* until this systemd unit is active; NULL: not set */
};

static inline bool skrfs_limits_any(const struct skrfs_limits *limits) {
    return limits->reads || limits->until_s || limits->until_ns || limits->until_unit;
}

/* Parses "mon-fri 08:00-18:00", "sat,sun 00:00-24:00", "22:00-06:00" (every day). Days are mon,
 * tue, wed, thu, fri, sat and sun, single, as spans (which may go past Sunday) or listed with
 * commas; times are UTC. CONFIG with what is meant. */
int skrfs_hours_parse(
        const char *text, struct skrfs_hours *ret_hours, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Whether the window is open at `wall_s` (seconds since 1970); without a window it always is. */
bool skrfs_hours_contain(const struct skrfs_hours *hours, int64_t wall_s);
/* The decision's second step: 0 inside; DENIED, and `rule` says by what, outside. */
int skrfs_hours_decide(const struct skrfs_hours *hours, int64_t wall_s,
        char rule[SKRFS_RULE_TEXT_MAX], struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The first second after `wall_s` that is outside while the one before it is inside; SKRFS_NEVER_S
 * when there is none (no window, or one that never closes). */
int64_t skrfs_hours_end(const struct skrfs_hours *hours, int64_t wall_s);
/* As it would be written: "mon-fri 08:00-18:00". "" without a window. */
void skrfs_hours_print(const struct skrfs_hours *hours, char out[SKRFS_HOURS_TEXT_MAX]);

/* Parses the value of `until`: a time of RFC 3339 ("2026-12-31T18:00:00Z", or with an offset), a
 * duration ("10m"), or "unit:NAME.service". Sets one of the three; `limits` must have none set.
 * CONFIG with what is meant. */
int skrfs_until_parse(
        const char *text, struct skrfs_limits *limits, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* "2026-12-31T18:00:00Z" and the like alone. False when it is none. */
bool skrfs_time_parse(const char *text, int64_t *ret_wall_s);
void skrfs_limits_done(struct skrfs_limits *limits);

#endif
