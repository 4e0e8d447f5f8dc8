/* The certificate table of an extended report. Its GUIDs are written in either of two ways: as RFC
 * 4122 prints them, or with their first three numbers little endian as the kernel's guid_t. */
#include "bytes.h"

#include <skrfs/evidence/snp.h>

enum { ENTRY_LEN = 24, GUID_LEN = 16, AT_OFFSET = 16, AT_LENGTH = 20, ENTRIES_MAX = 32 };

enum part { LEAF, INTERMEDIATE, ROOT, PARTS };

static const struct {
    uint8_t guid[GUID_LEN];
    enum part part;
} known[] = {
        /* VCEK, VLEK, ASK or ASVK, ARK */
        {{0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac,
                 0xcd},
                LEAF},
        {{0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8,
                 0xa1},
                LEAF},
        {{0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7,
                 0x82},
                INTERMEDIATE},
        {{0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0,
                 0xae},
                ROOT},
};

static bool same_guid(const uint8_t *entry, const uint8_t guid[GUID_LEN]) {
    static const uint8_t mixed[] = {3, 2, 1, 0, 5, 4, 7, 6};
    bool swapped = memcmp(entry + 8, guid + 8, 8) == 0;
    for (size_t i = 0; i < sizeof(mixed); i++)
        swapped &= entry[i] == guid[mixed[i]];
    return swapped || memcmp(entry, guid, GUID_LEN) == 0;
}

static enum part part_of(const uint8_t *entry) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(known); i++)
        if (same_guid(entry, known[i].guid))
            return known[i].part;
    return PARTS; /* revocation lists and what is yet to come */
}

static int read_entries(
        struct skrfs_bytes table, struct skrfs_bytes parts[PARTS], struct skrfs_error *err) {
    for (size_t i = 0; i < ENTRIES_MAX; i++) {
        if ((i + 1) * ENTRY_LEN > table.len)
            return skrfs_fail(
                    err, SKRFS_CLASS_BAD_ANSWER, "the host's certificate table has no end");
        const uint8_t *entry = table.data + i * ENTRY_LEN;
        if (all_zero(entry, ENTRY_LEN))
            return 0;
        size_t offset = get32(entry + AT_OFFSET), len = get32(entry + AT_LENGTH);
        if (offset > table.len || len > table.len - offset)
            return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                    "the host's certificate table points outside itself");
        enum part part = part_of(entry);
        if (part != PARTS && !parts[part].data)
            parts[part] = (struct skrfs_bytes){table.data + offset, len};
    }
    return skrfs_fail(
            err, SKRFS_CLASS_BAD_ANSWER, "the host's certificate table has too many entries");
}

int skrfs_snp_table_pem(
        struct skrfs_bytes table, struct skrfs_buf *ret_pem, struct skrfs_error *err) {
    struct skrfs_bytes parts[PARTS] = {0}, certs[PARTS];
    skrfs_autochain *chain = NULL;
    size_t count = 0;
    if (all_zero(table.data, table.len)) /* a host that gives none leaves it empty */
        return 0;
    if (read_entries(table, parts, err) < 0)
        return -1;
    if (!parts[LEAF].data)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the host's certificate table has neither a VCEK nor a VLEK");
    for (size_t i = 0; i < PARTS; i++)
        if (parts[i].data)
            certs[count++] = parts[i];
    if (skrfs_chain_from_der(certs, count, &chain, err) < 0)
        return skrfs_wrap(err, "the host's certificate table");
    return skrfs_chain_pem(chain, ret_pem, err);
}
