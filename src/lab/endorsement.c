/* What the maker of confidential containers' utility VMs says of them
 * (github.com/microsoft/hcsshim, "reference info"). */
#include "cose.h"
#include "proof.h"
#include "refuse.h"
#include "roots.h"

#include <skrfs/base/encode.h>
#include <skrfs/json/json.h>
#include <stdio.h>
#include <string.h>

#define WHAT "the endorsement"
#define FEED "ContainerPlat-AMD-UVM"
#define MEASUREMENT "x-ms-sevsnpvm-launchmeasurement"
#define SVN "x-ms-sevsnpvm-guestsvn"
#define OID_USAGE "1.3.6.1.4.1.311.76.59.1.2"
#define OID_EXTENDED_USAGE "2.5.29.37"
#define ISSUER_MAX 256

/* OID_USAGE inside the list of extended key usages (DER). */
static const uint8_t usage[] = {
        0x06, 0x0b, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x4c, 0x3b, 0x01, 0x02};

/* A DER SEQUENCE of short OBJECT IDENTIFIERs, one of which is `usage`. */
static bool lists_usage(const struct skrfs_buf *der) {
    if (der->len < 2 || der->data[0] != 0x30 || der->data[1] != der->len - 2)
        return false;
    for (size_t at = 2; at + 2 <= der->len;) {
        size_t len = (size_t)der->data[at + 1] + 2;
        if (der->data[at + 1] >= 0x80 || len > der->len - at)
            return false;
        if (len == sizeof(usage) && memcmp(der->data + at, usage, len) == 0)
            return true;
        at += len;
    }
    return false;
}

static int check_usage(const struct skrfs_chain *chain, struct skrfs_error *err) {
    skrfs_autobuf der = SKRFS_BUF(128);
    bool found = false;
    if (skrfs_chain_leaf_extension(chain, OID_EXTENDED_USAGE, &der, &found, err) < 0)
        return skrfs_lab_refuse_as(err, WHAT);
    if (!found || !lists_usage(&der))
        return skrfs_lab_rejected(err, WHAT " is signed by a key that is not for that");
    return 0;
}

/* did:x509:0:sha256:{certificate}::eku:{OID} (github.com/microsoft/did-x509), where the certificate
 * is one of the chain's authorities. */
static int issuer_text(const struct skrfs_chain *chain, size_t index, char text[ISSUER_MAX],
        struct skrfs_error *err) {
    skrfs_autobuf der = SKRFS_BUF(SKRFS_CERT_MAX);
    skrfs_autobuf encoded = SKRFS_BUF(64);
    uint8_t digest[32];
    if (skrfs_chain_der(chain, index, &der, err) < 0 ||
            skrfs_hash(SKRFS_SHA256, der.data, der.len, digest, err) < 0 ||
            skrfs_base64_encode(SKRFS_BASE64URL, digest, sizeof(digest), &encoded, err) < 0)
        return -1;
    (void)snprintf(
            text, ISSUER_MAX, "did:x509:0:sha256:%s::eku:" OID_USAGE, skrfs_buf_text(&encoded));
    return 0;
}

static int check_issuer(
        struct skrfs_bytes issuer, const struct skrfs_chain *chain, struct skrfs_error *err) {
    char text[ISSUER_MAX];
    for (size_t i = 1; i < skrfs_chain_len(chain); i++) {
        if (issuer_text(chain, i, text, err) < 0)
            return -1;
        if (strlen(text) == issuer.len && memcmp(text, issuer.data, issuer.len) == 0)
            return 0;
    }
    return skrfs_lab_rejected(err, WHAT " is not signed by its issuer");
}

static int read_svn(const char *text, int64_t *ret_svn, struct skrfs_error *err) {
    size_t len = strlen(text);
    if (len == 0 || len > 9 || strspn(text, "0123456789") != len)
        return skrfs_lab_rejected(err, WHAT "'s " SVN " is no number");
    *ret_svn = strtol(text, NULL, 10);
    return 0;
}

/* {MEASUREMENT: hexadecimal, SVN: "22"}; newer ones have members more. */
static int read_payload(struct skrfs_bytes payload, struct skrfs_lab_endorsement *endorsement,
        struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    const char *measurement = NULL, *svn = NULL;
    if (skrfs_json_parse((const char *)payload.data, payload.len, SKRFS_LAB_COSE_MAX, &json, err) <
                    0 ||
            skrfs_json_need_string(json, MEASUREMENT, &measurement, err) < 0 ||
            skrfs_hex_decode(measurement, endorsement->measurement,
                    sizeof(endorsement->measurement), err) < 0 ||
            skrfs_json_need_string(json, SVN, &svn, err) < 0)
        return skrfs_lab_refuse_as(err, WHAT);
    return read_svn(svn, &endorsement->svn, err);
}

static bool is_of_uvm(struct skrfs_bytes feed) {
    return feed.len == strlen(FEED) && memcmp(feed.data, FEED, feed.len) == 0;
}

int skrfs_lab_endorsement_read(struct skrfs_bytes cose, const struct skrfs_chain *own,
        struct skrfs_lab_endorsement *ret_endorsement, struct skrfs_error *err) {
    struct skrfs_lab_cose parts;
    struct skrfs_lab_endorsement endorsement = {0};
    skrfs_autochain *chain = NULL;
    if (skrfs_lab_cose_parse(cose, &parts, err) < 0 ||
            skrfs_lab_cose_verify(&parts, &chain, err) < 0)
        return skrfs_lab_refuse_as(err, WHAT);
    if (skrfs_lab_chain_check(chain, own, SKRFS_LAB_MICROSOFT, WHAT "'s certificate chain",
                &endorsement.real, err) < 0 ||
            check_usage(chain, err) < 0 || check_issuer(parts.issuer, chain, err) < 0)
        return -1;
    endorsement.is_uvm = is_of_uvm(parts.feed);
    if (endorsement.is_uvm && read_payload(parts.payload, &endorsement, err) < 0)
        return -1;
    *ret_endorsement = endorsement;
    return 0;
}

int skrfs_lab_endorsement_make(const struct skrfs_lab_signer *signer,
        const struct skrfs_lab_endorsement *endorsement, struct skrfs_buf *out,
        struct skrfs_error *err) {
    char issuer[ISSUER_MAX], hex[2 * sizeof(endorsement->measurement) + 1], svn[24];
    skrfs_autojson *json = NULL;
    skrfs_autobuf payload = SKRFS_BUF(1024);
    skrfs_hex_encode(endorsement->measurement, sizeof(endorsement->measurement), hex);
    (void)snprintf(svn, sizeof(svn), "%lld", (long long)endorsement->svn);
    if (issuer_text(signer->chain, skrfs_chain_len(signer->chain) - 1, issuer, err) < 0 ||
            skrfs_json_pack(&json, err, "{s:s,s:s,s:I}", MEASUREMENT, hex, SVN, svn, SVN "-int",
                    endorsement->svn) < 0 ||
            skrfs_json_print(json, true, &payload, err) < 0)
        return -1;
    const struct skrfs_lab_cose_wish wish = {.issuer = issuer,
            .feed = FEED,
            .payload = skrfs_buf_bytes(&payload),
            .key = signer->key,
            .chain = signer->chain};
    return skrfs_lab_cose_sign(&wish, out, err);
}
