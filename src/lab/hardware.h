/* Writes what skrfs_lab_hardware_load reads. */
#ifndef SKRFS_SRC_LAB_HARDWARE_H
#define SKRFS_SRC_LAB_HARDWARE_H

#include "pki.h"
#include <skrfs/json/json.h>

int skrfs_lab_hardware_save(
        const char *dir, const struct skrfs_lab_pki *pki, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* imds.c: what THIM says of the lab's chip, now or for the firmware before. */
int skrfs_lab_thim_json(const struct skrfs_lab_pki *pki, bool stale, struct skrfs_json **ret_json,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
