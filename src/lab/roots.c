#include "roots.h"

#include "refuse.h"

#include <string.h>

/* SHA-256 of the root's SubjectPublicKeyInfo. Evidence brings its whole chain, root included, so
 * the key's digest is all that must be known of it. */
static const struct {
    enum skrfs_lab_maker maker;
    uint8_t digest[32];
} roots[] = {
        /* ARK-Milan: https://kdsintf.amd.com/vcek/v1/Milan/cert_chain */
        {SKRFS_LAB_AMD, {0x9f, 0x05, 0x6b, 0xee, 0x44, 0x37, 0x7e, 0x29, 0x30, 0x8c, 0xb5, 0xff,
                                0xa8, 0x95, 0xbd, 0xfb, 0x62, 0xd1, 0x88, 0x81, 0xfa, 0x6b, 0xed,
                                0x8d, 0x6f, 0x07, 0x5b, 0x02, 0x04, 0x08, 0x9c, 0xb9}},
        /* ARK-Genoa: https://kdsintf.amd.com/vcek/v1/Genoa/cert_chain */
        {SKRFS_LAB_AMD, {0x42, 0x9a, 0x69, 0xc9, 0x42, 0x2a, 0xa2, 0x58, 0xee, 0x4d, 0x8d, 0xb5,
                                0xfc, 0xda, 0x9c, 0x64, 0x70, 0xef, 0x15, 0xf8, 0xcd, 0x5a, 0x9c,
                                0xeb, 0xd6, 0xcb, 0xc7, 0xd9, 0x0b, 0x86, 0x38, 0x31}},
        /* ARK-Turin: https://kdsintf.amd.com/vcek/v1/Turin/cert_chain */
        {SKRFS_LAB_AMD, {0x4f, 0x12, 0x54, 0x10, 0x56, 0x3a, 0x2a, 0xb9, 0xa5, 0x03, 0x56, 0xf9,
                                0x24, 0x3f, 0x6f, 0xe0, 0xb6, 0xf7, 0x3d, 0xe9, 0x86, 0x03, 0xf5,
                                0x3f, 0x90, 0x33, 0x9c, 0x70, 0xe9, 0xd7, 0xad, 0x08}},
        /* Intel SGX Root CA:
         * https://certificates.trustedservices.intel.com/Intel_SGX_Provisioning_Certification_RootCA.pem
         */
        {SKRFS_LAB_INTEL, {0xa0, 0xaf, 0x03, 0x12, 0x89, 0xf5, 0xd5, 0xd4, 0x13, 0x2f, 0x91, 0x86,
                                  0x06, 0x8a, 0x7f, 0xc1, 0x36, 0x28, 0x63, 0x3b, 0xa2, 0x35, 0x77,
                                  0x74, 0x72, 0xe2, 0x9b, 0x6b, 0x6c, 0x67, 0xa4, 0x9e}},
        /* Microsoft Supply Chain RSA Root CA 2022, which endorses utility VMs: in every reference
         * info of a confidential container */
        {SKRFS_LAB_MICROSOFT,
                {0x84, 0xce, 0x86, 0x2a, 0x73, 0xb7, 0x3d, 0x63, 0xb1, 0xcd, 0xbd, 0xe1, 0xd3, 0x05,
                        0x59, 0xea, 0xab, 0x40, 0x40, 0xf6, 0xa6, 0x36, 0x38, 0xc8, 0x3e, 0x83,
                        0x57, 0xfe, 0x22, 0x50, 0xe5, 0xd3}},
};

bool skrfs_lab_root_is(const struct skrfs_chain *chain, const struct skrfs_chain *own,
        enum skrfs_lab_maker maker, bool *ret_real) {
    struct skrfs_error ignored;
    uint8_t digest[32];
    *ret_real = false;
    if (own && skrfs_chain_same_root(chain, own))
        return true;
    if (skrfs_chain_root_key_digest(chain, digest, &ignored) < 0)
        return false;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(roots); i++)
        if (roots[i].maker == maker && memcmp(roots[i].digest, digest, sizeof(digest)) == 0)
            *ret_real = true;
    return *ret_real;
}

int skrfs_lab_chain_check(const struct skrfs_chain *chain, const struct skrfs_chain *own,
        enum skrfs_lab_maker maker, const char *what, bool *ret_real, struct skrfs_error *err) {
    if (skrfs_chain_verify_links(chain, err) < 0)
        return skrfs_lab_refuse_as(err, what);
    if (!skrfs_lab_root_is(chain, own, maker, ret_real))
        return skrfs_lab_rejected(err, "%s does not end in %s root", what,
                maker == SKRFS_LAB_MICROSOFT ? "the utility VM maker's" : "the processor maker's");
    return 0;
}
