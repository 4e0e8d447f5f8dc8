#include <skrfs/cli/place.h>
#include <skrfs/cli/verb.h>
#include <string.h>

#define NAMED_MAX 256 /* octets of a list of names in a message */

const char *skrfs_config_path(const char *option) {
    if (option) {
        return option;
    }
    const char *environment = secure_getenv("SKRFS_CONFIG");
    return environment && *environment ? environment : SKRFS_CONF_PATH;
}

static void vault_names(const struct skrfs_conf *conf, char out[NAMED_MAX]) {
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < conf->vault_count; i++) {
        size_t len = strlen(conf->vaults[i].name);
        if (at + len + 3 > NAMED_MAX) {
            return;
        }
        if (at) {
            memcpy(out + at, ", ", 2);
            at += 2;
        }
        memcpy(out + at, conf->vaults[i].name, len + 1);
        at += len;
    }
}

int skrfs_vault_pick(const struct skrfs_conf *conf, const char *name, size_t *ret_vault,
        struct skrfs_error *err) {
    if (!name && conf->vault_count == 1) {
        *ret_vault = 0;
        return 0;
    }
    for (size_t i = 0; name && i < conf->vault_count; i++) {
        if (strcmp(conf->vaults[i].name, name) == 0) {
            *ret_vault = i;
            return 0;
        }
    }
    if (conf->vault_count == 0) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "%s has no [vault NAME] section", conf->source);
    }
    char names[NAMED_MAX];
    vault_names(conf, names);
    if (!name) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "which vault? say --vault NAME; %s has %s",
                conf->source, names);
    }
    return skrfs_fail(err, SKRFS_CLASS_CONFIG, "no vault '%s' in %s, which has %s", name,
            conf->source, names);
}

static const char *key_near(const struct skrfs_conf *conf, const char *name) {
    const char **names = calloc(conf->key_count + 1, sizeof(*names));
    if (!names) {
        return NULL;
    }
    for (size_t i = 0; i < conf->key_count; i++) {
        names[i] = conf->keys[i].file;
    }
    const char *near = skrfs_nearest(name, names, conf->key_count);
    free(names);
    return near;
}

int skrfs_key_pick(
        const struct skrfs_conf *conf, const char *name, size_t *ret_key, struct skrfs_error *err) {
    for (size_t i = 0; i < conf->key_count; i++) {
        if (strcmp(conf->keys[i].file, name) == 0) {
            *ret_key = i;
            return 0;
        }
    }
    const char *near = key_near(conf, name);
    return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND, "no section [key %s] in %s%s%s%s", name,
            conf->source, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}
