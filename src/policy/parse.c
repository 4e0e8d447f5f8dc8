/* Grammar: "Azure Key Vault key policy grammar" of the product's documentation; only `equals` is
 * served. */
#include "tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void read_conditions(
        struct reader *reader, const struct skrfs_json *array, struct condition *list);

static void condition_done(struct condition *condition) {
    free(condition->claim);
    free(condition->value);
    for (size_t i = 0; i < condition->count; i++)
        condition_done(&condition->children[i]);
    free(condition->children);
}

static void policy_done(struct skrfs_policy *policy) {
    for (size_t i = 0; i < policy->count; i++) {
        free(policy->authorities[i].url);
        condition_done(&policy->authorities[i].root);
    }
    free(policy->authorities);
}

void skrfs_policy_free(struct skrfs_policy *policy) {
    if (!policy)
        return;
    policy_done(policy);
    free(policy);
}

static size_t enter_member(struct reader *reader, const char *name) {
    size_t before = strlen(reader->path);
    snprintf(reader->path + before, sizeof(reader->path) - before, "%s%s", before ? "." : "", name);
    return before;
}

static size_t enter_element(struct reader *reader, size_t index) {
    size_t before = strlen(reader->path);
    snprintf(reader->path + before, sizeof(reader->path) - before, "[%zu]", index);
    return before;
}

static void leave(struct reader *reader, size_t before) {
    reader->path[before] = '\0';
}

__attribute__((format(printf, 3, 4))) static void refuse(
        struct reader *reader, const char *member, const char *format, ...) {
    char text[320];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    size_t before = strlen(reader->path);
    if (member)
        before = enter_member(reader, member);
    if (!reader->failed)
        skrfs_fail(reader->err, SKRFS_CLASS_BAD_ANSWER, "release policy: %s%s%s", reader->path,
                *reader->path ? ": " : "", text);
    reader->failed = true;
    if (reader->on_error)
        reader->on_error(reader, reader->path, text);
    leave(reader, before);
}

static char *copy_text(struct reader *reader, const char *text) {
    char *copy = strdup(text);
    if (!copy) {
        reader->failed = true;
        skrfs_fail_memory(reader->err);
    }
    return copy;
}

/* An array of `count` zeroed elements, NULL (with an error) when there is no memory. */
static void *new_list(struct reader *reader, size_t count, size_t size) {
    void *list = calloc(count, size);
    if (!list) {
        reader->failed = true;
        skrfs_fail_memory(reader->err);
    }
    return list;
}

static void refuse_member(struct reader *reader, const char *name, const char *const *allowed) {
    static const char *const operators[] = {
            "notEquals", "less", "lessOrEquals", "greater", "greaterOrEquals", "exists", NULL};
    for (size_t i = 0; allowed[i]; i++) {
        if (strcasecmp(name, allowed[i]) == 0) {
            refuse(reader, name, "unknown member '%.60s': did you mean '%s'?", name, allowed[i]);
            return;
        }
    }
    for (size_t i = 0; operators[i]; i++) {
        if (strcasecmp(name, operators[i]) == 0) {
            refuse(reader, name, "operator '%s' is not served: only 'equals' is", operators[i]);
            return;
        }
    }
    if (strcmp(name, "condition") == 0 || strcmp(name, "value") == 0)
        refuse(reader, name,
                "'%s' belongs to the old preview form: write {\"claim\": ..., \"equals\": ...}",
                name);
    else
        refuse(reader, name, "unknown member '%.60s'", name);
}

static bool check_members(
        struct reader *reader, const struct skrfs_json *object, const char *const *allowed) {
    void *iterator = NULL;
    const char *name = NULL;
    const struct skrfs_json *value = NULL;
    bool known = true;
    while (skrfs_json_next(object, &iterator, &name, &value)) {
        size_t i = 0;
        while (allowed[i] && strcmp(allowed[i], name) != 0)
            i++;
        if (!allowed[i])
            refuse_member(reader, name, allowed);
        known = known && allowed[i];
    }
    return known;
}

static void read_claim_name(
        struct reader *reader, const struct skrfs_json *json, struct condition *claim) {
    const char *name = skrfs_json_string(skrfs_json_get(json, "claim"));
    if (!name)
        refuse(reader, "claim", "is not a claim's name in quotes");
    else if (!*name || strlen(name) >= SKRFS_CLAIM_MAX)
        refuse(reader, "claim", "a claim's name has 1 to %d characters", SKRFS_CLAIM_MAX - 1);
    else
        claim->claim = copy_text(reader, name);
}

static void read_claim(
        struct reader *reader, const struct skrfs_json *json, struct condition *claim) {
    static const char *const allowed[] = {"claim", "equals", NULL};
    bool known = check_members(reader, json, allowed);
    read_claim_name(reader, json, claim);
    const struct skrfs_json *equals = skrfs_json_get(json, "equals");
    skrfs_autobuf text = SKRFS_BUF(SKRFS_POLICY_MAX);
    if (!equals && known)
        refuse(reader, NULL, "the claim has no 'equals'");
    if (!equals)
        return;
    if (!skrfs_policy_value_text(equals, &text))
        refuse(reader, "equals", "takes a string, a number, true or false");
    else
        claim->value = copy_text(reader, skrfs_buf_text(&text));
    if (claim->claim && claim->value && reader->on_claim)
        reader->on_claim(reader, claim);
}

/* Reads the one of anyOf and allOf that `json` has. */
static void read_list(
        struct reader *reader, const struct skrfs_json *json, struct condition *list) {
    const struct skrfs_json *any = skrfs_json_get(json, "anyOf"),
                            *all = skrfs_json_get(json, "allOf");
    if (!any == !all) {
        refuse(reader, NULL, "has %s 'anyOf' and 'allOf': exactly one is wanted",
                any ? "both" : "neither");
        return;
    }
    list->kind = any ? CONDITION_ANY : CONDITION_ALL;
    size_t before = enter_member(reader, any ? "anyOf" : "allOf");
    read_conditions(reader, any ? any : all, list);
    leave(reader, before);
}

static void read_condition(
        struct reader *reader, const struct skrfs_json *json, struct condition *condition) {
    static const char *const lists[] = {"anyOf", "allOf", NULL};
    if (skrfs_json_kind(json) != SKRFS_JSON_OBJECT) {
        refuse(reader, NULL,
                "is no condition: write {\"claim\": ..., \"equals\": ...}, anyOf or allOf");
    } else if (skrfs_json_get(json, "claim") ||
               (!skrfs_json_get(json, "anyOf") && !skrfs_json_get(json, "allOf") &&
                       skrfs_json_get(json, "equals"))) {
        read_claim(reader, json, condition);
    } else {
        (void)check_members(reader, json, lists);
        read_list(reader, json, condition);
    }
}

static void read_conditions(
        struct reader *reader, const struct skrfs_json *array, struct condition *list) {
    if (skrfs_json_kind(array) != SKRFS_JSON_ARRAY || skrfs_json_size(array) == 0) {
        refuse(reader, NULL, "is not a list of at least one condition");
        return;
    }
    size_t count = skrfs_json_size(array);
    list->children = new_list(reader, count, sizeof(*list->children));
    if (!list->children)
        return;
    list->count = count;
    for (size_t i = 0; i < count; i++) {
        size_t before = enter_element(reader, i);
        read_condition(reader, skrfs_json_at(array, i), &list->children[i]);
        leave(reader, before);
    }
}

static void read_authority(
        struct reader *reader, const struct skrfs_json *json, struct authority *authority) {
    static const char *const allowed[] = {"authority", "anyOf", "allOf", NULL};
    if (skrfs_json_kind(json) != SKRFS_JSON_OBJECT) {
        refuse(reader, NULL, "is no authority: write {\"authority\": ..., \"allOf\": [...]}");
        return;
    }
    (void)check_members(reader, json, allowed);
    const char *url = skrfs_json_string(skrfs_json_get(json, "authority"));
    if (url && *url)
        authority->url = copy_text(reader, url);
    else
        refuse(reader, "authority", "the attestation service's address is missing");
    read_list(reader, json, &authority->root);
    if (authority->url && reader->on_authority)
        reader->on_authority(reader, authority);
}

static void read_version(struct reader *reader, const struct skrfs_json *json) {
    const char *version = skrfs_json_string(skrfs_json_get(json, "version"));
    if (!version)
        refuse(reader, NULL, "has no \"version\": \"1.0.0\"");
    else if (strcmp(version, "1.0") == 0 || strcmp(version, "0.2") == 0)
        refuse(reader, "version",
                "\"%s\" is the old preview form: write \"1.0.0\" and conditions as "
                "{\"claim\": ..., \"equals\": ...}",
                version);
    else if (strcmp(version, "1.0.0") != 0)
        refuse(reader, "version", "\"%.20s\" is unknown: only \"1.0.0\" is served", version);
}

void skrfs_policy_read(
        struct reader *reader, const struct skrfs_json *json, struct skrfs_policy *policy) {
    static const char *const allowed[] = {"version", "anyOf", NULL};
    if (skrfs_json_kind(json) != SKRFS_JSON_OBJECT) {
        refuse(reader, NULL, "is no JSON object");
        return;
    }
    (void)check_members(reader, json, allowed);
    read_version(reader, json);
    const struct skrfs_json *authorities = skrfs_json_get(json, "anyOf");
    size_t count = skrfs_json_size(authorities);
    if (!authorities || skrfs_json_kind(authorities) != SKRFS_JSON_ARRAY || count == 0) {
        refuse(reader, authorities ? "anyOf" : NULL,
                "wants \"anyOf\": a list of at least one authority");
        return;
    }
    policy->authorities = new_list(reader, count, sizeof(*policy->authorities));
    if (!policy->authorities)
        return;
    policy->count = count;
    size_t before = enter_member(reader, "anyOf");
    for (size_t i = 0; i < count; i++) {
        size_t outer = enter_element(reader, i);
        read_authority(reader, skrfs_json_at(authorities, i), &policy->authorities[i]);
        leave(reader, outer);
    }
    leave(reader, before);
}

int skrfs_policy_parse(
        const char *text, size_t len, struct skrfs_policy **ret_policy, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    if (skrfs_json_parse(text, len, SKRFS_POLICY_MAX, &json, err) < 0)
        return skrfs_wrap(err, "release policy");
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = calloc(1, sizeof(*policy));
    if (!policy)
        return skrfs_fail_memory(err);
    struct reader reader = {.err = err};
    skrfs_policy_read(&reader, json, policy);
    if (reader.failed)
        return -1;
    *ret_policy = skrfs_take(policy);
    return 0;
}
