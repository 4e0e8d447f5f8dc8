/* WWW-Authenticate of a vault and of the Azure Arc agent, and the claims that are demanded in it.
 * What comes out goes into URLs and opens files. */
#include "../../../src/azure/login.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    struct challenge challenge;
    char header[SKRFS_HTTP_CHALLENGE_MAX];
    skrfs_autobuf key = SKRFS_BUF(CLIENT_SECRET_MAX), claims = SKRFS_BUF(CLAIMS_MAX * 2);
    skrfs_text_clean((const char *)data, size, header, sizeof(header));
    skrfs_challenge_read(header, &challenge);
    if (strpbrk(challenge.tenant, "/?#%@:\\ "))
        abort();
    if (challenge.wants_claims && skrfs_claims_merge(challenge.claims, &claims, &err) == 0 &&
            !strstr(skrfs_buf_text(&claims), "cp1"))
        abort();
    if (skrfs_arc_key(header, "/nonexistent", &key, &err) == 0)
        abort();
    return 0;
}
