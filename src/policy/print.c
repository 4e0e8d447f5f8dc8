#include "tree.h"

#include <string.h>

static int print_condition(
        const struct condition *condition, struct skrfs_json **ret_json, struct skrfs_error *err);

static int print_children(
        const struct condition *condition, struct skrfs_json **ret_json, struct skrfs_error *err) {
    skrfs_autojson *array = NULL;
    if (skrfs_json_new_array(&array, err) < 0)
        return -1;
    for (size_t i = 0; i < condition->count; i++) {
        struct skrfs_json *child = NULL;
        if (print_condition(&condition->children[i], &child, err) < 0 ||
                skrfs_json_append(array, child, err) < 0)
            return -1;
    }
    *ret_json = skrfs_take(array);
    return 0;
}

static const char *list_name(const struct condition *condition) {
    return condition->kind == CONDITION_ANY ? "anyOf" : "allOf";
}

static int print_condition(
        const struct condition *condition, struct skrfs_json **ret_json, struct skrfs_error *err) {
    if (condition->kind == CONDITION_CLAIM)
        return skrfs_json_pack(ret_json, err, "{s:s, s:s}", "claim", condition->claim,
                skrfs_policy_comparisons[condition->comparison], condition->value);
    struct skrfs_json *children = NULL;
    if (print_children(condition, &children, err) < 0)
        return -1;
    return skrfs_json_pack(ret_json, err, "{s:o}", list_name(condition), children);
}

static int print_authorities(
        const struct skrfs_policy *policy, struct skrfs_json **ret_json, struct skrfs_error *err) {
    skrfs_autojson *array = NULL;
    if (skrfs_json_new_array(&array, err) < 0)
        return -1;
    for (size_t i = 0; i < policy->count; i++) {
        const struct authority *authority = &policy->authorities[i];
        struct skrfs_json *children = NULL, *entry = NULL;
        if (print_children(&authority->root, &children, err) < 0 ||
                skrfs_json_pack(&entry, err, "{s:s, s:o}", "authority", authority->url,
                        list_name(&authority->root), children) < 0 ||
                skrfs_json_append(array, entry, err) < 0)
            return -1;
    }
    *ret_json = skrfs_take(array);
    return 0;
}

int skrfs_policy_print(
        const struct skrfs_policy *policy, struct skrfs_buf *out, struct skrfs_error *err) {
    struct skrfs_json *authorities = NULL;
    skrfs_autojson *whole = NULL;
    if (print_authorities(policy, &authorities, err) < 0 ||
            skrfs_json_pack(&whole, err, "{s:s, s:o}", "version", "1.0.0", "anyOf", authorities) <
                    0)
        return -1;
    return skrfs_json_print(whole, false, out, err);
}
