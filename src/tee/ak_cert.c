#include "internal.h"

#include <string.h>

enum { DER_SEQUENCE = 0x30, DER_INTEGER = 0x02, DER_CONTEXT_0 = 0xA0 };

/* One DER element of at most 64 KiB: its contents, and how long it is with its header. */
struct element {
    uint8_t tag;
    struct skrfs_bytes contents;
    size_t whole;
};

static bool read_element(struct skrfs_bytes from, struct element *ret) {
    if (from.len < 2)
        return false;
    size_t len = from.data[1], header = 2;
    if (len == 0x81 && from.len >= 3) {
        len = from.data[2];
        header = 3;
    } else if (len == 0x82 && from.len >= 4) {
        len = (size_t)from.data[2] << 8 | from.data[3];
        header = 4;
    } else if (len >= 0x80) {
        return false;
    }
    if (len > from.len - header)
        return false;
    *ret = (struct element){
            .tag = from.data[0], .contents = {from.data + header, len}, .whole = header + len};
    return true;
}

static bool step_into(struct skrfs_bytes *at) {
    struct element element;
    if (!read_element(*at, &element) || element.tag != DER_SEQUENCE)
        return false;
    *at = element.contents;
    return true;
}

static bool step_over(struct skrfs_bytes *at, uint8_t tag) {
    struct element element;
    if (!read_element(*at, &element) || element.tag != tag)
        return false;
    at->data += element.whole;
    at->len -= element.whole;
    return true;
}

/* RFC 5280, 4.1: Certificate { TBSCertificate { [0] version, serial, algorithm, issuer, ... */
static bool find_issuer(struct skrfs_bytes at, struct skrfs_bytes *ret_issuer) {
    if (!step_into(&at))
        return false;
    if (!step_into(&at))
        return false;
    (void)step_over(&at, DER_CONTEXT_0);
    if (!step_over(&at, DER_INTEGER) || !step_over(&at, DER_SEQUENCE) || !step_into(&at))
        return false;
    *ret_issuer = at;
    return true;
}

static int not_yet(struct skrfs_error *err, const char *why) {
    skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE,
            "the attestation key's certificate is not provisioned yet (%s); the platform does that "
            "a "
            "while after the first boot, try again later",
            why);
    return skrfs_fail_retryable(err, 0);
}

int skrfs_ak_cert_trim(struct skrfs_buf *cert, struct skrfs_error *err) {
    static const char placeholder[] = "MICROSOFT AZURE TRUSTED VM RSA";
    struct element whole;
    struct skrfs_bytes issuer;
    if (cert->len == 0 || cert->data[0] == 0)
        return not_yet(err, "its place is empty");
    if (!read_element(skrfs_buf_bytes(cert), &whole) || whole.tag != DER_SEQUENCE)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the attestation key's certificate in the TPM is malformed");
    skrfs_buf_truncate(cert, whole.whole);
    if (!find_issuer(skrfs_buf_bytes(cert), &issuer))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "the attestation key's certificate in the TPM is not an X.509 certificate");
    if (memmem(issuer.data, issuer.len, placeholder, strlen(placeholder)))
        return not_yet(err, "a placeholder is there");
    return 0;
}
