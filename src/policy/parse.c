#include "tree.h"

#include <stdio.h>
#include <string.h>

static void condition_done(struct condition *condition) {
    free(condition->claim);
    free(condition->value);
    for (size_t i = 0; i < condition->count; i++)
        condition_done(&condition->children[i]);
    free(condition->children);
}

void skrfs_policy_free(struct skrfs_policy *policy) {
    if (!policy)
        return;
    for (size_t i = 0; i < policy->count; i++) {
        free(policy->authorities[i].url);
        condition_done(&policy->authorities[i].root);
    }
    free(policy->authorities);
    free(policy);
}

const char *skrfs_policy_list_name(const struct condition *list) {
    bool any = list->kind == CONDITION_ANY;
    return list->lower ? any ? "anyof" : "allof" : any ? "anyOf" : "allOf";
}

/* Reads the one of anyOf and allOf that `json` has, in either spelling. */
static void read_either(
        struct reader *reader, const struct skrfs_json *json, struct condition *list) {
    static const struct {
        enum condition_kind kind;
        bool lower;
    } spellings[] = {{CONDITION_ANY, false}, {CONDITION_ALL, false}, {CONDITION_ANY, true},
            {CONDITION_ALL, true}};
    size_t count = 0;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(spellings); i++) {
        struct condition spelt = {.kind = spellings[i].kind, .lower = spellings[i].lower};
        if (!skrfs_json_get(json, skrfs_policy_list_name(&spelt)))
            continue;
        *list = spelt;
        count++;
    }
    if (count != 1) {
        skrfs_reader_refuse(reader, NULL, "has %s 'anyOf' and 'allOf': exactly one is wanted",
                count ? "both" : "neither");
        return;
    }
    const char *name = skrfs_policy_list_name(list);
    size_t before = skrfs_path_member(reader->path, name);
    skrfs_policy_read_list(reader, skrfs_json_get(json, name), list);
    reader->path[before] = '\0';
}

static bool has_list(const struct skrfs_json *json) {
    return skrfs_json_get(json, "anyOf") || skrfs_json_get(json, "allOf") ||
           skrfs_json_get(json, "anyof") || skrfs_json_get(json, "allof");
}

static void read_condition(
        struct reader *reader, const struct skrfs_json *json, struct condition *condition) {
    static const char *const lists[] = {"anyOf", "allOf", "anyof", "allof", NULL};
    if (skrfs_json_kind(json) != SKRFS_JSON_OBJECT) {
        skrfs_reader_refuse(reader, NULL,
                "is no condition: write {\"claim\": ..., \"equals\": ...}, anyOf or allOf");
    } else if (skrfs_json_get(json, "authority")) {
        skrfs_reader_refuse(reader, NULL,
                "an authority stands in the policy's outermost anyOf alone, not among conditions");
    } else if (skrfs_json_get(json, "claim") && has_list(json)) {
        skrfs_reader_refuse(reader, NULL,
                "is a claim and a list at once: put the claim into the list as an element of its "
                "own");
    } else if (skrfs_json_get(json, "claim") ||
               (!has_list(json) && skrfs_json_get(json, "equals"))) {
        skrfs_policy_read_claim(reader, json, condition);
    } else {
        (void)skrfs_policy_check_members(reader, json, lists);
        read_either(reader, json, condition);
    }
}

void skrfs_policy_read_list(
        struct reader *reader, const struct skrfs_json *array, struct condition *list) {
    if (skrfs_json_kind(array) != SKRFS_JSON_ARRAY || skrfs_json_size(array) == 0) {
        skrfs_reader_refuse(reader, NULL, "is not a list of at least one condition");
        return;
    }
    size_t count = skrfs_json_size(array);
    list->children = skrfs_reader_list(reader, count, sizeof(*list->children));
    if (!list->children)
        return;
    list->count = count;
    for (size_t i = 0; i < count; i++) {
        size_t before = skrfs_path_element(reader->path, i);
        read_condition(reader, skrfs_json_at(array, i), &list->children[i]);
        reader->path[before] = '\0';
    }
}

static void read_authority(
        struct reader *reader, const struct skrfs_json *json, struct authority *authority) {
    static const char *const allowed[] = {"authority", "anyOf", "allOf", "anyof", "allof", NULL};
    if (skrfs_json_kind(json) != SKRFS_JSON_OBJECT) {
        skrfs_reader_refuse(
                reader, NULL, "is no authority: write {\"authority\": ..., \"allOf\": [...]}");
        return;
    }
    if (skrfs_json_get(json, "claim")) {
        skrfs_reader_refuse(reader, NULL,
                "is a condition where an authority is wanted: conditions stand inside "
                "{\"authority\": ..., \"allOf\": [...]}");
        return;
    }
    (void)skrfs_policy_check_members(reader, json, allowed);
    const char *url = skrfs_json_string(skrfs_json_get(json, "authority"));
    if (url && *url)
        authority->url = skrfs_reader_copy(reader, url);
    else
        skrfs_reader_refuse(reader, "authority", "the attestation service's address is missing");
    read_either(reader, json, &authority->root);
}

static void read_version(
        struct reader *reader, const struct skrfs_json *json, struct skrfs_policy *policy) {
    const char *version = skrfs_json_string(skrfs_json_get(json, "version"));
    if (!version)
        skrfs_reader_refuse(reader, NULL, "has no \"version\": \"1.0.0\"");
    else if (strcmp(version, "1.0") == 0 || strcmp(version, "0.2") == 0)
        policy->old_version = true;
    else if (strcmp(version, "1.0.0") != 0)
        skrfs_reader_refuse(
                reader, "version", "\"%.20s\" is unknown: only \"1.0.0\" is served", version);
}

static const struct skrfs_json *authorities_of(
        struct reader *reader, const struct skrfs_json *json, const char **ret_name) {
    const struct skrfs_json *upper = skrfs_json_get(json, "anyOf"),
                            *lower = skrfs_json_get(json, "anyof"), *found = upper ? upper : lower;
    const char *all = skrfs_json_get(json, "allOf")   ? "allOf"
                      : skrfs_json_get(json, "allof") ? "allof"
                                                      : NULL;
    *ret_name = lower && !upper ? "anyof" : "anyOf";
    if (upper && lower) {
        skrfs_reader_refuse(reader, "anyof", "stands beside 'anyOf': one of them is wanted");
    } else if (all) {
        skrfs_reader_refuse(
                reader, all, "a policy's authorities stand in \"anyOf\": one token has one issuer");
    } else if (!found || skrfs_json_kind(found) != SKRFS_JSON_ARRAY || !skrfs_json_size(found)) {
        skrfs_reader_refuse(reader, found ? *ret_name : NULL,
                "wants \"anyOf\": a list of at least one authority");
    } else {
        return found;
    }
    return NULL;
}

void skrfs_policy_read(
        struct reader *reader, const struct skrfs_json *json, struct skrfs_policy *policy) {
    static const char *const allowed[] = {"version", "anyOf", "anyof", "allOf", "allof", NULL};
    const char *name = NULL;
    if (skrfs_json_kind(json) != SKRFS_JSON_OBJECT) {
        skrfs_reader_refuse(reader, NULL, "is no JSON object");
        return;
    }
    enum skrfs_policy_kind kind = skrfs_policy_kind_of(json);
    if (kind != SKRFS_POLICY_KIND_POLICY) {
        skrfs_reader_refuse(reader, NULL, "%s", skrfs_policy_kind_text(kind));
        return;
    }
    (void)skrfs_policy_check_members(reader, json, allowed);
    read_version(reader, json, policy);
    const struct skrfs_json *authorities = authorities_of(reader, json, &name);
    size_t count = skrfs_json_size(authorities);
    if (!authorities)
        return;
    policy->authorities = skrfs_reader_list(reader, count, sizeof(*policy->authorities));
    if (!policy->authorities)
        return;
    policy->count = count;
    size_t before = skrfs_path_member(reader->path, name);
    for (size_t i = 0; i < count; i++) {
        size_t outer = skrfs_path_element(reader->path, i);
        read_authority(reader, skrfs_json_at(authorities, i), &policy->authorities[i]);
        reader->path[outer] = '\0';
    }
    reader->path[before] = '\0';
}

typedef void read_fn(
        struct reader *reader, const struct skrfs_json *json, struct skrfs_policy *policy);

static int parse(const char *text, size_t len, read_fn *read, struct skrfs_policy **ret_policy,
        struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    if (skrfs_json_parse(text, len, SKRFS_POLICY_MAX, &json, err) < 0)
        return skrfs_wrap(err, "release policy");
    SKRFS_CLEANUP(skrfs_policy_free_p) struct skrfs_policy *policy = calloc(1, sizeof(*policy));
    if (!policy)
        return skrfs_fail_memory(err);
    struct reader reader = {.err = err};
    read(&reader, json, policy);
    if (reader.failed)
        return -1;
    *ret_policy = skrfs_take(policy);
    return 0;
}

int skrfs_policy_parse(
        const char *text, size_t len, struct skrfs_policy **ret_policy, struct skrfs_error *err) {
    return parse(text, len, skrfs_policy_read, ret_policy, err);
}

int skrfs_policy_parse_import(
        const char *text, size_t len, struct skrfs_policy **ret_policy, struct skrfs_error *err) {
    return parse(text, len, skrfs_policy_read_import, ret_policy, err);
}

static int condition_served(const struct condition *condition, struct skrfs_error *err) {
    const char *name = condition->claim;
    if (condition->kind == CONDITION_CLAIM && condition->old_form)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "release policy: claim %.100s: 'condition' and 'value' belong to the old preview "
                "form",
                name);
    if (condition->kind == CONDITION_CLAIM && condition->comparison != COMPARE_EQUALS)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "release policy: claim %.100s: operator '%s' is not served: only 'equals' is", name,
                skrfs_policy_comparisons[condition->comparison]);
    for (size_t i = 0; i < condition->count; i++)
        if (condition_served(&condition->children[i], err) < 0)
            return -1;
    return 0;
}

int skrfs_policy_served(const struct skrfs_policy *policy, struct skrfs_error *err) {
    if (policy->old_version)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER,
                "release policy: the version is the old preview's: only \"1.0.0\" is served");
    for (size_t i = 0; i < policy->count; i++)
        if (condition_served(&policy->authorities[i].root, err) < 0)
            return -1;
    return 0;
}
