#include "internal.h"

#include <skrfs/base/file.h>
#include <string.h>

#define EVENT_LOG "/sys/kernel/security/tpm0/binary_bios_measurements"

typedef int open_function(
        const struct skrfs_tee_options *, struct skrfs_tee **, struct skrfs_error *);

/* In the order of trying. The next one is tried only when the machine is not one of this kind
 * (NO_TEE): a TEE that is there and fails is an error, never a reason for something weaker. */
static open_function *const tees[] = {skrfs_azure_cvm_open};

int skrfs_tee_open(const struct skrfs_tee_options *options, struct skrfs_tee **ret_tee,
        struct skrfs_error *err) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(tees); i++) {
        if (tees[i](options, ret_tee, err) == 0)
            return 0;
        if (err->kind != SKRFS_CLASS_NO_TEE)
            break;
    }
    return -1;
}

/* The log explains the PCRs. */
int skrfs_tee_event_log(const char *path, struct skrfs_buf *out, struct skrfs_error *err) {
    if (!path)
        path = EVENT_LOG;
    struct skrfs_error failure = {0};
    if (strcmp(path, "none") == 0 || skrfs_file_read(path, out, &failure) == 0)
        return 0;
    if (failure.errnum == ENOENT || failure.errnum == ENOTDIR)
        return 0;
    *err = failure;
    return skrfs_wrap(err, "the measured boot log");
}

void skrfs_tee_key_done(struct skrfs_tee_key *key) {
    skrfs_pkey_free(key->rsa);
    skrfs_wipe(key, sizeof(*key));
}

void skrfs_tee_close(struct skrfs_tee *tee) {
    if (tee)
        tee->ops->close(tee);
}
