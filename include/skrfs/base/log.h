/* The log: one line an event on standard error, with the journal's priority prefix ("<4>") when
 * standard error is the journal (JOURNAL_STREAM), without it elsewhere. Every line may be
 * published: no token, no key byte, no answer's body at any level. Libraries return errors; only
 * the edges log. Thread safe. */
#ifndef SKRFS_BASE_LOG_H
#define SKRFS_BASE_LOG_H

#include <skrfs/base/error.h>

enum skrfs_log_level { SKRFS_LOG_ERROR, SKRFS_LOG_WARNING, SKRFS_LOG_INFO, SKRFS_LOG_DEBUG };

/* Most verbose level that is written (default INFO). */
void skrfs_log_set_level(enum skrfs_log_level level);
enum skrfs_log_level skrfs_log_level(void);
/* A word in front of each line that says which process speaks ("keeper", "courier"); kept by
 * pointer. */
void skrfs_log_set_name(const char *name);
void skrfs_log(enum skrfs_log_level level, const char *format, ...) SKRFS_PRINTF(2, 3);

#define skrfs_log_error(...) skrfs_log(SKRFS_LOG_ERROR, __VA_ARGS__)
#define skrfs_log_warning(...) skrfs_log(SKRFS_LOG_WARNING, __VA_ARGS__)
#define skrfs_log_info(...) skrfs_log(SKRFS_LOG_INFO, __VA_ARGS__)
#define skrfs_log_debug(...) skrfs_log(SKRFS_LOG_DEBUG, __VA_ARGS__)

#endif
