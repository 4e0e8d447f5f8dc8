#include <skrfs/base/encode.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is decoded encodes to the same digits: there is one text for each value. */
static void round_trip(enum skrfs_base64 kind, const char *text, size_t len) {
    struct skrfs_error err;
    skrfs_autobuf plain = SKRFS_BUF(len);
    skrfs_autobuf again = SKRFS_BUF(len + 4);
    if (skrfs_base64_decode(kind, text, len, &plain, &err))
        return;
    if (skrfs_base64_encode(kind, plain.data, plain.len, &again, &err))
        abort();
    while (len && kind == SKRFS_BASE64URL && text[len - 1] == '=')
        len--;
    if (again.len != len || (len && memcmp(again.data, text, len) != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_autobuf any = SKRFS_BUF(size);
    round_trip(SKRFS_BASE64, (const char *)data, size);
    round_trip(SKRFS_BASE64URL, (const char *)data, size);
    (void)!skrfs_base64_decode(SKRFS_BASE64_ANY, (const char *)data, size, &any, &err);
    return 0;
}
