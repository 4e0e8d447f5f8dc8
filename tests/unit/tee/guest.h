/* A guest made of models of the kernel's interfaces, which the system calls of this program reach:
 * what the tests of SNP and TDX share. */
#ifndef SKRFS_TESTS_GUEST_H
#define SKRFS_TESTS_GUEST_H

#include "sev_model.h"
#include "support.h"
#include "tsm_model.h"

#include <skrfs/tee/tee.h>

#define NONCE "00112233445566778899aabbccddeeff"

struct guest {
    char dir[64];         /* everything is in it */
    char tsm[96];         /* configfs-tsm's folder, while there is one */
    char device[96];      /* .../sev-guest or .../sev: a file that is taken for the device */
    char attestation[96]; /* Gramine's folder */
    bool debug;           /* what is asked for is a debug guest's report */
    uint8_t host_data[32];
    bool cut;         /* reports are too short */
    int quote_errnum; /* of opening Gramine's quote; 0: it is made */
    unsigned quotes;  /* made */
};
extern struct guest guest;

/* Before and after each test: a machine with none of the interfaces, and nothing left of them. */
int guest_setup(void **state);
int guest_teardown(void **state);
#define GUEST_TEST(test) cmocka_unit_test_setup_teardown(test, guest_setup, guest_teardown)

/* Gives the machine an interface. */
void guest_add_tsm(const char *provider);
void guest_add_device(void); /* /dev/sev-guest, by sev_settings */
void guest_add_legacy(enum sev_driver driver);
void guest_add_gramine(const char *type); /* what attestation_type says */
/* A file below guest.dir. */
void guest_write(const char *name, const void *data, size_t len);

/* Options that name the guest's places and no others. */
struct skrfs_tee_options guest_options(const char *kind);
struct skrfs_tee *guest_open(const char *kind);
/* Evidence for a key; both are the caller's to release. */
int guest_collect(struct skrfs_tee *tee, bool fresh, struct skrfs_evidence *evidence,
        struct skrfs_tee_key *key, struct skrfs_error *err);
/* Collecting fails so. */
void guest_collect_fails(struct skrfs_tee *tee, enum skrfs_class kind, const char *why);
/* Collecting for a fresh key, and so with a fresh report, succeeds. */
void guest_collect_ok(struct skrfs_tee *tee);

/* Reports in the hardware's format, not signed. */
void guest_snp_report(const uint8_t report_data[64], struct skrfs_buf *out);
void guest_td_quote(const uint8_t report_data[64], struct skrfs_buf *out);
void guest_sgx_quote(const uint8_t report_data[64], struct skrfs_buf *out);

#endif
