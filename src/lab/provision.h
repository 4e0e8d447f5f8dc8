/* The lab's machine: a software TPM set up as the platform sets up the vTPM of a confidential VM.
 */
#ifndef SKRFS_LAB_PROVISION_H
#define SKRFS_LAB_PROVISION_H

#include "state.h"
#include <sys/types.h>

struct skrfs_lab_machine {
    pid_t swtpm;
    unsigned port; /* commands; control is on the next */
    char tcti[128];
    bool borrowed; /* the TPM was there: its boot is not the lab's, and there is no swtpm */
};
/* Makes the TPM's state in `dir`/tpm, starts swtpm as a child that ends with this process, fills
 * the TPM, and writes `dir`/event-log and `dir`/hcl-2600.bin. The connection to the TPM is closed
 * again. With a `tcti` it fills that TPM instead; what it measured at its boot stays unknown, and
 * there is no event log. */
int skrfs_lab_machine_start(const struct skrfs_lab *lab, const char *dir, const char *tcti,
        struct skrfs_lab_machine *ret_machine, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The first part of it: swtpm alone, with an empty TPM. */
int skrfs_lab_swtpm_start(const char *dir, struct skrfs_lab_machine *machine,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Ends swtpm and waits for it. */
void skrfs_lab_machine_stop(struct skrfs_lab_machine *machine);

#endif
