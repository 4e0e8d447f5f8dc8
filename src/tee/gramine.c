/* Gramine's /dev/attestation (libos/src/fs/dev/attestation.c): report data is written, then the
 * quote read, which is made when it is opened. Both are of the whole process. */
#include "internal.h"

#include <fcntl.h>
#include <skrfs/base/encode.h>
#include <skrfs/base/file.h>
#include <stdio.h>
#include <string.h>

#define FOLDER "/dev/attestation"
#define PATH_LEN 512

struct gramine {
    struct skrfs_source base;
    const char *path; /* borrowed */
};

static int make_path(
        const char *folder, const char *name, char out[PATH_LEN], struct skrfs_error *err) {
    if (snprintf(out, PATH_LEN, "%s/%s", folder, name) >= PATH_LEN)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "[tee] attestation is too long a path");
    return 0;
}

static int put_report_data(
        struct gramine *gramine, const uint8_t report_data[64], struct skrfs_error *err) {
    char path[PATH_LEN];
    if (make_path(gramine->path, "user_report_data", path, err) < 0)
        return -1;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return skrfs_fail_errno(err, errno, "%s cannot be opened", path);
    int result = skrfs_fd_write(fd, report_data, 64, err);
    if (close(fd) < 0 && result == 0)
        return skrfs_fail_errno(err, errno, "%s cannot be written", path);
    return result < 0 ? skrfs_wrap(err, "%s", path) : 0;
}

static int get_quote(struct gramine *gramine, struct skrfs_buf *out, struct skrfs_error *err) {
    char path[PATH_LEN];
    if (make_path(gramine->path, "quote", path, err) < 0)
        return -1;
    if (skrfs_file_read(path, out, err) == 0)
        return 0;
    if (err->errnum == EACCES)
        skrfs_wrap(err,
                "Gramine got no quote: is the socket of Intel's AESM service mapped into the "
                "enclave and its service up, and has it the quote provider library of this cloud "
                "(on Azure az-dcap-client)");
    else if (err->errnum == ENOENT)
        skrfs_wrap(err, "the manifest needs sgx.remote_attestation = \"dcap\"");
    return -1;
}

static int gramine_ask(struct skrfs_source *source, const uint8_t report_data[64],
        struct skrfs_evidence *evidence, struct skrfs_error *err) {
    struct gramine *gramine = (struct gramine *)source;
    if (put_report_data(gramine, report_data, err) < 0)
        return -1;
    return get_quote(gramine, &evidence->report, err);
}

static void gramine_close(struct skrfs_source *source) {
    free(source);
}

static const struct skrfs_source_ops gramine_ops = {
        .name = "Gramine", .ask = gramine_ask, .close = gramine_close};

/* "none" outside of an enclave (gramine-direct) and in one without attestation. */
static int judge_type(const char *path, const char *type, struct skrfs_error *err) {
    if (strcmp(type, "dcap") == 0)
        return 0;
    if (strcmp(type, "none") == 0)
        return skrfs_fail(err, SKRFS_CLASS_NO_TEE,
                "%s says none: the manifest needs sgx.remote_attestation = \"dcap\"", path);
    return skrfs_fail(err, SKRFS_CLASS_CONFIG,
            "%s says %s, which the attestation service does not take: the manifest needs "
            "sgx.remote_attestation = \"dcap\"",
            path, *type ? type : "nothing");
}

static int look_at_type(const char *path, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(64);
    char type[64];
    if (skrfs_file_read(path, &text, err) < 0) {
        if (err->errnum == ENOENT || err->errnum == ENOTDIR)
            return skrfs_fail(err, SKRFS_CLASS_NO_TEE, "%s is not there", path);
        return -1;
    }
    skrfs_text_clean(
            skrfs_buf_text(&text), strcspn(skrfs_buf_text(&text), "\n"), type, sizeof(type));
    return judge_type(path, type, err);
}

int skrfs_gramine_open(const struct skrfs_tee_options *options, struct skrfs_source **ret_source,
        struct skrfs_error *err) {
    const char *folder = options->attestation ? options->attestation : FOLDER;
    char path[PATH_LEN];
    if (make_path(folder, "attestation_type", path, err) < 0)
        return -1;
    if (look_at_type(path, err) < 0) {
        skrfs_tee_look_failed(options, path, err);
        return -1;
    }
    skrfs_tee_look(options, path, true, "dcap: an SGX enclave under Gramine");
    struct gramine *gramine = calloc(1, sizeof(*gramine));
    if (!gramine)
        return skrfs_fail_memory(err);
    gramine->base = (struct skrfs_source){.ops = &gramine_ops, .dir = folder};
    gramine->path = folder;
    *ret_source = &gramine->base;
    return 0;
}
