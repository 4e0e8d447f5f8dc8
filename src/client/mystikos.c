#include "mystikos.h"

#include <limits.h>
#include <skrfs/json/json.h>
#include <stdio.h>
#include <string.h>

#define ID_MAX 127 /* Key Vault's own limit */
#define ADDRESS_MAX 300

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/* The document being read. */
struct reading {
    const char *name, *text;
    size_t len;
    bool in_object; /* the array is the member "Secret" of an object */
    struct skrfs_error *err;
};

static int(fail_at)(const struct reading *reading, size_t index, const char *member,
        const char *format, ...) SKRFS_PRINTF(4, 5);

/* At a member of an element, or at the element itself where it lacks the member. */
static int(fail_at)(
        const struct reading *reading, size_t index, const char *member, const char *format, ...) {
    struct mystikos_place place = {1, 1};
    char text[400];
    va_list args;

    mystikos_locate(reading->text, reading->len, reading->in_object, index, member, &place);
    va_start(args, format);
    if (vsnprintf(text, sizeof(text), format, args) < 0)
        text[0] = '\0';
    va_end(args);
    skrfs_fail(reading->err, SKRFS_CLASS_CONFIG, "%s:%u:%u: %s", reading->name, place.line,
            place.column, text);
    return -1;
}

#define fail_at(...) skrfs_minus_one((fail_at)(__VA_ARGS__))

static bool is_made_of(const char *text, const char *more, size_t max) {
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        if (!strchr(letters, text[i]) && !strchr(more, text[i]))
            return false;
    return len > 0 && len <= max;
}

static int take(const struct reading *reading, size_t index, const struct skrfs_json *element,
        const char *member, char **ret_text) {
    const struct skrfs_json *value = skrfs_json_get(element, member);
    const char *text = skrfs_json_string(value);

    if (!value)
        return fail_at(reading, index, NULL, "\"%s\" is missing", member);
    if (!text || !*text)
        return fail_at(reading, index, member, "\"%s\" is a text that is not empty", member);
    char *copy = strdup(text);
    if (!copy)
        return skrfs_fail_memory(reading->err);
    *ret_text = copy;
    return 0;
}

/* Plain names behind slashes: what is meant by the others depends on where one stands. */
static bool is_plain_path(const char *path) {
    if (path[0] != '/' || strlen(path) >= PATH_MAX)
        return false;
    while (*path) {
        size_t len = strcspn(++path, "/");
        if (len == 0 || len > NAME_MAX || (len == 1 && path[0] == '.') ||
                (len == 2 && path[0] == '.' && path[1] == '.'))
            return false;
        path += len;
    }
    return true;
}

static bool is_verbose(const struct skrfs_json *value) {
    if (!value)
        return false;
    if (skrfs_json_kind(value) == SKRFS_JSON_INTEGER)
        return skrfs_json_integer(value) != 0;
    return skrfs_json_kind(value) == SKRFS_JSON_TRUE;
}

static int check_members(
        const struct reading *reading, size_t index, const struct skrfs_json *element) {
    static const char *const texts[] = {
            "ID", "SrsAddress", "SrsApiVersion", "LocalPath", "ClientLib"};
    const struct skrfs_json *value;
    const char *member;
    void *iterator = NULL;

    while (skrfs_json_next(element, &iterator, &member, &value)) {
        bool known = strcmp(member, "Verbose") == 0;
        for (size_t i = 0; !known && i < SKRFS_ARRAY_LEN(texts); i++) {
            known = strcmp(member, texts[i]) == 0;
            if (known && !skrfs_json_string(value))
                return fail_at(reading, index, member, "\"%s\" is a text", member);
        }
        if (!known)
            return fail_at(reading, index, member,
                    "an unknown member; there are ID, SrsAddress, SrsApiVersion, LocalPath, "
                    "ClientLib and Verbose");
    }
    return 0;
}

static int check_secret(
        const struct reading *reading, size_t index, const struct skrfs_mystikos_secret *secret) {
    size_t scheme = strlen("https://");

    if (!is_made_of(secret->id, "-", ID_MAX))
        return fail_at(reading, index, "ID",
                "\"ID\" is the name of a key: up to %d letters, digits and '-'", ID_MAX);
    if (strncmp(secret->address, "https://", scheme) != 0 ||
            !is_made_of(secret->address + scheme, "-.:/[]", ADDRESS_MAX))
        return fail_at(reading, index, "SrsAddress",
                "\"SrsAddress\" is the address of a Managed HSM or vault: "
                "https://NAME.managedhsm.azure.net");
    if (!is_plain_path(secret->path))
        return fail_at(reading, index, "LocalPath",
                "\"LocalPath\" is a path from the root without '.', '..' and empty names");
    return 0;
}

static int take_secret(const struct reading *reading, size_t index,
        const struct skrfs_json *element, struct skrfs_mystikos *mystikos) {
    struct skrfs_mystikos_secret *secret = &mystikos->secrets[mystikos->count++];

    if (skrfs_json_kind(element) != SKRFS_JSON_OBJECT)
        return fail_at(reading, index, NULL, "each secret is an object");
    if (check_members(reading, index, element) < 0 ||
            take(reading, index, element, "ID", &secret->id) < 0 ||
            take(reading, index, element, "SrsAddress", &secret->address) < 0 ||
            take(reading, index, element, "LocalPath", &secret->path) < 0 ||
            check_secret(reading, index, secret) < 0)
        return -1;
    secret->verbose = is_verbose(skrfs_json_get(element, "Verbose"));
    if (skrfs_json_get(element, "ClientLib"))
        mystikos->client_lib = true;
    for (size_t i = 0; i + 1 < mystikos->count; i++)
        if (strcmp(mystikos->secrets[i].path, secret->path) == 0)
            return fail_at(
                    reading, index, "LocalPath", "secret %zu has this \"LocalPath\" too", i + 1);
    return 0;
}

static int take_all(const struct reading *reading, const struct skrfs_json *list,
        struct skrfs_mystikos *mystikos) {
    size_t count = skrfs_json_size(list);

    if (count > SKRFS_MYSTIKOS_SECRETS)
        return skrfs_fail(reading->err, SKRFS_CLASS_CONFIG, "%s: more than %d secrets",
                reading->name, SKRFS_MYSTIKOS_SECRETS);
    mystikos->secrets = calloc(count ? count : 1, sizeof(*mystikos->secrets));
    if (!mystikos->secrets)
        return skrfs_fail_memory(reading->err);
    for (size_t i = 0; i < count; i++)
        if (take_secret(reading, i, skrfs_json_at(list, i), mystikos) < 0)
            return -1;
    return 0;
}

int skrfs_mystikos_parse(const char *name, const char *text, size_t len,
        struct skrfs_mystikos *ret_mystikos, struct skrfs_error *err) {
    struct reading reading = {.name = name, .text = text, .len = len, .err = err};
    skrfs_automystikos mystikos = {.count = 0};
    skrfs_autojson *json = NULL;

    if (skrfs_json_parse(text, len, SKRFS_MYSTIKOS_MAX, &json, err) < 0) {
        if (err->kind == SKRFS_CLASS_BAD_ANSWER)
            err->kind = SKRFS_CLASS_CONFIG;
        return skrfs_wrap(err, "%s", name);
    }
    const struct skrfs_json *list = json;
    reading.in_object = skrfs_json_kind(json) == SKRFS_JSON_OBJECT;
    if (reading.in_object)
        list = skrfs_json_get(json, "Secret");
    if (!list || skrfs_json_kind(list) != SKRFS_JSON_ARRAY)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "%s: there is no array \"Secret\", in which Mystikos declares its keys", name);
    if (take_all(&reading, list, &mystikos) < 0)
        return -1;
    *ret_mystikos = mystikos;
    mystikos = (struct skrfs_mystikos){.count = 0};
    return 0;
}

void skrfs_mystikos_done(struct skrfs_mystikos *mystikos) {
    for (size_t i = 0; i < mystikos->count; i++) {
        free(mystikos->secrets[i].id);
        free(mystikos->secrets[i].address);
        free(mystikos->secrets[i].path);
    }
    free(mystikos->secrets);
    *mystikos = (struct skrfs_mystikos){.count = 0};
}
