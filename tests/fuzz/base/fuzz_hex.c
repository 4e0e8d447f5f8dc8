#include <skrfs/base/encode.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first octet says how many octets are expected. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    uint8_t octets[256];
    char again[513];
    if (size < 1)
        return 0;
    char *text = strndup((const char *)data + 1, size - 1);
    if (!text)
        return 0;
    if (skrfs_hex_decode(text, octets, data[0], &err) == 0) {
        skrfs_hex_encode(octets, data[0], again);
        if (strcasecmp(again, text) != 0)
            abort();
    }
    free(text);
    return 0;
}
