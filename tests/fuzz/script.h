/* Inputs of several parts, separated by lines that are "%%". */
#ifndef SKRFS_FUZZ_SCRIPT_H
#define SKRFS_FUZZ_SCRIPT_H

#include <skrfs/base/buf.h>
#include <string.h>

struct script {
    const uint8_t *at, *end;
};

/* The next part; empty when there is none. */
static inline struct skrfs_bytes script_next(struct script *script) {
    static const char separator[] = "\n%%\n";
    size_t left = (size_t)(script->end - script->at);
    struct skrfs_bytes part = {script->at, left};
    const uint8_t *end = left ? memmem(script->at, left, separator, sizeof(separator) - 1) : NULL;
    script->at = end ? end + sizeof(separator) - 1 : script->end;
    if (end)
        part.len = (size_t)(end - part.data);
    return part;
}

#endif
