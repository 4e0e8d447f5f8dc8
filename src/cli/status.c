#include <skrfs/base/encode.h>
#include <skrfs/cli/output.h>
#include <skrfs/cli/status.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 1024

/* A member as clean text; "-" when it is absent. */
static void text_of(const struct skrfs_json *object, const char *name, char out[TEXT_MAX]) {
    const struct skrfs_json *member = skrfs_json_get(object, name);
    const char *text = skrfs_json_string(member);
    if (text && *text) {
        skrfs_text_clean(text, strlen(text), out, TEXT_MAX);
    } else if (member && skrfs_json_kind(member) == SKRFS_JSON_INTEGER) {
        (void)snprintf(out, TEXT_MAX, "%lld", (long long)skrfs_json_integer(member));
    } else {
        (void)snprintf(out, TEXT_MAX, "-");
    }
}

static void age_of(const struct skrfs_json *key, char out[TEXT_MAX]) {
    const struct skrfs_json *age = skrfs_json_get(key, "age_s");
    if (age && skrfs_json_kind(age) == SKRFS_JSON_INTEGER && skrfs_json_integer(age) >= 0) {
        skrfs_age_print(skrfs_json_integer(age), out, TEXT_MAX);
    } else {
        (void)snprintf(out, TEXT_MAX, "-");
    }
}

static const char *style_of(const char *word) {
    static const struct {
        const char *word, *style;
    } styles[] = {{"ready", SKRFS_STYLE_GOOD}, {"ok", SKRFS_STYLE_GOOD},
            {"fetching", SKRFS_STYLE_WAIT}, {"degraded", SKRFS_STYLE_WAIT},
            {"expired", SKRFS_STYLE_WAIT}, {"failed", SKRFS_STYLE_BAD},
            {"failing", SKRFS_STYLE_BAD}, {"gone", SKRFS_STYLE_BAD}};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(styles); i++) {
        if (strcmp(styles[i].word, word) == 0) {
            return styles[i].style;
        }
    }
    return NULL;
}

static int key_add(
        struct skrfs_table *table, const struct skrfs_json *key, struct skrfs_error *err) {
    char name[TEXT_MAX], state[TEXT_MAX], version[TEXT_MAX], age[TEXT_MAX], releases[TEXT_MAX];
    char failures[TEXT_MAX], error[TEXT_MAX];
    text_of(key, "name", name);
    text_of(key, "state", state);
    text_of(key, "version", version);
    text_of(key, "releases", releases);
    text_of(key, "failures", failures);
    text_of(key, "error", error);
    age_of(key, age);
    if (strcmp(version, "-") == 0) {
        (void)snprintf(age, sizeof(age), "-"); /* no generation: nothing has an age */
    }
    if (strlen(version) == 32) {
        version[8] = '\0'; /* what people tell versions apart by; --json has it whole */
    }
    const char *cells[] = {name, state, version, age, releases, failures, error};
    return skrfs_table_add(table, cells, style_of(state), err);
}

static int head_print(const struct skrfs_json *status, const char *mount, bool colours,
        struct skrfs_buf *out, struct skrfs_error *err) {
    const struct skrfs_json *memory = skrfs_json_get(status, "memory");
    char version[TEXT_MAX], health[TEXT_MAX], since[TEXT_MAX], kind[TEXT_MAX], secrets[TEXT_MAX];
    char lab[TEXT_MAX];
    text_of(status, "version", version);
    text_of(status, "health", health);
    text_of(status, "since", since);
    text_of(status, "lab", lab);
    text_of(memory, "kind", kind);
    text_of(memory, "secrets", secrets);
    const char *style = colours ? style_of(health) : NULL;
    return skrfs_buf_printf(out, err, "%s: %s%s%s, skrfs %s since %s, %s secrets in %s%s%s%s\n\n",
            mount, style ? style : "", health, style ? SKRFS_STYLE_END : "", version, since,
            secrets, kind, strcmp(lab, "-") != 0 ? ", LAB (" : "", strcmp(lab, "-") != 0 ? lab : "",
            strcmp(lab, "-") != 0 ? ")" : "");
}

/* A line when there is something to be said of it. */
static int audit_print(
        const struct skrfs_json *audit, struct skrfs_buf *out, struct skrfs_error *err) {
    char trouble[TEXT_MAX], lost[TEXT_MAX];
    text_of(audit, "trouble", trouble);
    text_of(audit, "lost", lost);
    if (skrfs_json_kind(skrfs_json_get(audit, "stuck")) == SKRFS_JSON_TRUE &&
            skrfs_buf_printf(out, err, "the audit cannot be written: %s\n",
                    strcmp(trouble, "-") == 0 ? "the scribe does not answer" : trouble) < 0) {
        return -1;
    }
    if (strcmp(lost, "-") == 0 || strcmp(lost, "0") == 0) {
        return 0;
    }
    return skrfs_buf_printf(out, err, "%s audit records could not be written\n", lost);
}

int skrfs_status_print(const struct skrfs_json *status, const char *mount, size_t width,
        bool colours, struct skrfs_buf *out, struct skrfs_error *err) {
    static const char *const header[] = {
            "NAME", "STATE", "VERSION", "AGE", "RELEASES", "FAILURES", "LAST ERROR"};
    skrfs_autotable table = {.columns = SKRFS_ARRAY_LEN(header), .style_column = 1};
    if (head_print(status, mount, colours, out, err) < 0 ||
            audit_print(skrfs_json_get(status, "audit"), out, err) < 0 ||
            skrfs_table_add(&table, header, SKRFS_STYLE_BOLD, err) < 0) {
        return -1;
    }
    const struct skrfs_json *keys = skrfs_json_get(status, "keys");
    for (size_t i = 0; keys && i < skrfs_json_size(keys); i++) {
        if (key_add(&table, skrfs_json_at(keys, i), err) < 0) {
            return -1;
        }
    }
    return skrfs_table_print(&table, width, colours, out, err);
}
