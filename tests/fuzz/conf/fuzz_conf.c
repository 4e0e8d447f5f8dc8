#include <skrfs/conf/conf.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A refusal names a place; what is taken is complete. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    if (skrfs_conf_parse("fuzz", (const char *)data, size, &conf, &err)) {
        if (err.kind != SKRFS_CLASS_CONFIG || strncmp(err.message, "fuzz", 4) != 0)
            abort();
        return 0;
    }
    for (size_t i = 0; i < conf->key_count; i++) {
        const struct skrfs_conf_key *key = &conf->keys[i];
        if (!conf->attestation_url || key->vault >= conf->vault_count || !key->file[0] ||
                key->file[0] == '.' || strchr(key->file, '/') || !key->name[0])
            abort();
    }
    return 0;
}
