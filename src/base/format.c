#include <skrfs/base/format.h>

#include <string.h>

static const char *const names[SKRFS_FORMAT_COUNT] = {
        [SKRFS_FORMAT_DER] = "der",
        [SKRFS_FORMAT_PEM] = "pem",
        [SKRFS_FORMAT_JWK] = "jwk",
        [SKRFS_FORMAT_RAW] = "raw",
        [SKRFS_FORMAT_OPENSSH] = "openssh",
        [SKRFS_FORMAT_PUB_PEM] = "pub.pem",
        [SKRFS_FORMAT_PUB_DER] = "pub.der",
        [SKRFS_FORMAT_PUB_JWK] = "pub.jwk",
};

const char *skrfs_format_name(enum skrfs_format format) {
    return (unsigned)format < SKRFS_FORMAT_COUNT ? names[format] : "?";
}

bool skrfs_format_parse(const char *name, enum skrfs_format *ret_format) {
    for (int i = 0; i < SKRFS_FORMAT_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret_format = (enum skrfs_format)i;
            return true;
        }
    }
    return false;
}

bool skrfs_format_is_public(enum skrfs_format format) {
    return format == SKRFS_FORMAT_PUB_PEM || format == SKRFS_FORMAT_PUB_DER ||
           format == SKRFS_FORMAT_PUB_JWK;
}
