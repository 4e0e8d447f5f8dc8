#include <skrfs/client/mystikos.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken leads nowhere else and becomes a configuration; what is not is refused with the
 * text's name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char base[] = "[attestation]\nurl = https://a.net\n";
    const struct skrfs_mystikos_login login = {.client = NULL};
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    skrfs_automystikos made = {.count = 0};
    struct skrfs_error err = {0};
    if (skrfs_mystikos_parse("fuzz", (const char *)data, size, &made, &err) < 0) {
        if (err.kind != SKRFS_CLASS_CONFIG || strncmp(err.message, "fuzz", 4) != 0)
            abort();
        return 0;
    }
    for (size_t i = 0; i < made.count; i++)
        if (made.secrets[i].path[0] != '/' || strstr(made.secrets[i].path, "/../"))
            abort();
    if (skrfs_conf_parse("base", base, strlen(base), &conf, &err) < 0)
        abort();
    if (skrfs_mystikos_apply(&made, &login, conf, &err) == 0 && conf->key_count != made.count)
        abort();
    return 0;
}
