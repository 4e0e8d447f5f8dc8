/* Where the trusted execution environment is looked for. */
#include "room.h"

#include <string.h>

static const char *const kinds[] = {"auto", "azure-cvm", "snp", "tdx", "sgx", NULL};
static const char *const sources[] = {"context", "report", "file", "thim", "cache", "kds", NULL};

/* Which kinds have a use for a name; the others would look as if they heeded it. */
static const struct {
    const char *name, *kinds[4];
} uses[] = {
        {"tsm", {"snp", "tdx"}},
        {"device", {"snp"}},
        {"attestation", {"sgx"}},
        {"context", {"snp"}},
        {"certificates", {"snp"}},
        {"certificates-file", {"snp"}},
        {"cache-url", {"snp"}},
        {"kds-url", {"snp"}},
        {"init-data", {"snp", "tdx", "sgx"}},
        {"allow-debug", {"snp", "tdx", "sgx"}},
};

static bool is_used(size_t use, const char *kind) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(uses[use].kinds) && uses[use].kinds[i]; i++)
        if (strcmp(uses[use].kinds[i], kind) == 0)
            return true;
    return false;
}

static int check_uses(const struct section *section, const char *kind, struct skrfs_error *err) {
    if (strcmp(kind, "auto") == 0)
        return 0;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(uses); i++) {
        const struct value *value = raw_get(section, uses[i].name);
        if (value && !is_used(i, kind))
            return conf_fail_at(
                    err, &value->place, "'%s' means nothing with kind = %s", value->name, kind);
    }
    return 0;
}

/* The security context's folder, or that there is none. */
static int take_context(const struct value *value, char **ret_path, struct skrfs_error *err) {
    if (value && strcmp(value->text, "none") == 0)
        return conf_take_text(value, ret_path, err);
    return conf_take_path(value, ret_path, err);
}

static size_t find_source(const char *word, size_t len) {
    size_t i = 0;
    while (sources[i] && (strlen(sources[i]) != len || strncmp(sources[i], word, len) != 0))
        i++;
    return i;
}

static int fail_source(
        const struct value *value, size_t offset, size_t len, struct skrfs_error *err) {
    char word[32] = "";
    struct place place = raw_place_of(value, offset);
    if (len < sizeof(word))
        memcpy(word, value->text + offset, len);
    const char *near = conf_nearest(word, sources);
    return conf_fail_at(err, &place,
            "'certificates' are of context, report, file, thim, cache and kds%s%s%s",
            near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* Each source once, in the order in which they are tried; `named` gets which. */
static int check_sources(
        const struct value *value, bool named[SKRFS_ARRAY_LEN(sources)], struct skrfs_error *err) {
    static const char blanks[] = " \t";
    for (size_t at = strspn(value->text, blanks); value->text[at];) {
        size_t len = strcspn(value->text + at, blanks);
        size_t source = find_source(value->text + at, len);
        struct place place = raw_place_of(value, at);
        if (!sources[source])
            return fail_source(value, at, len, err);
        if (named[source])
            return conf_fail_at(err, &place, "'%s' is there twice", sources[source]);
        named[source] = true;
        at += len;
        at += strspn(value->text + at, blanks);
    }
    return 0;
}

static int take_certificates(
        const struct section *section, struct skrfs_conf *conf, struct skrfs_error *err) {
    static const struct {
        const char *name, *source;
    } needs[] = {{"certificates-file", "file"}, {"cache-url", "cache"}, {"kds-url", "kds"}};
    const struct value *order = raw_get(section, "certificates");
    bool named[SKRFS_ARRAY_LEN(sources)] = {false};
    if (!order)
        return 0;
    if (check_sources(order, named, err) || conf_take_text(order, &conf->tee.certificates, err))
        return -1;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(needs); i++) {
        const struct value *value = raw_get(section, needs[i].name);
        if (value && !named[find_source(needs[i].source, strlen(needs[i].source))])
            return conf_fail_at(err, &value->place,
                    "'%s' is there, but 'certificates' (line %u) does not list %s", value->name,
                    order->place.line, needs[i].source);
    }
    if (named[find_source("file", 4)] && !raw_get(section, "certificates-file"))
        return conf_fail_at(err, &order->place,
                "'certificates' lists file, but there is no 'certificates-file'");
    return 0;
}

int conf_take_tee(const struct raw *raw, struct skrfs_conf *conf, struct skrfs_error *err) {
    const struct section *section = raw_find(raw, SECTION_TEE, "");
    conf->tee.kind = strdup("auto");
    if (!conf->tee.kind)
        return skrfs_fail_memory(err);
    if (conf_take_word(raw_get(section, "kind"), kinds, &conf->tee.kind, err) ||
            conf_take_path(raw_get(section, "tsm"), &conf->tee.tsm, err) ||
            conf_take_path(raw_get(section, "device"), &conf->tee.device, err) ||
            conf_take_path(raw_get(section, "attestation"), &conf->tee.attestation, err) ||
            take_context(raw_get(section, "context"), &conf->tee.context, err))
        return -1;
    if (conf_take_path(raw_get(section, "certificates-file"), &conf->tee.certificates_file, err) ||
            conf_take_https(raw_get(section, "cache-url"), &conf->tee.cache_url, NULL, err) ||
            conf_take_https(raw_get(section, "kds-url"), &conf->tee.kds_url, NULL, err) ||
            conf_take_path(raw_get(section, "init-data"), &conf->tee.init_data, err) ||
            conf_take_bool(raw_get(section, "allow-debug"), &conf->tee.allow_debug, err))
        return -1;
    return check_uses(section, conf->tee.kind, err) || take_certificates(section, conf, err) ? -1
                                                                                             : 0;
}
