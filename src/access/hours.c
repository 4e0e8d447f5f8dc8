#include <skrfs/access/limits.h>
#include <stdio.h>
#include <string.h>

#define DAY_MINUTES 1440
#define DAY_SECONDS INT64_C(86400)
#define ALL_DAYS 0x7fU

static const char *const day_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static bool take_day(const char **at, unsigned *ret_day) {
    for (unsigned day = 0; day < 7; day++) {
        if (strncmp(*at, day_names[day], 3) == 0) {
            *at += 3;
            *ret_day = day;
            return true;
        }
    }
    return false;
}

/* "fri-mon" goes past Sunday. */
static bool take_span(const char **at, unsigned *days) {
    unsigned first, last;
    if (!take_day(at, &first))
        return false;
    last = first;
    if (**at == '-') {
        ++*at;
        if (!take_day(at, &last))
            return false;
    }
    for (unsigned day = first;; day = (day + 1) % 7) {
        *days |= 1U << day;
        if (day == last)
            return true;
    }
}

static bool take_days(const char **at, unsigned *ret_days) {
    unsigned days = 0;
    while (take_span(at, &days)) {
        if (**at == ',') {
            ++*at;
            continue;
        }
        *ret_days = days;
        return **at == ' ' || **at == '\t';
    }
    return false;
}

static bool is_digit(char letter) {
    return letter >= '0' && letter <= '9';
}

static bool take_clock(const char **at, unsigned *ret_minute) {
    const char *text = *at;
    if (!is_digit(text[0]) || !is_digit(text[1]) || text[2] != ':' || !is_digit(text[3]) ||
            !is_digit(text[4]))
        return false;
    unsigned hour = (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0');
    unsigned minute = (unsigned)(text[3] - '0') * 10 + (unsigned)(text[4] - '0');
    if (minute > 59 || hour * 60 + minute > DAY_MINUTES)
        return false;
    *ret_minute = hour * 60 + minute;
    *at += 5;
    return true;
}

int skrfs_hours_parse(const char *text, struct skrfs_hours *ret_hours, struct skrfs_error *err) {
    unsigned days = ALL_DAYS, from = 0, to = 0;
    const char *at = text;
    bool right = is_digit(*at) || take_days(&at, &days);
    at += strspn(at, " \t");
    right = right && take_clock(&at, &from) && *at++ == '-' && take_clock(&at, &to) && !*at;
    if (!right || from == DAY_MINUTES)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'%.64s' is no window of time; write days and hours (UTC) as in mon-fri "
                "08:00-18:00, or hours alone for every day",
                text);
    *ret_hours = (struct skrfs_hours){
            .days = (uint8_t)days, .from_minute = (uint16_t)from, .to_minute = (uint16_t)to};
    return 0;
}

/* Day 0, the first of 1970, was a Thursday. */
static unsigned weekday(int64_t day) {
    return (unsigned)(((day + 3) % 7 + 7) % 7);
}

static int64_t day_of(int64_t wall_s) {
    return wall_s >= 0 ? wall_s / DAY_SECONDS : -((-wall_s + DAY_SECONDS - 1) / DAY_SECONDS);
}

/* Of the window that begins on this day; false when none does. The end is the first second
 * outside. */
static bool window_of(
        const struct skrfs_hours *hours, int64_t day, int64_t *ret_begin, int64_t *ret_end) {
    if (!(hours->days >> weekday(day) & 1))
        return false;
    int64_t next = hours->to_minute > hours->from_minute ? 0 : DAY_SECONDS;
    *ret_begin = day * DAY_SECONDS + (int64_t)hours->from_minute * 60;
    *ret_end = day * DAY_SECONDS + (int64_t)hours->to_minute * 60 + next;
    return true;
}

bool skrfs_hours_contain(const struct skrfs_hours *hours, int64_t wall_s) {
    int64_t today = day_of(wall_s), begin, end;
    if (!hours->days)
        return true;
    for (int64_t day = today - 1; day <= today; day++)
        if (window_of(hours, day, &begin, &end) && wall_s >= begin && wall_s < end)
            return true;
    return false;
}

/* An end at which the next window begins is none. */
int64_t skrfs_hours_end(const struct skrfs_hours *hours, int64_t wall_s) {
    int64_t today = day_of(wall_s), begin, end;
    if (!hours->days)
        return SKRFS_NEVER_S;
    for (int64_t day = today - 1; day <= today + 8; day++)
        if (window_of(hours, day, &begin, &end) && end > wall_s && !skrfs_hours_contain(hours, end))
            return end;
    return SKRFS_NEVER_S;
}

static size_t days_print(unsigned days, char *out, size_t size) {
    size_t at = 0;
    out[0] = 0;
    if (days == ALL_DAYS)
        return 0;
    for (unsigned day = 0; day < 7; day++) {
        unsigned last = day;
        if (!(days >> day & 1))
            continue;
        while (last < 6 && days >> (last + 1) & 1)
            last++;
        at += (size_t)snprintf(out + at, size - at, "%s%s", at ? "," : "", day_names[day]);
        if (last > day)
            at += (size_t)snprintf(out + at, size - at, "-%s", day_names[last]);
        day = last;
    }
    return at;
}

void skrfs_hours_print(const struct skrfs_hours *hours, char out[SKRFS_HOURS_TEXT_MAX]) {
    out[0] = 0;
    if (!hours->days)
        return;
    size_t at = days_print(hours->days, out, SKRFS_HOURS_TEXT_MAX);
    (void)snprintf(out + at, SKRFS_HOURS_TEXT_MAX - at, "%s%02d:%02d-%02d:%02d", at ? " " : "",
            hours->from_minute / 60, hours->from_minute % 60, hours->to_minute / 60,
            hours->to_minute % 60);
}

int skrfs_hours_decide(const struct skrfs_hours *hours, int64_t wall_s,
        char rule[SKRFS_RULE_TEXT_MAX], struct skrfs_error *err) {
    char text[SKRFS_HOURS_TEXT_MAX];
    if (skrfs_hours_contain(hours, wall_s))
        return 0;
    skrfs_hours_print(hours, text);
    (void)snprintf(rule, SKRFS_RULE_TEXT_MAX, "hours %s", text);
    return skrfs_fail(err, SKRFS_CLASS_DENIED, "it is outside of the key's hours, %s (UTC)", text);
}
