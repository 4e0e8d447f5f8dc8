/* Searches processes' writable memory and files for a factor of an RSA modulus, which is what a
 * private key comes down to, without knowing the key:
 *
 *     scan_factors MODULUS-IN-HEX TARGET...
 *
 * Looked at as a number is every run of half the modulus's length, as OpenSSL keeps numbers (limbs
 * of eight octets, the lowest first) at multiples of eight, and as encodings have them (highest
 * octet first) at every offset. A prime of an RSA key is odd and has its two highest bits set
 * (FIPS 186-5, A.1.3): what has not is passed over, the rest is tried as a divisor. Printed are
 *
 *     factor TARGET ADDRESS MAPPING limbs|octets
 *     searched TARGET OCTETS TRIED
 *
 * separated by tabs. It ends with 0 when there was none, 1 when there was, 2 when a target could
 * not be searched. */
#include "walk.h"

#include <openssl/bn.h>
#include <stdio.h>
#include <string.h>

struct search {
    BN_CTX *ctx;
    BIGNUM *modulus, *number, *rest;
    size_t len; /* of a factor, in octets */
    uint64_t tried;
    unsigned hits;
};

static bool divides(struct search *search, const uint8_t *at, bool limbs) {
    search->tried++;
    const BIGNUM *made = limbs ? BN_lebin2bn(at, (int)search->len, search->number)
                               : BN_bin2bn(at, (int)search->len, search->number);
    return made && BN_mod(search->rest, search->modulus, search->number, search->ctx) == 1 &&
           BN_is_zero(search->rest);
}

static bool may_be_prime(uint8_t lowest, uint8_t highest) {
    return (lowest & 1) && (highest & 0xc0) == 0xc0;
}

static void found(
        struct search *search, const struct walk_place *place, size_t offset, bool limbs) {
    search->hits++;
    printf("factor\t%s\t%llx\t%s\t%s\n", place->target,
            (unsigned long long)(place->address + offset), place->mapping,
            limbs ? "limbs" : "octets");
}

/* Text, pointers and small numbers have no such two octets at their ends; constants in tables of
 * libraries do, but those are not writable. */
static void look(void *context, const struct walk_place *place, const uint8_t *data, size_t len) {
    struct search *search = context;
    size_t last = search->len - 1;
    if (!place->writable || len < search->len)
        return;
    for (size_t i = place->fresh > last ? place->fresh - last : 0; i + last < len; i++) {
        bool aligned = (place->address + i) % 8 == 0;
        if (aligned && may_be_prime(data[i], data[i + last]) && divides(search, data + i, true))
            found(search, place, i, true);
        if (may_be_prime(data[i + last], data[i]) && divides(search, data + i, false))
            found(search, place, i, false);
    }
}

static int search_all(struct search *search, char **targets) {
    int result = 0;
    for (; *targets; targets++) {
        struct walk walk = {.piece = look, .context = search};
        unsigned before = search->hits;
        search->tried = 0;
        bool done = walk_target(&walk, *targets);
        printf("searched\t%s\t%llu\t%llu\n", *targets, (unsigned long long)walk.octets,
                (unsigned long long)search->tried);
        if (!done || walk.octets == 0)
            result = 2;
        else if (search->hits > before && result == 0)
            result = 1;
    }
    return result;
}

int main(int argc, char **argv) {
    struct search search = {.ctx = BN_CTX_new(), .number = BN_new(), .rest = BN_new()};
    if (argc < 3 || !BN_hex2bn(&search.modulus, argv[1]) || !search.ctx || !search.number ||
            !search.rest || BN_num_bits(search.modulus) < 1024) {
        fprintf(stderr, "usage: scan_factors MODULUS-IN-HEX TARGET...\n");
        return 2;
    }
    search.len = (size_t)BN_num_bytes(search.modulus) / 2;
    int result = search_all(&search, argv + 2);
    BN_free(search.modulus);
    BN_free(search.number);
    BN_free(search.rest);
    BN_CTX_free(search.ctx);
    return result;
}
