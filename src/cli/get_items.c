#include "get.h"

#include <skrfs/base/file.h>
#include <skrfs/skrfs.h>
#include <stdio.h>
#include <string.h>

static int format_read(struct get *get, struct skrfs_error *err) {
    const char *wanted = get->options->format;
    enum skrfs_format format;
    if (!wanted) {
        get->format = get->options->mystikos ? SKRFS_FORMAT_PLAIN : -1;
        return 0;
    }
    if (skrfs_format_parse(wanted, &format)) {
        get->format = (int)format;
        return 0;
    }
    const char *names[SKRFS_FORMAT_COUNT];
    for (int i = 0; i < SKRFS_FORMAT_COUNT; i++) {
        names[i] = skrfs_format_name((enum skrfs_format)i);
    }
    const char *near = skrfs_nearest(wanted, names, SKRFS_FORMAT_COUNT);
    return skrfs_fail(err, SKRFS_CLASS_CONFIG,
            "unknown format '%s'; there are der, pem, jwk, raw, openssh, pub.pem, pub.der and "
            "pub.jwk%s%s%s",
            wanted, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int from_operands(struct get *get, const struct skrfs_call *call, struct skrfs_error *err) {
    get->items = calloc((size_t)call->count + 1, sizeof(*get->items));
    if (!get->items) {
        return skrfs_fail_memory(err);
    }
    for (int i = 0; i < call->count; i++) {
        struct get_item *item = &get->items[get->count++];
        *item = (struct get_item){.name = call->operands[i],
                .told = call->operands[i],
                .file = call->operands[i],
                .dir_fd = -1};
        if (skrfs_key_pick(get->conf, item->name, &item->key, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Without --config and without a file in the usual place, what the command line says is enough. */
static int conf_for_mystikos(struct get *get, struct skrfs_error *err) {
    const char *path = skrfs_config_path(get->options->config);
    bool wanted = get->options->config || access(path, F_OK) == 0;
    int result = wanted ? skrfs_conf_load(path, &get->conf, err)
                        : skrfs_conf_parse("--attestation", "", 0, &get->conf, err);
    if (result < 0 || !get->options->attestation) {
        return result;
    }
    char text[512];
    struct skrfs_conf *said = NULL;
    if (strpbrk(get->options->attestation, "\r\n;#") ||
            snprintf(text, sizeof(text), "[attestation]\nurl = %s\n", get->options->attestation) >=
                    (int)sizeof(text)) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "--attestation wants https://host");
    }
    if (skrfs_conf_parse("--attestation", text, strlen(text), &said, err) < 0) {
        return -1;
    }
    free(get->conf->attestation_url);
    get->conf->attestation_url = skrfs_take(said->attestation_url);
    skrfs_conf_free(said);
    return 0;
}

static const char *environment(const char *name) {
    const char *value = secure_getenv(name);
    return value && *value ? value : NULL;
}

static int mystikos_read(struct get *get, struct skrfs_error *err) {
    const struct skrfs_mystikos_login login = {.client = environment("CLIENT_ID"),
            .tenant = environment("APP_ID"),
            .authority = environment("MHSM_AAD_URL"),
            .secret = environment("CLIENT_SECRET") != NULL};
    skrfs_autobuf text = SKRFS_BUF(SKRFS_MYSTIKOS_MAX);
    const char *path = get->options->mystikos;
    if (skrfs_file_read(path, &text, err) < 0 ||
            skrfs_mystikos_parse(path, skrfs_buf_text(&text), text.len, &get->mystikos, err) < 0 ||
            conf_for_mystikos(get, err) < 0) {
        return -1;
    }
    if (get->mystikos.client_lib) {
        (void)fprintf(stderr, "skrfs get: %s: ClientLib is not used: skrfs is the client\n", path);
    }
    return skrfs_mystikos_apply(&get->mystikos, &login, get->conf, err);
}

static int from_mystikos(struct get *get, struct skrfs_error *err) {
    if (mystikos_read(get, err) < 0) {
        return -1;
    }
    get->items = calloc(get->mystikos.count + 1, sizeof(*get->items));
    if (!get->items) {
        return skrfs_fail_memory(err);
    }
    for (size_t i = 0; i < get->mystikos.count; i++) {
        const struct skrfs_mystikos_secret *secret = &get->mystikos.secrets[i];
        get->items[get->count++] = (struct get_item){.name = get->conf->keys[i].file,
                .told = secret->id,
                .file = strrchr(secret->path, '/') + 1,
                .key = i,
                .verbose = secret->verbose,
                .dir_fd = -1};
    }
    return 0;
}

/* What does not go together, said before any file is read. */
static int options_check(
        const struct get_options *options, const struct skrfs_call *call, struct skrfs_error *err) {
    bool to_stdout = !options->to || strcmp(options->to, "-") == 0;
    if (options->mystikos ? call->count > 0 : call->count == 0) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                options->mystikos
                        ? "--mystikos names the keys: no NAME belongs beside it"
                        : "something is missing: which keys? skrfs get [OPTION]... NAME...");
    }
    if (options->attestation && !options->mystikos) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "--attestation goes with --mystikos");
    }
    if (options->to_gramine && (options->to || options->mystikos)) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "--keys-to-gramine is a place of its own: neither --to nor --mystikos go with it");
    }
    if (to_stdout && !options->to_gramine && !options->mystikos &&
            (call->count > 1 || options->program)) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "%s: say --to DIR, on tmpfs or ramfs",
                options->program ? "--exec wants the keys in files" : "several keys go to files");
    }
    if (options->version && (call->count > 1 || options->mystikos)) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "--version goes with one key only");
    }
    if (call->rest_count && !options->program) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "the words behind -- are the arguments of --exec PROGRAM, which is not there");
    }
    return 0;
}

int get_items(struct get *get, const struct skrfs_call *call, struct skrfs_error *err) {
    if (options_check(get->options, call, err) < 0 || format_read(get, err) < 0) {
        return -1;
    }
    if (get->options->mystikos) {
        return from_mystikos(get, err);
    }
    if (skrfs_conf_load(skrfs_config_path(get->options->config), &get->conf, err) < 0) {
        return -1;
    }
    return from_operands(get, call, err);
}

void get_done(struct get *get) {
    for (size_t i = 0; i < get->count; i++) {
        skrfs_secret_unref(get->items[i].secret);
        skrfs_close_p(&get->items[i].dir_fd);
    }
    if (get->client) {
        skrfs_client_free(get->client);
    } else {
        skrfs_conf_free(get->conf);
    }
    skrfs_mystikos_done(&get->mystikos);
    free(get->items);
    free(get->program);
    free(get->environment);
}
