/* What the verbs show: results on stdout, words on stderr, colour and progress on terminals alone.
 */
#ifndef SKRFS_CLI_OUTPUT_H
#define SKRFS_CLI_OUTPUT_H

#include <skrfs/base/buf.h>
#include <skrfs/conf/conf.h>

#define SKRFS_OUTPUT_MAX ((size_t)16 * 1024 * 1024) /* longest result built in memory */

#define SKRFS_STYLE_BOLD "\033[1m"
#define SKRFS_STYLE_GOOD "\033[32m"
#define SKRFS_STYLE_WAIT "\033[33m"
#define SKRFS_STYLE_BAD "\033[31m"
#define SKRFS_STYLE_END "\033[0m"

/* True when `fd` is a terminal that takes colours: not under NO_COLOR (https://no-color.org), not a
 * dumb one. */
bool skrfs_colours(int fd);
/* Columns of the terminal behind `fd`, 0 when it is none. */
size_t skrfs_columns(int fd);

/* Writes the buffer to stdout. */
int skrfs_print(const struct skrfs_buf *text, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* A line on stderr when the configuration is a lab's. */
void skrfs_lab_note(const char *lab_dir);

/* A table for reading. Cells are copied and cleaned of control characters. */
#define SKRFS_TABLE_COLUMNS_MAX 8
struct skrfs_table {
    size_t columns, rows;
    char **cells;        /* rows * columns; row 0 is the header */
    const char **styles; /* one a row, NULL: plain */
    size_t style_column; /* which column takes the row's style */
};
void skrfs_table_done(struct skrfs_table *table);
#define skrfs_autotable SKRFS_CLEANUP(skrfs_table_done) struct skrfs_table
/* Adds a row of table->columns cells (a NULL cell is empty). `style` is kept by pointer. */
int skrfs_table_add(struct skrfs_table *table, const char *const *cells, const char *style,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends the table. A line longer than `width` (0: no limit) loses its end. */
int skrfs_table_print(const struct skrfs_table *table, size_t width, bool colours,
        struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* "42s", "5m", "3h", "2d" into `out`. */
void skrfs_age_print(int64_t seconds, char *out, size_t size);

/* A line on stderr that says what is being waited for and for how long, drawn by a thread once half
 * a second has passed, and only on a terminal. Returns NULL where there is none; stopping NULL is
 * allowed. */
struct skrfs_progress;
struct skrfs_progress *skrfs_progress_start(const char *what);
void skrfs_progress_stop(struct skrfs_progress *progress);
SKRFS_DEFINE_CLEANUP(struct skrfs_progress, skrfs_progress_stop)
#define skrfs_autoprogress SKRFS_CLEANUP(skrfs_progress_stop_p) struct skrfs_progress

#endif
