#include "room.h"

#include <skrfs/base/clock.h>
#include <string.h>

/* Key Vault's own limits for names and versions. */
#define VAULT_NAME_MAX 127
#define VERSION_MAX 32
#define FILE_NAME_MAX 100
#define READS_DIGITS 12

static int set_defaults(const struct skrfs_conf *conf, struct skrfs_conf_key *key, const char *file,
        struct skrfs_error *err) {
    key->format = SKRFS_FORMAT_PEM;
    key->guard.owner = conf->owner;
    key->guard.group = conf->group;
    key->guard.mode = 0400;
    key->refresh_ns = 3600 * SKRFS_SECOND_NS;
    key->file = strdup(file);
    key->name = strdup(file);
    key->enc = strdup("RSA_AES_KEY_WRAP_256");
    return key->file && key->name && key->enc ? 0 : skrfs_fail_memory(err);
}

static int check_file_name(const struct section *section, struct skrfs_error *err) {
    if (section->name[0] != '.' && conf_is_word(section->name, LETTERS_DIGITS "._-", FILE_NAME_MAX))
        return 0;
    return conf_fail_at(err, &section->place,
            "a key's file name has 1 to %d letters, digits, '.', '_' and '-', and no '.' in front",
            FILE_NAME_MAX);
}

static int take_vault(const struct section *section, const struct skrfs_conf *conf,
        struct skrfs_conf_key *key, struct skrfs_error *err) {
    const struct value *value = raw_get(section, "vault");
    if (!value && conf->vault_count == 1)
        return 0;
    if (!value)
        return conf_fail_at(err, &section->place, "[key %s] does not say which 'vault' it is in",
                section->name);
    for (size_t i = 0; i < conf->vault_count; i++) {
        if (strcmp(conf->vaults[i].name, value->text) == 0) {
            key->vault = i;
            return 0;
        }
    }
    return conf_fail_unknown_vault(err, value, conf);
}

static int take_name(
        const struct section *section, struct skrfs_conf_key *key, struct skrfs_error *err) {
    const struct value *name = raw_get(section, "name");
    const struct value *version = raw_get(section, "version");
    const char *used = name ? name->text : section->name;
    if (!conf_is_word(used, LETTERS_DIGITS "-", VAULT_NAME_MAX))
        return conf_fail_at(err, name ? &name->place : &section->place,
                "%s'%s' is no name of a key in a vault (letters, digits and '-')",
                name ? "" : "a 'name' is needed: ", used);
    if (version && !conf_is_word(version->text, LETTERS_DIGITS, VERSION_MAX))
        return conf_fail_at(err, &version->place,
                "'version' is what stands behind the key's name in the vault: %d letters and "
                "digits",
                VERSION_MAX);
    if (conf_take_text(name, &key->name, err) || conf_take_text(version, &key->version, err))
        return -1;
    return 0;
}

static int take_format(const struct section *section, const struct skrfs_conf *conf,
        struct skrfs_conf_key *key, struct skrfs_error *err) {
    const struct value *value = raw_get(section, "format");
    if (!value)
        return 0;
    if (!skrfs_format_parse(value->text, &key->format))
        return conf_fail_at(err, &value->place,
                "'format' is der, pem, jwk, raw, openssh, pub.pem, pub.der or pub.jwk");
    if (key->format == SKRFS_FORMAT_RAW && !conf->vaults[key->vault].managed_hsm)
        return conf_fail_at(err, &value->place,
                "'raw' is for symmetric keys, which only a Managed HSM has; '%s' is a vault",
                conf->vaults[key->vault].name);
    return 0;
}

static int take_enc(
        const struct section *section, struct skrfs_conf_key *key, struct skrfs_error *err) {
    static const char *const known[] = {
            "RSA_AES_KEY_WRAP_256", "RSA_AES_KEY_WRAP_384", "CKM_RSA_AES_KEY_WRAP"};
    const struct value *value = raw_get(section, "enc");
    if (!value)
        return 0;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(known); i++)
        if (strcmp(known[i], value->text) == 0)
            return conf_take_text(value, &key->enc, err);
    return conf_fail_at(err, &value->place, "'enc' is %s, %s or %s", known[0], known[1], known[2]);
}

static int take_rules(const struct value *value, const struct skrfs_names *names,
        struct skrfs_rules *rules, struct skrfs_error *err) {
    size_t offset = 0;
    if (!value || skrfs_rules_parse(value->text, names, rules, &offset, err) == 0)
        return 0;
    if (err->kind != SKRFS_CLASS_CONFIG)
        return -1;
    struct place place = raw_place_of(value, offset);
    return skrfs_wrap(err, "%s:%u:%u", place.file, place.line, place.column);
}

static int take_owner(const struct section *section, const struct skrfs_names *names,
        struct skrfs_guard *guard, struct skrfs_error *err) {
    const struct value *owner = raw_get(section, "owner");
    const struct value *group = raw_get(section, "group");
    if (owner && !names->user(names->context, owner->text, &guard->owner))
        return conf_fail_at(
                err, &owner->place, "there is no user '%s' on this machine", owner->text);
    if (group && !names->group(names->context, group->text, &guard->group))
        return conf_fail_at(
                err, &group->place, "there is no group '%s' on this machine", group->text);
    return conf_take_mode(raw_get(section, "mode"), &guard->mode, err);
}

static int take_hours(
        const struct value *value, struct skrfs_hours *hours, struct skrfs_error *err) {
    struct skrfs_error reason;
    if (!value || skrfs_hours_parse(value->text, hours, &reason) == 0)
        return 0;
    return conf_fail_at(err, &value->place, "%s", reason.message);
}

static int take_reads(const struct value *value, uint64_t *ret_reads, struct skrfs_error *err) {
    if (!value)
        return 0;
    uint64_t reads = strtoull(value->text, NULL, 10);
    if (!conf_is_word(value->text, "0123456789", READS_DIGITS) || !reads)
        return conf_fail_at(err, &value->place,
                "'reads' is how often the key may be opened: a number from 1 on");
    *ret_reads = reads;
    return 0;
}

static int take_until(
        const struct value *value, struct skrfs_limits *limits, struct skrfs_error *err) {
    struct skrfs_error reason;
    if (!value || skrfs_until_parse(value->text, limits, &reason) == 0)
        return 0;
    if (reason.kind != SKRFS_CLASS_CONFIG) {
        *err = reason;
        return -1;
    }
    return conf_fail_at(err, &value->place, "%s", reason.message);
}

static int take_taking_back(
        const struct section *section, struct skrfs_conf_key *key, struct skrfs_error *err) {
    if (take_hours(raw_get(section, "hours"), &key->guard.hours, err) ||
            take_reads(raw_get(section, "reads"), &key->limits.reads, err) ||
            take_until(raw_get(section, "until"), &key->limits, err))
        return -1;
    return conf_take_bool(raw_get(section, "hide"), &key->hide, err);
}

int conf_take_key(const struct section *section, const struct skrfs_conf *conf,
        const struct skrfs_names *names, struct skrfs_conf_key *key, struct skrfs_error *err) {
    if (check_file_name(section, err) || set_defaults(conf, key, section->name, err))
        return -1;
    if (take_vault(section, conf, key, err) || take_name(section, key, err) ||
            take_format(section, conf, key, err) || take_enc(section, key, err))
        return -1;
    if (take_owner(section, names, &key->guard, err) ||
            take_rules(raw_get(section, "allow"), names, &key->guard.allow, err) ||
            take_rules(raw_get(section, "deny"), names, &key->guard.deny, err))
        return -1;
    if (take_taking_back(section, key, err))
        return -1;
    if (conf_take_duration(raw_get(section, "refresh"), &key->refresh_ns, err) ||
            conf_take_duration(raw_get(section, "stale"), &key->stale_ns, err))
        return -1;
    return 0;
}
