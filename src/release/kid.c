/* Key identifiers, "https://host[:port]/keys/name[/version]", and nothing besides. */
#include "internal.h"

#include <string.h>

#define ALPHANUMERIC "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Copies the characters of `set` at *at, which must be some and fit, and steps over them. */
static bool take_part(const char **at, const char *set, char *out, size_t size) {
    size_t len = strspn(*at, set);
    if (len == 0 || len >= size)
        return false;
    memcpy(out, *at, len);
    out[len] = '\0';
    *at += len;
    return true;
}

static bool take_text(const char **at, const char *text) {
    size_t len = strlen(text);
    if (strncmp(*at, text, len) != 0)
        return false;
    *at += len;
    return true;
}

static bool take_host(const char **at, struct skrfs_kid *kid) {
    char port[8];
    /* An IPv6 address stands in brackets (RFC 3986 section 3.2.2), which the certificate's name has
     * not. */
    if (**at == '[') {
        ++*at;
        if (!take_part(at, "0123456789abcdefABCDEF:.", kid->host, sizeof(kid->host)) ||
                !take_text(at, "]"))
            return false;
    } else if (!take_part(at, ALPHANUMERIC "-.", kid->host, sizeof(kid->host)))
        return false;
    return !take_text(at, ":") || take_part(at, "0123456789", port, sizeof(port));
}

int skrfs_kid_parse(const char *text, struct skrfs_kid *ret_kid, struct skrfs_error *err) {
    struct skrfs_kid kid = {0};
    const char *at = text;
    bool good = strlen(text) < SKRFS_KID_MAX && take_text(&at, "https://") &&
                take_host(&at, &kid) && take_text(&at, "/keys/") &&
                take_part(&at, ALPHANUMERIC "-", kid.name, sizeof(kid.name));
    if (good && take_text(&at, "/"))
        good = take_part(&at, ALPHANUMERIC, kid.version, sizeof(kid.version));
    if (!good || *at != '\0')
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "not a key identifier");
    *ret_kid = kid;
    return 0;
}
