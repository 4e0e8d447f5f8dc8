/* Whether a systemd unit is active: asked of the manager over the system bus, by the witness. */
#ifndef SKRFS_SRC_DAEMON_UNITS_H
#define SKRFS_SRC_DAEMON_UNITS_H

#include <skrfs/base/cleanup.h>
#include <skrfs/base/error.h>

/* The longest answer of the manager's, for each of the two questions that one takes. */
#define UNITS_PATIENCE_US (UINT64_C(300) * 1000)

struct units;
/* Connects, so that nothing but messages is needed afterwards. A bus that is not there is no
 * failure: each question is then answered with the reason. */
int units_new(struct units **ret_units, struct skrfs_error *err) SKRFS_MUST_CHECK;
void units_free(struct units *units);
SKRFS_DEFINE_CLEANUP(struct units, units_free)
/* *ret_active: active, or reloading what is active. A unit that is not loaded is not. UNAVAILABLE
 * when the manager could not be asked; a connection that broke stays so. */
int units_ask(struct units *units, const char *unit, bool *ret_active,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
