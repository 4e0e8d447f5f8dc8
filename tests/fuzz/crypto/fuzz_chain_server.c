/* A server's certificates against anchors, a host and a time: "TIME HOST\n", anchors and chain as
 * PEM with a NUL between. */
#include <skrfs/crypto/x509.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void verify(const char *line, const char *anchors, const char *pem) {
    struct skrfs_error err;
    char *host = NULL;
    uint8_t digest[32];
    skrfs_autochain *chain = NULL;
    SKRFS_CLEANUP(skrfs_trust_free_p) struct skrfs_trust *trust = NULL;
    int64_t wall_s = strtoll(line, &host, 10);
    if (*host == ' ')
        host++;
    if (skrfs_chain_from_pem(pem, strlen(pem), &chain, &err) < 0)
        return;
    (void)!skrfs_chain_root_key_digest(chain, digest, &err);
    (void)!skrfs_chain_verify_links(chain, &err);
    if (skrfs_trust_from_pem(anchors, strlen(anchors), &trust, &err) == 0)
        (void)!skrfs_chain_verify_server(chain, trust, host, wall_s, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = strndup((const char *)data, size);
    if (!text)
        return 0;
    size_t len = strlen(text);
    char *pem = len < size ? strndup((const char *)data + len + 1, size - len - 1) : NULL;
    char *end = strchr(text, '\n');
    if (pem && end) {
        *end = '\0';
        verify(text, end + 1, pem);
    }
    free(pem);
    free(text);
    return 0;
}
