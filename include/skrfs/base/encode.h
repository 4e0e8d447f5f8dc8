/* base64 (RFC 4648 section 4), base64url (section 5) and hexadecimal, strict.
 *
 * Key moduli and ciphertexts contain NUL octets and end in zeros: lengths are exact, nothing is
 * trimmed. Thread safe: no state. */
#ifndef SKRFS_BASE_ENCODE_H
#define SKRFS_BASE_ENCODE_H

#include <skrfs/base/buf.h>

enum skrfs_base64 {
    SKRFS_BASE64,     /* '+' and '/', padded */
    SKRFS_BASE64URL,  /* '-' and '_', not padded */
    SKRFS_BASE64_ANY, /* decoding only: either alphabet, not mixed; padding as found */
};

/* Appends the encoding of `data` to `out`. */
int skrfs_base64_encode(enum skrfs_base64 kind, const void *data, size_t len, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* The two steps of that for a caller with its own memory (a secret's): how many characters the
 * encoding of `len` octets has (below 3/4 of SIZE_MAX), and the encoding into `out` of just that
 * size, without a NUL. Time and memory accesses depend on the length alone. */
size_t skrfs_base64_len(enum skrfs_base64 kind, size_t len);
void skrfs_base64_encode_into(enum skrfs_base64 kind, const void *data, size_t len, char *out);

/* Appends what `text` encodes to `out`. SKRFS_BASE64 wants padding, SKRFS_BASE64URL takes it or
 * not. White space, wrong characters, wrong lengths and bits set in the unused end are BAD_ANSWER.
 */
int skrfs_base64_decode(enum skrfs_base64 kind, const char *text, size_t len, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Lower-case hexadecimal into `out` of 2 * len + 1 octets, NUL-terminated. */
void skrfs_hex_encode(const void *data, size_t len, char *out);

/* Decodes exactly `len` octets from 2 * len hexadecimal digits of either case; the text must end
 * there. */
int skrfs_hex_decode(
        const char *text, void *out, size_t len, struct skrfs_error *err) SKRFS_MUST_CHECK;

/* Copies text for people out of an untrusted source: at most `size` - 1 octets, control characters
 * and octets that are not ASCII become '?'. */
void skrfs_text_clean(const char *text, size_t len, char *out, size_t size);

#endif
