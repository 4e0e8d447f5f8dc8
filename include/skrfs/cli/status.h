/* status/status.json for people. */
#ifndef SKRFS_CLI_STATUS_H
#define SKRFS_CLI_STATUS_H

#include <skrfs/json/json.h>

/* Appends a header line and a table of the keys. Members that are missing or of another kind are
 * shown as '-': the mount may be of another version. `width` and `colours` as in skrfs_table_print.
 */
int skrfs_status_print(const struct skrfs_json *status, const char *mount, size_t width,
        bool colours, struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
