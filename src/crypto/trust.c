/* Trust anchors. They are all read when the set is made: OpenSSL would otherwise look for some of
 * them at the moment of a verification, when the process's sandbox no longer lets it. */
#include "internal.h"

#include <dirent.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#define ANCHOR_TEXT_MAX ((size_t)1024 * 1024)
#define ANCHORS_MAX 1024

void skrfs_trust_free(struct skrfs_trust *trust) {
    if (!trust)
        return;
    X509_STORE_free(trust->store);
    free(trust);
}

static int trust_new(struct skrfs_trust **ret_trust, struct skrfs_error *err) {
    skrfs_crypto_ready();
    struct skrfs_trust *trust = calloc(1, sizeof(*trust));
    if (trust)
        trust->store = X509_STORE_new();
    if (!trust || !trust->store) {
        skrfs_trust_free(trust);
        return skrfs_fail_memory(err);
    }
    *ret_trust = trust;
    return 0;
}

int skrfs_trust_from_pem(
        const char *text, size_t len, struct skrfs_trust **ret_trust, struct skrfs_error *err) {
    if (len > ANCHOR_TEXT_MAX)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "%zu octets of trust anchors are refused", len);
    SKRFS_CLEANUP(skrfs_trust_free_p) struct skrfs_trust *trust = NULL;
    STACK_OF(X509) *certs = NULL;
    if (trust_new(&trust, err) < 0 ||
            skrfs_crypto_certs_from_pem(text, len, ANCHORS_MAX, &certs, err) < 0)
        return -1;
    bool added = true;
    for (int i = 0; added && i < sk_X509_num(certs); i++)
        added = X509_STORE_add_cert(trust->store, sk_X509_value(certs, i)) == 1;
    skrfs_crypto_certs_free(certs);
    if (!added)
        return skrfs_crypto_fail(err, SKRFS_CLASS_NO_MEMORY, "a trust anchor cannot be taken");
    *ret_trust = skrfs_take(trust);
    return 0;
}

/* A path from OpenSSL's variable, unless the program is privileged, or its default. */
static const char *default_path(const char *variable, const char *fallback) {
    const char *path = secure_getenv(variable);
    return path && *path ? path : fallback;
}

/* "5ad8a5d6.0": how c_rehash names certificates. */
static bool is_hashed(const char *name) {
    return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' && name[9] &&
           strspn(name + 9, "0123456789") == strlen(name + 9);
}

static void load_folder(X509_STORE *store, const char *path) {
    DIR *dir = opendir(path);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char file[PATH_MAX];
        if (is_hashed(entry->d_name) &&
                snprintf(file, sizeof(file), "%s/%s", path, entry->d_name) < (int)sizeof(file))
            (void)X509_STORE_load_file(store, file);
    }
    closedir(dir);
}

int skrfs_trust_system(struct skrfs_trust **ret_trust, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_trust_free_p) struct skrfs_trust *trust = NULL;
    if (trust_new(&trust, err) < 0)
        return -1;
    const char *file = default_path(X509_get_default_cert_file_env(), X509_get_default_cert_file());
    const char *dir = default_path(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
    (void)X509_STORE_load_file(trust->store, file);
    load_folder(trust->store, dir);
    ERR_clear_error();
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(trust->store);
    if (sk_X509_OBJECT_num(objects) <= 0)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "no certificate authorities in %s nor in %s: install the package ca-certificates",
                file, dir);
    *ret_trust = skrfs_take(trust);
    return 0;
}
