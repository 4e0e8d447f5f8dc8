/* Little-endian fields of reports. The caller has checked that they are inside. */
#ifndef SKRFS_SRC_EVIDENCE_BYTES_H
#define SKRFS_SRC_EVIDENCE_BYTES_H

#include <skrfs/base/buf.h>
#include <string.h>

static inline uint16_t get16(const uint8_t *at) {
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t get32(const uint8_t *at) {
    return (uint32_t)get16(at) | (uint32_t)get16(at + 2) << 16;
}

static inline uint64_t get64(const uint8_t *at) {
    return (uint64_t)get32(at) | (uint64_t)get32(at + 4) << 32;
}

static inline bool all_zero(const uint8_t *at, size_t len) {
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++)
        any |= at[i];
    return any == 0;
}

#endif
