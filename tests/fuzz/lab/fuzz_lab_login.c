/* Token requests: forms, scopes, claims and assertions. No secret of the lab's is in them, so that
 * none may ever be granted. */
#include "entra.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct skrfs_lab *lab(void) {
    static struct skrfs_lab *made;
    struct skrfs_lab_ports ports = {1, 2};
    struct skrfs_error err;
    if (!made &&
            (skrfs_crypto_setup(&err) < 0 || skrfs_lab_new(&ports, false, false, &made, &err) < 0))
        abort();
    return made;
}

static const char *header(const void *context, const char *name) {
    (void)context;
    return strcmp(name, "Content-Type") == 0 ? "application/x-www-form-urlencoded" : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct skrfs_lab_request request = {.service = SKRFS_LAB_LOGIN,
            .method = "POST",
            .path = "/" SKRFS_LAB_TENANT "/oauth2/v2.0/token",
            .body = {data, size},
            .header = header};
    struct skrfs_lab_answer answer;
    skrfs_lab_answer_init(&answer, SKRFS_LAB_LOGIN);
    skrfs_lab_serve(lab(), &request, &answer);
    if (answer.status != 400 && answer.status != 401)
        __builtin_trap();
    skrfs_lab_answer_done(&answer);
    return 0;
}
