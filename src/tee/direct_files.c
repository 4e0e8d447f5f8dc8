/* The files that a configuration names for evidence. */
#include "internal.h"

#include <skrfs/base/file.h>
#include <skrfs/json/json.h>

static int read_configured(
        const char *path, const char *option, struct skrfs_buf *out, struct skrfs_error *err) {
    if (!path || skrfs_file_read(path, out, err) == 0)
        return 0;
    err->kind = SKRFS_CLASS_CONFIG;
    return skrfs_wrap(err, "[tee] %s", option);
}

/* The service takes no other init data than JSON. */
static int check_init_data(const struct skrfs_buf *data, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    if (data->len == 0)
        return 0;
    if (skrfs_json_parse((const char *)data->data, data->len, data->max, &json, err) == 0)
        return 0;
    err->kind = SKRFS_CLASS_CONFIG;
    return skrfs_wrap(err, "[tee] init-data: the attestation service takes JSON alone");
}

int skrfs_direct_files(struct skrfs_direct *direct, const struct skrfs_tee_options *options,
        struct skrfs_error *err) {
    if (read_configured(options->init_data_file, "init-data", &direct->init_data, err) < 0 ||
            check_init_data(&direct->init_data, err) < 0)
        return -1;
    if (direct->kind != SKRFS_EVIDENCE_SNP)
        return 0;
    return read_configured(options->certificates_file, "certificates-file",
            &direct->certificates[SKRFS_CERTS_FILE], err);
}
