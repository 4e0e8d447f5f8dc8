/* {"claim": ..., "equals": ...} and its older form {"claim": ..., "condition": "equals", "value":
 * ...}. */
#include "tree.h"

#include <skrfs/base/nearest.h>
#include <string.h>
#include <strings.h>

const char *const skrfs_policy_comparisons[COMPARE_COUNT] = {
        [COMPARE_EQUALS] = "equals",
        [COMPARE_NOT_EQUALS] = "notEquals",
        [COMPARE_LESS] = "less",
        [COMPARE_LESS_OR_EQUALS] = "lessOrEquals",
        [COMPARE_GREATER] = "greater",
        [COMPARE_GREATER_OR_EQUALS] = "greaterOrEquals",
        [COMPARE_EXISTS] = "exists",
};

static const char *const claim_members[] = {"claim", "equals", "notEquals", "less", "lessOrEquals",
        "greater", "greaterOrEquals", "exists", "condition", "value", NULL};

bool skrfs_policy_check_members(
        struct reader *reader, const struct skrfs_json *object, const char *const *allowed) {
    void *iterator = NULL;
    const char *name = NULL;
    const struct skrfs_json *value = NULL;
    bool known = true;
    size_t count = 0;
    while (allowed[count])
        count++;
    while (skrfs_json_next(object, &iterator, &name, &value)) {
        size_t i = 0;
        while (allowed[i] && strcmp(allowed[i], name) != 0)
            i++;
        if (allowed[i])
            continue;
        known = false;
        const char *near = skrfs_nearest_within(name, allowed, count, 2);
        if (near)
            skrfs_reader_refuse(
                    reader, name, "unknown member '%.60s': did you mean '%s'?", name, near);
        else
            skrfs_reader_refuse(reader, name, "unknown member '%.60s'", name);
    }
    return known;
}

static void read_name(
        struct reader *reader, const struct skrfs_json *json, struct condition *claim) {
    const char *name = skrfs_json_string(skrfs_json_get(json, "claim"));
    if (!name)
        skrfs_reader_refuse(reader, "claim", "is not a claim's name in quotes");
    else if (!*name || strlen(name) >= SKRFS_CLAIM_MAX)
        skrfs_reader_refuse(
                reader, "claim", "a claim's name has 1 to %d characters", SKRFS_CLAIM_MAX - 1);
    else
        claim->claim = skrfs_reader_copy(reader, name);
}

static void read_value(struct reader *reader, const struct skrfs_json *value, const char *member,
        struct condition *claim) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_POLICY_MAX);
    if (!value)
        skrfs_reader_refuse(reader, NULL, "the condition has no '%s'", member);
    else if (!skrfs_claim_text(value, &text))
        skrfs_reader_refuse(reader, member, "takes a string, a number, true or false");
    else if (claim->comparison == COMPARE_EXISTS && strcmp(skrfs_buf_text(&text), "true") != 0 &&
             strcmp(skrfs_buf_text(&text), "false") != 0)
        skrfs_reader_refuse(reader, member, "'exists' takes true or false");
    else
        claim->value = skrfs_reader_copy(reader, skrfs_buf_text(&text));
}

static void read_old_form(
        struct reader *reader, const struct skrfs_json *json, struct condition *claim) {
    const char *name = skrfs_json_string(skrfs_json_get(json, "condition"));
    size_t i = 0;
    claim->old_form = true;
    while (i < COMPARE_COUNT && !(name && strcmp(skrfs_policy_comparisons[i], name) == 0))
        i++;
    if (i < COMPARE_COUNT)
        claim->comparison = (enum comparison)i;
    else
        skrfs_reader_refuse(reader, name ? "condition" : NULL,
                name ? "'%.40s' is no comparison: 'equals' is" : "'value' has no 'condition'",
                name);
    read_value(reader, skrfs_json_get(json, "value"), "value", claim);
}

/* How many comparisons `json` has; *ret_last is the last of them. */
static size_t find_comparison(const struct skrfs_json *json, enum comparison *ret_last) {
    size_t count = 0;
    for (size_t i = 0; i < COMPARE_COUNT; i++) {
        if (skrfs_json_get(json, skrfs_policy_comparisons[i])) {
            *ret_last = (enum comparison)i;
            count++;
        }
    }
    return count;
}

void skrfs_policy_read_claim(
        struct reader *reader, const struct skrfs_json *json, struct condition *claim) {
    bool known = skrfs_policy_check_members(reader, json, claim_members);
    bool old = skrfs_json_get(json, "condition") || skrfs_json_get(json, "value");
    size_t count = find_comparison(json, &claim->comparison);
    read_name(reader, json, claim);
    if (count + old > 1) {
        skrfs_reader_refuse(reader, skrfs_policy_comparisons[claim->comparison],
                "one condition compares once: write a second {\"claim\", \"equals\"} for more");
    } else if (old) {
        read_old_form(reader, json, claim);
    } else if (count) {
        const char *member = skrfs_policy_comparisons[claim->comparison];
        read_value(reader, skrfs_json_get(json, member), member, claim);
    } else if (known) {
        skrfs_reader_refuse(reader, NULL, "the claim has no 'equals'");
    }
}
