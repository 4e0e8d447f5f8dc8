/* One CBOR item after another (RFC 8949), by libcbor's stateless decoder, which allocates nothing
 * whatever a length says. Pure; thread safe. */
#ifndef SKRFS_LAB_CBOR_ITEM_H
#define SKRFS_LAB_CBOR_ITEM_H

#include <skrfs/base/buf.h>

enum skrfs_lab_cbor_kind {
    SKRFS_LAB_CBOR_OTHER, /* floats, simple values, anything of indefinite length */
    SKRFS_LAB_CBOR_INTEGER,
    SKRFS_LAB_CBOR_OCTETS,
    SKRFS_LAB_CBOR_TEXT,
    SKRFS_LAB_CBOR_ARRAY,
    SKRFS_LAB_CBOR_MAP,
    SKRFS_LAB_CBOR_TAG,
};

struct skrfs_lab_cbor_item {
    enum skrfs_lab_cbor_kind kind;
    int64_t number;           /* INTEGER (INT64_MIN and INT64_MAX for those beyond), TAG */
    uint64_t count;           /* ARRAY: items; MAP: pairs */
    struct skrfs_bytes bytes; /* OCTETS, TEXT */
};

/* Takes the next item off the front of `left`; of an array, a map or a tag its head alone. False
 * when there is no whole one. */
bool skrfs_lab_cbor_next(struct skrfs_bytes *left, struct skrfs_lab_cbor_item *ret_item);
/* Takes a whole item off, with what is inside it (16 levels at most). */
bool skrfs_lab_cbor_skip(struct skrfs_bytes *left);
/* Takes an item of this kind off. */
bool skrfs_lab_cbor_need(struct skrfs_bytes *left, enum skrfs_lab_cbor_kind kind,
        struct skrfs_lab_cbor_item *ret_item);

#endif
