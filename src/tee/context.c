/* The security context that a utility VM gives its confidential containers (github.com/microsoft/
 * hcsshim, pkg/securitypolicy): files in base64, each of which may be absent, or variables. What is
 * in them comes from the host and is handed on as it is: the attestation service judges it. */
#include "internal.h"

#include <dirent.h>
#include <skrfs/base/encode.h>
#include <skrfs/base/file.h>
#include <stdio.h>
#include <string.h>

#define FOLDER_PREFIX "security-context-"
#define KATA_FOLDER "/opt/confidential-containers/share/kata-containers"
#define PATH_LEN 512
#define TEXT_MAX ((size_t)96 * 1024) /* of 64 KiB of octets, in base64 and with a line's end */

struct item {
    const char *file, *variable; /* variable: NULL when there is none */
};
static const struct item certificates_item = {"host-amd-cert-base64", "UVM_HOST_AMD_CERTIFICATE"};
/* The first is what all versions have; the others came with transparent endorsements. */
static const struct item endorsement_items[SKRFS_ENDORSEMENTS] = {
        {"reference-info-base64", "UVM_REFERENCE_INFO"},
        {"transparent-reference-info-base64", NULL},
        {"tcb-reference-info-base64", NULL},
        {"platform-reference-info-base64", NULL},
};

static int decode(
        const char *text, const char *what, struct skrfs_buf *out, struct skrfs_error *err) {
    size_t len = strlen(text);
    while (len > 0 && strchr(" \t\r\n", text[len - 1]))
        len--;
    if (skrfs_base64_decode(SKRFS_BASE64_ANY, text, len, out, err) < 0)
        return skrfs_wrap(err, "the security context's %s", what);
    return 0;
}

/* From the file, else from the variable; neither is no failure. */
static int read_item(const char *folder, const struct item *item, struct skrfs_buf *out,
        struct skrfs_error *err) {
    char path[PATH_LEN];
    skrfs_autobuf text = SKRFS_BUF(TEXT_MAX);
    if (*folder) {
        if (snprintf(path, sizeof(path), "%s/%s", folder, item->file) >= (int)sizeof(path))
            return skrfs_fail(err, SKRFS_CLASS_CONFIG, "[tee] context is too long a path");
        if (skrfs_file_read(path, &text, err) == 0)
            return decode(skrfs_buf_text(&text), item->file, out, err);
        if (err->errnum != ENOENT)
            return skrfs_wrap(err, "the security context");
    }
    const char *value = item->variable ? getenv(item->variable) : NULL;
    if (!value)
        return 0;
    if (strlen(value) > TEXT_MAX)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "%s is too long", item->variable);
    return decode(value, item->variable, out, err);
}

static bool is_folder(const char *path) {
    DIR *folder = opendir(path);
    if (folder)
        closedir(folder);
    return folder;
}

/* The first by name of the folders that begin so. */
static void find_mounted(const char *root, char out[PATH_LEN]) {
    char best[sizeof(((struct dirent *)NULL)->d_name)] = "";
    DIR *listing = opendir(*root ? root : "/");
    if (!listing)
        return;
    for (struct dirent *entry = readdir(listing); entry; entry = readdir(listing))
        if (strncmp(entry->d_name, FOLDER_PREFIX, strlen(FOLDER_PREFIX)) == 0 &&
                (!*best || strcmp(entry->d_name, best) < 0))
            snprintf(best, sizeof(best), "%s", entry->d_name);
    closedir(listing);
    if (*best && snprintf(out, PATH_LEN, "%s/%s", root, best) >= PATH_LEN)
        *out = '\0';
}

/* "" when there is none. A configured folder must be there. */
static int find_folder(const struct skrfs_tee_options *options, const char *root,
        char out[PATH_LEN], struct skrfs_error *err) {
    const char *chosen = options->context ? options->context : getenv("UVM_SECURITY_CONTEXT_DIR");
    *out = '\0';
    if (chosen && *chosen) {
        if (snprintf(out, PATH_LEN, "%s", chosen) >= PATH_LEN || !is_folder(out))
            return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                    "the security context's folder %.200s (%s) is not there", chosen,
                    options->context ? "[tee] context" : "UVM_SECURITY_CONTEXT_DIR");
        return 0;
    }
    find_mounted(root, out);
    if (*out)
        return 0;
    if (snprintf(out, PATH_LEN, "%s" KATA_FOLDER, root) >= PATH_LEN || !is_folder(out))
        *out = '\0';
    return 0;
}

int skrfs_context_read(const struct skrfs_tee_options *options, const char *root,
        struct skrfs_direct *direct, struct skrfs_error *err) {
    char folder[PATH_LEN];
    struct skrfs_buf *certificates = &direct->certificates[SKRFS_CERTS_CONTEXT];
    size_t endorsements = 0;
    if (options->context && strcmp(options->context, "none") == 0)
        return 0;
    if (find_folder(options, root, folder, err) < 0 ||
            read_item(folder, &certificates_item, certificates, err) < 0)
        return -1;
    for (size_t i = 0; i < SKRFS_ENDORSEMENTS; i++) {
        struct skrfs_buf *out = &direct->endorsements[endorsements];
        if (read_item(folder, &endorsement_items[i], out, err) < 0)
            return -1;
        if (out->len > 0)
            endorsements++;
    }
    skrfs_tee_look(options, *folder ? folder : "security context", *folder || endorsements,
            "%s, endorsements: %zu", certificates->len ? "certificates" : "no certificates",
            endorsements);
    return 0;
}
