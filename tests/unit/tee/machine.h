/* An Azure confidential VM made of a software TPM and a report made here: what the tests of the TEE
 * share. */
#ifndef SKRFS_TESTS_MACHINE_H
#define SKRFS_TESTS_MACHINE_H

#include "support.h"
#include "swtpm.h"

#include <skrfs/tee/tee.h>

#define NONCE "00112233445566778899aabbccddeeff"

struct machine {
    struct swtpm soft;
    struct skrfs_tpm *tpm;
    uint8_t ak_modulus[256];
    char log_path[96]; /* a boot log */
};
extern struct machine machine;

/* Of a test program: a TPM without anything in it. */
int machine_start(void **state);
int machine_stop(void **state);
/* Before each test: attestation key, its certificate, a right report. */
int machine_provision(void **state);
/* After each test: no object and no session stayed loaded. */
int machine_nothing_stays(void **state);

#define MACHINE_TEST(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, machine_provision, machine_nothing_stays)

/* A report as the paravisor's: header, SNP report over the digest of the claims, claims; its length
 * without padding. */
size_t machine_report(const uint8_t modulus[256], uint8_t report[2048]);
/* Makes an index of `size` octets. */
void machine_store(uint32_t index, const void *data, size_t len, size_t size);
/* A certificate of the attestation key by an issuer of this name. */
void machine_store_cert(const char *issuer_name);
struct skrfs_tee *machine_open(void);
struct skrfs_pkey *machine_rsa_key(const uint8_t modulus[256]);
/* Collects evidence for the sake of the key. */
void machine_collect_key(struct skrfs_tee *tee, struct skrfs_tee_key *key);

#endif
