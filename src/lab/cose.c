/* The endorsement of a utility VM: COSE_Sign1 (RFC 9052) whose payload is JSON and whose signer's
 * chain is in header parameter 33 (RFC 9360), as in the reference info of Azure's confidential
 * containers. */
#include "proof.h"
#include "roots.h"

#include <cbor.h>
#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>

#define COSE_SIGN1_TAG 0xd2 /* tag 18 */
#define HEADER_ALG 1
#define HEADER_CONTENT_TYPE 3
#define HEADER_X5CHAIN 33
#define PAYLOAD_MAX ((size_t)16 * 1024)
#define STRUCTURE_MAX ((size_t)128 * 1024)

/* IANA, COSE algorithms. */
enum { ALG_ES384 = -35, ALG_PS256 = -37, ALG_PS384 = -38 };

static void item_done(cbor_item_t **item) {
    if (*item)
        cbor_decref(item);
}
#define autoitem SKRFS_CLEANUP(item_done) cbor_item_t

static int malformed(struct skrfs_error *err, const char *what) {
    return skrfs_fail(err, SKRFS_CLASS_REJECTED, "the endorsement's %s is malformed", what);
}

static int load(struct skrfs_bytes data, const char *what, cbor_item_t **ret_item,
        struct skrfs_error *err) {
    struct cbor_load_result result;
    cbor_item_t *item = cbor_load(data.data, data.len, &result);
    if (!item || result.error.code != CBOR_ERR_NONE || result.read != data.len) {
        if (item)
            cbor_decref(&item);
        return malformed(err, what);
    }
    *ret_item = item;
    return 0;
}

/* Octets of a definite byte string, borrowed. */
static bool octets(const cbor_item_t *item, struct skrfs_bytes *ret_bytes) {
    if (!item || !cbor_isa_bytestring(item) || !cbor_bytestring_is_definite(item))
        return false;
    *ret_bytes = (struct skrfs_bytes){cbor_bytestring_handle(item), cbor_bytestring_length(item)};
    return true;
}

/* A member of a map by its small integer label, borrowed. */
static const cbor_item_t *label(const cbor_item_t *map, uint64_t wanted) {
    const struct cbor_pair *pairs = cbor_map_handle(map);
    for (size_t i = 0; i < cbor_map_size(map); i++)
        if (cbor_isa_uint(pairs[i].key) && cbor_get_int(pairs[i].key) == wanted)
            return pairs[i].value;
    return NULL;
}

static int algorithm(const cbor_item_t *header, int *ret_alg, struct skrfs_error *err) {
    const cbor_item_t *alg = label(header, HEADER_ALG);
    if (!alg || !cbor_isa_negint(alg) || cbor_get_int(alg) > 255)
        return malformed(err, "algorithm");
    *ret_alg = -1 - (int)cbor_get_int(alg);
    return 0;
}

static int signer_chain(
        const cbor_item_t *header, struct skrfs_chain **ret_chain, struct skrfs_error *err) {
    struct skrfs_bytes certs[SKRFS_CHAIN_MAX];
    const cbor_item_t *list = label(header, HEADER_X5CHAIN);
    if (!list || !cbor_isa_array(list) || cbor_array_size(list) > SKRFS_CHAIN_MAX ||
            cbor_array_size(list) == 0)
        return malformed(err, "certificate chain");
    cbor_item_t **items = cbor_array_handle(list);
    for (size_t i = 0; i < cbor_array_size(list); i++)
        if (!octets(items[i], &certs[i]))
            return malformed(err, "certificate chain");
    if (skrfs_chain_from_der(certs, cbor_array_size(list), ret_chain, err) < 0 ||
            skrfs_chain_verify_links(*ret_chain, err) < 0) {
        err->kind = SKRFS_CLASS_REJECTED;
        return skrfs_wrap(err, "the endorsement's certificate chain");
    }
    return 0;
}

/* The head of a byte string (RFC 8949, section 3.1). */
static int append_octets(struct skrfs_buf *out, struct skrfs_bytes data, struct skrfs_error *err) {
    uint8_t head[5] = {0x5a, (uint8_t)(data.len >> 24), (uint8_t)(data.len >> 16),
            (uint8_t)(data.len >> 8), (uint8_t)data.len};
    size_t at = 4, len = 1;
    if (data.len < 24) {
        head[at] = (uint8_t)(0x40 | data.len);
    } else if (data.len < 256) {
        at = 3;
        head[at] = 0x58;
        len = 2;
    } else if (data.len < 65536) {
        at = 2;
        head[at] = 0x59;
        len = 3;
    } else {
        at = 0;
        len = 5;
    }
    if (skrfs_buf_append(out, head + at, len, err) < 0)
        return -1;
    return skrfs_buf_append(out, data.data, data.len, err);
}

/* Sig_structure: ["Signature1", protected header, no external data, payload]. */
static int structure(struct skrfs_bytes header, struct skrfs_bytes payload, struct skrfs_buf *out,
        struct skrfs_error *err) {
    static const char head[] = "\x84\x6aSignature1";
    if (skrfs_buf_append(out, head, sizeof(head) - 1, err) < 0 ||
            append_octets(out, header, err) < 0 ||
            append_octets(out, (struct skrfs_bytes){0}, err) < 0)
        return -1;
    return append_octets(out, payload, err);
}

static int check_signature(int alg, const struct skrfs_chain *chain, struct skrfs_bytes data,
        struct skrfs_bytes signature, struct skrfs_error *err) {
    skrfs_autopkey *key = NULL;
    if (skrfs_chain_leaf_key(chain, &key, err) < 0)
        return -1;
    switch (alg) {
    case ALG_ES384:
        return skrfs_ecdsa_verify(key, SKRFS_SHA384, data, signature, err);
    case ALG_PS256:
        return skrfs_pss_verify(key, SKRFS_SHA256, data, signature, err);
    case ALG_PS384:
        return skrfs_pss_verify(key, SKRFS_SHA384, data, signature, err);
    default:
        return skrfs_fail(err, SKRFS_CLASS_REJECTED, "algorithm %d is not known", alg);
    }
}

/* {"x-ms-sevsnpvm-launchmeasurement": hex, "x-ms-sevsnpvm-guestsvn": "22"} */
static int read_payload(struct skrfs_bytes payload, struct skrfs_lab_endorsement *ret_endorsement,
        struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    const char *measurement = NULL, *svn = NULL;
    struct skrfs_lab_endorsement endorsement = {0};
    if (skrfs_json_parse((const char *)payload.data, payload.len, PAYLOAD_MAX, &json, err) < 0 ||
            skrfs_json_need_string(json, "x-ms-sevsnpvm-launchmeasurement", &measurement, err) <
                    0 ||
            skrfs_hex_decode(measurement, endorsement.measurement, sizeof(endorsement.measurement),
                    err) < 0 ||
            skrfs_json_need_string(json, "x-ms-sevsnpvm-guestsvn", &svn, err) < 0)
        return malformed(err, "payload");
    for (const char *digit = svn; *digit; digit++) {
        if (*digit < '0' || *digit > '9' || digit - svn > 8)
            return malformed(err, "payload");
        endorsement.svn = endorsement.svn * 10 + (*digit - '0');
    }
    *ret_endorsement = endorsement;
    return 0;
}

/* The four parts of a COSE_Sign1, borrowed from `root`. */
struct parts {
    struct skrfs_bytes header, payload, signature;
};

static int take_apart(const cbor_item_t *array, struct parts *ret_parts, struct skrfs_error *err) {
    if (!cbor_isa_array(array) || cbor_array_size(array) != 4)
        return malformed(err, "COSE_Sign1");
    cbor_item_t **items = cbor_array_handle(array);
    if (!octets(items[0], &ret_parts->header) || !octets(items[2], &ret_parts->payload) ||
            !octets(items[3], &ret_parts->signature))
        return malformed(err, "COSE_Sign1");
    return 0;
}

static int verify(
        const struct parts *parts, const struct skrfs_chain *own, struct skrfs_error *err) {
    autoitem *header = NULL;
    skrfs_autochain *chain = NULL;
    skrfs_autobuf data = SKRFS_BUF(STRUCTURE_MAX);
    int alg = 0;
    if (load(parts->header, "header", &header, err) < 0)
        return -1;
    if (!cbor_isa_map(header))
        return malformed(err, "header");
    if (algorithm(header, &alg, err) < 0 || signer_chain(header, &chain, err) < 0 ||
            structure(parts->header, parts->payload, &data, err) < 0)
        return -1;
    if (!skrfs_lab_root_is(chain, own, SKRFS_LAB_MICROSOFT))
        return skrfs_fail(err, SKRFS_CLASS_REJECTED,
                "the endorsement's certificates do not end in a known root");
    if (check_signature(alg, chain, skrfs_buf_bytes(&data), parts->signature, err) < 0) {
        err->kind = SKRFS_CLASS_REJECTED;
        return skrfs_wrap(err, "the endorsement's signature");
    }
    return 0;
}

int skrfs_lab_endorsement_read(struct skrfs_bytes cose, const struct skrfs_chain *own,
        struct skrfs_lab_endorsement *ret_endorsement, struct skrfs_error *err) {
    autoitem *root = NULL;
    struct parts parts;
    /* libcbor 0.8 does not know this tag: what is behind it is read. */
    if (cose.len == 0 || cose.data[0] != COSE_SIGN1_TAG)
        return malformed(err, "COSE_Sign1");
    struct skrfs_bytes array = {cose.data + 1, cose.len - 1};
    if (load(array, "COSE_Sign1", &root, err) < 0 || take_apart(root, &parts, err) < 0 ||
            verify(&parts, own, err) < 0)
        return -1;
    return read_payload(parts.payload, ret_endorsement, err);
}

/* {1: ES384, 3: "application/json", 33: [certificates]} */
static int make_header(
        const struct skrfs_chain *chain, struct skrfs_buf *out, struct skrfs_error *err) {
    static const uint8_t head[] = "\xa3\x01\x38\x22\x03\x70"
                                  "application/json\x18\x21";
    uint8_t count = (uint8_t)(0x80 | skrfs_chain_len(chain));
    if (skrfs_buf_append(out, head, sizeof(head) - 1, err) < 0 ||
            skrfs_buf_append(out, &count, 1, err) < 0)
        return -1;
    for (size_t i = 0; i < skrfs_chain_len(chain); i++) {
        skrfs_autobuf der = SKRFS_BUF(SKRFS_CERT_MAX);
        if (skrfs_chain_der(chain, i, &der, err) < 0 ||
                append_octets(out, skrfs_buf_bytes(&der), err) < 0)
            return -1;
    }
    return 0;
}

static int make_payload(const struct skrfs_lab_endorsement *endorsement, struct skrfs_buf *out,
        struct skrfs_error *err) {
    char measurement[2 * sizeof(endorsement->measurement) + 1], svn[24];
    skrfs_autojson *json = NULL;
    skrfs_hex_encode(endorsement->measurement, sizeof(endorsement->measurement), measurement);
    (void)snprintf(svn, sizeof(svn), "%lld", (long long)endorsement->svn);
    if (skrfs_json_pack(&json, err, "{s:s, s:s}", "x-ms-sevsnpvm-guestsvn", svn,
                "x-ms-sevsnpvm-launchmeasurement", measurement) < 0)
        return -1;
    return skrfs_json_print(json, true, out, err);
}

int skrfs_lab_endorsement_make(const struct skrfs_lab_signer *signer,
        const struct skrfs_lab_endorsement *endorsement, struct skrfs_buf *out,
        struct skrfs_error *err) {
    skrfs_autobuf header = SKRFS_BUF(STRUCTURE_MAX), payload = SKRFS_BUF(PAYLOAD_MAX),
                  data = SKRFS_BUF(2 * STRUCTURE_MAX), signature = SKRFS_BUF(512);
    if (make_header(signer->chain, &header, err) < 0 ||
            make_payload(endorsement, &payload, err) < 0 ||
            structure(skrfs_buf_bytes(&header), skrfs_buf_bytes(&payload), &data, err) < 0 ||
            skrfs_ecdsa_sign(signer->key, SKRFS_SHA384, skrfs_buf_bytes(&data), &signature, err) <
                    0)
        return -1;
    /* Tag 18, four items, an empty unprotected header. */
    if (skrfs_buf_append(out, "\xd2\x84", 2, err) < 0 ||
            append_octets(out, skrfs_buf_bytes(&header), err) < 0 ||
            skrfs_buf_append(out, "\xa0", 1, err) < 0 ||
            append_octets(out, skrfs_buf_bytes(&payload), err) < 0)
        return -1;
    return append_octets(out, skrfs_buf_bytes(&signature), err);
}
