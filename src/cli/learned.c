#include "learned.h"

#include <skrfs/conf/conf.h>
#include <stdio.h>
#include <string.h>

static void lists_done(struct learned_lists *lists) {
    skrfs_json_free(lists->allow);
    skrfs_json_free(lists->left_out);
    skrfs_json_free(lists->refused);
}

static int too_many(struct learned_lists *lists, struct skrfs_error *err) {
    char text[160];
    (void)snprintf(text, sizeof(text),
            "%zu kinds of callers, more than a key takes rules (%d): no rule is written, ask for "
            "a group or a folder by hand",
            skrfs_json_size(lists->allow), SKRFS_RULES_MAX);
    struct skrfs_json *none = NULL;
    if (learned_append(lists->left_out, text, err) < 0 || skrfs_json_new_array(&none, err) < 0) {
        return -1;
    }
    skrfs_json_free(lists->allow);
    lists->allow = none;
    return 0;
}

static int lists_fill(const struct skrfs_json *all, const char *key,
        const struct learned_options *options, struct learned_lists *lists,
        struct skrfs_error *err) {
    for (size_t i = 0; i < skrfs_json_size(all); i++) {
        const struct skrfs_json *seen = skrfs_json_at(all, i);
        if (strcmp(learned_text(seen, "key"), key) == 0 &&
                learned_seen(seen, options, lists, err) < 0) {
            return -1;
        }
    }
    return skrfs_json_size(lists->allow) > SKRFS_RULES_MAX ? too_many(lists, err) : 0;
}

/* The names of keys that were asked for, sorted: there may be very many others. */
struct asked {
    const char **names;
    size_t count;
};

static void asked_done(struct asked *asked) {
    free(asked->names);
}

static int compare_names(const void *a, const void *b) {
    const char *const *one = a, *const *other = b;
    return strcmp(*one, *other);
}

static int asked_read(
        const struct skrfs_json *all, struct asked *ret_asked, struct skrfs_error *err) {
    size_t count = skrfs_json_size(all);
    SKRFS_CLEANUP(asked_done)
    struct asked asked = {.names = calloc(count + 1, sizeof(*asked.names)), .count = count};
    if (!asked.names) {
        return skrfs_fail_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        if (skrfs_json_need_string(skrfs_json_at(all, i), "key", &asked.names[i], err) < 0) {
            return -1;
        }
    }
    qsort(asked.names, count, sizeof(*asked.names), compare_names);
    ret_asked->count = count;
    ret_asked->names = skrfs_take(asked.names);
    return 0;
}

static bool is_asked(const struct asked *asked, const char *key) {
    return bsearch(&key, asked->names, asked->count, sizeof(*asked->names), compare_names) != NULL;
}

/* A name becomes a section's: skrfs.conf(5). */
static int name_check(const char *name, struct skrfs_error *err) {
    size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    if (len == 0 || name[len] || name[0] == '.') {
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "the mount has a key '%.64s', which is no name", name);
    }
    return 0;
}

static int key_add(const struct skrfs_json *all, bool asked, const char *key,
        const struct learned_options *options, struct skrfs_json *rules, struct skrfs_error *err) {
    SKRFS_CLEANUP(lists_done) struct learned_lists lists = {0};
    struct skrfs_json *object = NULL;
    if (skrfs_json_new_array(&lists.allow, err) < 0 ||
            skrfs_json_new_array(&lists.left_out, err) < 0 ||
            skrfs_json_new_array(&lists.refused, err) < 0 ||
            (asked && lists_fill(all, key, options, &lists, err) < 0) ||
            skrfs_json_pack(&object, err, "{s:s, s:o, s:o, s:o}", "key", key, "allow",
                    skrfs_take(lists.allow), "left_out", skrfs_take(lists.left_out), "refused",
                    skrfs_take(lists.refused)) < 0) {
        return -1;
    }
    return skrfs_json_append(rules, object, err);
}

int learned_rules(const struct skrfs_json *learned, const struct skrfs_json *status,
        const struct learned_options *options, struct skrfs_json **ret_rules,
        struct skrfs_error *err) {
    const struct skrfs_json *seen = NULL, *keys = NULL;
    SKRFS_CLEANUP(asked_done) struct asked asked = {0};
    skrfs_autojson *rules = NULL;
    if (skrfs_json_need_array(learned, "seen", &seen, err) < 0 ||
            skrfs_json_need_array(status, "keys", &keys, err) < 0 ||
            asked_read(seen, &asked, err) < 0 || skrfs_json_new_array(&rules, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < skrfs_json_size(keys); i++) {
        const char *name = NULL;
        if (skrfs_json_need_string(skrfs_json_at(keys, i), "name", &name, err) < 0 ||
                name_check(name, err) < 0 ||
                key_add(seen, is_asked(&asked, name), name, options, rules, err) < 0) {
            return -1;
        }
    }
    *ret_rules = skrfs_take(rules);
    return 0;
}

static int comments_print(const struct skrfs_json *key, const char *member, const char *head,
        struct skrfs_buf *out, struct skrfs_error *err) {
    const struct skrfs_json *texts = skrfs_json_get(key, member);
    for (size_t i = 0; i < skrfs_json_size(texts); i++) {
        if (skrfs_buf_printf(
                    out, err, "; %s%s\n", head, skrfs_json_string(skrfs_json_at(texts, i))) < 0) {
            return -1;
        }
    }
    return 0;
}

static int allow_print(const char *name, const struct skrfs_json *allow, struct skrfs_buf *out,
        struct skrfs_error *err) {
    if (skrfs_buf_printf(out, err, "[key %s]\nallow =", name) < 0) {
        return -1;
    }
    for (size_t i = 0; i < skrfs_json_size(allow); i++) {
        if (skrfs_buf_printf(out, err, "%s%s\n", i ? "    " : " ",
                    skrfs_json_string(skrfs_json_at(allow, i))) < 0) {
            return -1;
        }
    }
    return 0;
}

static int key_print(const struct skrfs_json *key, struct skrfs_buf *out, struct skrfs_error *err) {
    const char *name = learned_text(key, "key");
    const struct skrfs_json *allow = skrfs_json_get(key, "allow");
    bool none = skrfs_json_size(allow) == 0;
    if (skrfs_buf_append_text(out, "\n", err) < 0 ||
            (none &&
                    skrfs_buf_printf(out, err, "; [key %s]: %s, its rules stay as they are\n", name,
                            skrfs_json_size(skrfs_json_get(key, "left_out"))
                                    ? "no rule could be written"
                                    : "nobody was let in") < 0)) {
        return -1;
    }
    if (comments_print(key, "left_out", "", out, err) < 0 ||
            comments_print(key, "refused", "refused: ", out, err) < 0) {
        return -1;
    }
    return none ? 0 : allow_print(name, allow, out, err);
}

int learned_print(const struct skrfs_json *rules, struct skrfs_buf *out, struct skrfs_error *err) {
    for (size_t i = 0; i < skrfs_json_size(rules); i++) {
        if (key_print(skrfs_json_at(rules, i), out, err) < 0) {
            return -1;
        }
    }
    return 0;
}

size_t learned_count(const struct skrfs_json *rules, const char *member) {
    size_t count = 0;
    for (size_t i = 0; i < skrfs_json_size(rules); i++) {
        count += skrfs_json_size(skrfs_json_get(skrfs_json_at(rules, i), member));
    }
    return count;
}
