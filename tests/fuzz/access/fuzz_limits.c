/* Hours and `until` as the configuration writes them: what is accepted comes back the same from
 * its own print, and its ends lie outside. */
#include <skrfs/access/limits.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_hours(const struct skrfs_hours *hours, int64_t wall_s) {
    char text[SKRFS_HOURS_TEXT_MAX];
    struct skrfs_hours again;
    struct skrfs_error err;
    skrfs_hours_print(hours, text);
    if (skrfs_hours_parse(text, &again, &err) || hours->days != again.days ||
            hours->from_minute != again.from_minute || hours->to_minute != again.to_minute)
        __builtin_trap();
    int64_t end = skrfs_hours_end(hours, wall_s);
    if (end != SKRFS_NEVER_S && (end <= wall_s || skrfs_hours_contain(hours, end) ||
                                        !skrfs_hours_contain(hours, end - 1)))
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_limits limits = {0};
    struct skrfs_hours hours;
    struct skrfs_error err;
    char *text = strndup((const char *)data, size);
    if (!text)
        return 0;
    if (skrfs_hours_parse(text, &hours, &err) == 0)
        check_hours(&hours, (int64_t)size * 1234567);
    if (skrfs_until_parse(text, &limits, &err) == 0 && !skrfs_limits_any(&limits))
        __builtin_trap();
    skrfs_limits_done(&limits);
    free(text);
    return 0;
}
