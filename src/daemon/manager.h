/* Questions to the service manager about the unit that this process belongs to. */
#ifndef SKRFS_SRC_DAEMON_MANAGER_H
#define SKRFS_SRC_DAEMON_MANAGER_H

#include <skrfs/base/error.h>
#include <stdint.h>

struct manager_unit {
    uint32_t stored;   /* descriptors in its store */
    bool is_restarted; /* an operator's restart is under way */
    bool is_stopped;   /* an operator's stop is */
};
/* SYSTEM when this process is of no unit or the manager does not answer. Takes 5 seconds at most.
 */
int manager_look(struct manager_unit *ret_unit, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
