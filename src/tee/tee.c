#include "internal.h"

#include <skrfs/base/encode.h>
#include <skrfs/base/file.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define EVENT_LOG "/sys/kernel/security/tpm0/binary_bios_measurements"

typedef int open_function(
        const struct skrfs_tee_options *, struct skrfs_tee **, struct skrfs_error *);

const char *const skrfs_tee_names[] = {"azure-cvm", "snp", "tdx", "sgx", NULL};

/* In the order of trying. The next one is tried only when the machine is not one of this kind
 * (NO_TEE): a TEE that is there and fails is an error, never a reason for something weaker. */
static const struct {
    const char *name;
    open_function *open;
} tees[] = {{"sgx", skrfs_sgx_open}, {"azure-cvm", skrfs_azure_cvm_open}, {"snp", skrfs_snp_open},
        {"tdx", skrfs_tdx_open}};

void skrfs_tee_look(const struct skrfs_tee_options *options, const char *what, bool there,
        const char *format, ...) {
    struct skrfs_tee_looks *looks = options->looks;
    char text[SKRFS_ERROR_MESSAGE_MAX];
    va_list arguments;
    if (!looks || looks->count == SKRFS_TEE_LOOKS_MAX)
        return;
    struct skrfs_tee_look *look = &looks->looks[looks->count++];
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    look->there = there;
    look->failed = false;
    skrfs_text_clean(what, strlen(what), look->what, sizeof(look->what));
    skrfs_text_clean(text, len < 0 ? 0 : strlen(text), look->found, sizeof(look->found));
}

void skrfs_tee_look_failed(
        const struct skrfs_tee_options *options, const char *what, const struct skrfs_error *err) {
    struct skrfs_tee_looks *looks = options->looks;
    size_t before = looks ? looks->count : 0;
    skrfs_tee_look(options, what, err->kind != SKRFS_CLASS_NO_TEE, "%s", err->message);
    if (looks && looks->count > before)
        looks->looks[before].failed = looks->looks[before].there;
}

void skrfs_tee_chosen(const struct skrfs_tee_options *options, const char *format, ...) {
    va_list arguments;
    if (!options->looks)
        return;
    va_start(arguments, format);
    (void)vsnprintf(options->looks->chosen, sizeof(options->looks->chosen), format, arguments);
    va_end(arguments);
}

static int open_named(const struct skrfs_tee_options *options, struct skrfs_tee **ret_tee,
        struct skrfs_error *err) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(tees); i++)
        if (strcmp(tees[i].name, options->kind) == 0)
            return tees[i].open(options, ret_tee, err);
    return skrfs_fail(err, SKRFS_CLASS_CONFIG,
            "'%.40s' is no kind of TEE: auto, azure-cvm, snp, tdx or sgx", options->kind);
}

int skrfs_tee_open(const struct skrfs_tee_options *options, struct skrfs_tee **ret_tee,
        struct skrfs_error *err) {
    skrfs_autobuf reasons = SKRFS_BUF(4 * SKRFS_ERROR_MESSAGE_MAX);
    if (options->looks)
        *options->looks = (struct skrfs_tee_looks){.count = 0};
    if (options->kind && strcmp(options->kind, "auto") != 0)
        return open_named(options, ret_tee, err);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(tees); i++) {
        struct skrfs_error why;
        if (tees[i].open(options, ret_tee, &why) == 0)
            return 0;
        if (why.kind != SKRFS_CLASS_NO_TEE) {
            *err = why;
            return -1;
        }
        if (skrfs_buf_printf(&reasons, err, "%s%s", i ? "; " : "", why.message) < 0)
            return -1;
    }
    return skrfs_fail(err, SKRFS_CLASS_NO_TEE, "this machine has no TEE that skrfs knows: %s",
            skrfs_buf_text(&reasons));
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
