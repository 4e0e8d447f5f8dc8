/* Requests to the lab's services without the network. */
#ifndef TESTS_LAB_CALLS_H
#define TESTS_LAB_CALLS_H

#include "state.h"

/* A request: query and headers as "name=value" with '&' or '\n' between. */
struct call {
    enum skrfs_lab_service service;
    const char *method, *path, *query, *headers, *body;
};
/* Answers it into `answer`, which the caller is done with. */
void call_lab(struct skrfs_lab *lab, const struct call *call, struct skrfs_lab_answer *answer);
/* The same, and the status. The body's JSON (NULL when it is none) goes to *ret_json if that is not
 * NULL. */
unsigned call_json(struct skrfs_lab *lab, const struct call *call, struct skrfs_json **ret_json);
/* "Authorization=Bearer ..." with a token for the service; kept until the next call. */
const char *bearer(struct skrfs_lab *lab, enum skrfs_lab_service service);

/* One request and what must come of it. */
struct row {
    enum skrfs_lab_service service;
    const char *method, *path, *query, *headers, *body; /* headers "bearer": a good token */
    unsigned status;
    const char *said; /* somewhere in the body */
};
/* Asserts of each row that the answer is what it says. */
void run_rows(struct skrfs_lab *lab, const struct row *rows, size_t count);
/* A text member (of member `outer`, if that is not NULL), or "". */
const char *text_at(const struct skrfs_json *json, const char *outer, const char *name);

#endif
