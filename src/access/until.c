#include <skrfs/access/limits.h>
#include <skrfs/base/clock.h>
#include <stdlib.h>
#include <string.h>

/* RFC 3339, section 5.6: fixed places. */
#define DATE_TIME_LEN 19 /* "2026-12-31T18:00:00" */

static bool number_at(const char *text, size_t from, size_t len, int least, int most, int *ret) {
    int value = 0;
    for (size_t i = from; i < from + len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (text[i] - '0');
    }
    *ret = value;
    return value >= least && value <= most;
}

/* Days since 1970 of a date of the Gregorian calendar (March is the first month of the reckoning,
 * so that the leap day is the last of a year). */
static int64_t days_of(int year, int month, int day) {
    int64_t shifted = (int64_t)year - (month <= 2);
    int64_t era = shifted / 400, of_era = shifted % 400;
    int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int days_in(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* "Z" or "+01:00"; nothing may follow. */
static bool parse_offset(const char *text, int64_t *ret_seconds) {
    int hours, minutes;
    if ((text[0] == 'Z' || text[0] == 'z') && !text[1]) {
        *ret_seconds = 0;
        return true;
    }
    if (strlen(text) != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':' ||
            !number_at(text, 1, 2, 0, 23, &hours) || !number_at(text, 4, 2, 0, 59, &minutes))
        return false;
    *ret_seconds = (text[0] == '-' ? -1 : 1) * ((int64_t)hours * 3600 + (int64_t)minutes * 60);
    return true;
}

bool skrfs_time_parse(const char *text, int64_t *ret_wall_s) {
    int year, month, day, hour, minute, second;
    int64_t offset;
    if (strlen(text) <= DATE_TIME_LEN || text[4] != '-' || text[7] != '-' || text[13] != ':' ||
            text[16] != ':' || !strchr("Tt ", text[10]))
        return false;
    if (!number_at(text, 0, 4, 1970, 9999, &year) || !number_at(text, 5, 2, 1, 12, &month) ||
            !number_at(text, 8, 2, 1, days_in(year, month), &day) ||
            !number_at(text, 11, 2, 0, 23, &hour) || !number_at(text, 14, 2, 0, 59, &minute) ||
            !number_at(text, 17, 2, 0, 60, &second) || !parse_offset(text + DATE_TIME_LEN, &offset))
        return false;
    int64_t wall_s = days_of(year, month, day) * 86400 + (int64_t)hour * 3600 +
                     (int64_t)minute * 60 + second - offset;
    if (wall_s <= 0)
        return false;
    *ret_wall_s = wall_s;
    return true;
}

/* systemd.unit(5): letters, digits, ":-_.\" and '@', and a suffix behind a dot. */
static int parse_unit(const char *name, struct skrfs_limits *limits, struct skrfs_error *err) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  ":-_.\\@";
    const char *dot = strrchr(name, '.');
    if (name[strspn(name, letters)] || strlen(name) >= SKRFS_UNIT_MAX || !dot || dot == name ||
            !dot[1])
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'unit:%.64s' is no unit; write its whole name, as in unit:multi-user.target",
                name);
    limits->until_unit = strdup(name);
    return limits->until_unit ? 0 : skrfs_fail_memory(err);
}

int skrfs_until_parse(const char *text, struct skrfs_limits *limits, struct skrfs_error *err) {
    uint64_t duration = 0;
    if (strncmp(text, "unit:", 5) == 0)
        return parse_unit(text + 5, limits, err);
    if (skrfs_time_parse(text, &limits->until_s))
        return 0;
    if (!skrfs_parse_duration(text, &duration) || !duration)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'%.64s' is none of a time (2026-12-31T18:00:00Z), a duration from the mount's "
                "beginning (10m) and unit:NAME",
                text);
    limits->until_ns = duration;
    return 0;
}

void skrfs_limits_done(struct skrfs_limits *limits) {
    free(limits->until_unit);
    *limits = (struct skrfs_limits){0};
}
