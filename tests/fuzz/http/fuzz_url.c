#include <skrfs/http/http.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A host that is handed out is the one that stands in the text, in lower case. */
static void check_host(const char *text) {
    struct skrfs_error err;
    char host[64];
    if (skrfs_url_host(text, host, sizeof(host), &err))
        return;
    size_t len = strlen(host);
    if (!len || strncasecmp(text + strlen("https://"), host, len) != 0)
        abort();
    if (text[strlen("https://") + len] && !strchr(":/?#", text[strlen("https://") + len]))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_autobuf escaped = SKRFS_BUF(3 * size);
    char *text = strndup((const char *)data, size);
    if (!text)
        return 0;
    check_host(text);
    if (skrfs_url_escape(text, &escaped, &err))
        abort();
    free(text);
    return 0;
}
