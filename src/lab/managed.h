/* Endpoints of managed identities. */
#ifndef SKRFS_LAB_MANAGED_H
#define SKRFS_LAB_MANAGED_H

#include "directory.h"
#include "identities.h"

/* The header that says that no proxy was between. -1 with `answer` refused. */
int skrfs_lab_metadata_check(
        const struct skrfs_lab_request *request, struct skrfs_lab_answer *answer) SKRFS_MUST_CHECK;
/* Each leaves `answer` answered. Arc's keys are put into `dir`/arc. */
void skrfs_lab_imds_token(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer);
void skrfs_lab_app_service_token(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer);
void skrfs_lab_arc_token(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer);

#endif
