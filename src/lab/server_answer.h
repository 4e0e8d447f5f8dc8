/* An answer onto its connection: rightly, or as a fault wants it. */
#ifndef SKRFS_LAB_SERVER_ANSWER_H
#define SKRFS_LAB_SERVER_ANSWER_H

#include "http.h"
#include <microhttpd.h>
#include <stdatomic.h>

/* Waits end early when `stopping` becomes true. */
enum MHD_Result skrfs_lab_answer_send(const atomic_bool *stopping,
        struct MHD_Connection *connection, struct skrfs_lab_answer *answer);

#endif
