/* The relay: a process between the keeper and a TCTI that cannot live in the keeper's sandbox
 * because it connects anew for each command (swtpm's). It forwards whole commands and, as the
 * kernel's resource manager does, flushes what its client left loaded when the client goes away. */
#ifndef SKRFS_TPM_RELAY_H
#define SKRFS_TPM_RELAY_H

#include <skrfs/base/error.h>

/* True when the TCTI can be opened before a sandbox closes and needs no relay (device:...). */
bool skrfs_tpm_tcti_is_device(const char *tcti);
/* Serves one client on `fd` (SOCK_SEQPACKET, one command or response a packet) until it closes,
 * then flushes. Its process must hold no copy of the client's end, or it never sees the client go.
 * A TPM that cannot be reached, at the start too, is told to the client, command by command, and
 * tried again with the next one. Returns 0 when the client closed; a malformed command is
 * BAD_ANSWER. */
int skrfs_tpm_relay(const char *tcti, int fd, struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
