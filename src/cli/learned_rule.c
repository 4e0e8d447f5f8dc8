/* One caller that was seen, as the tightest rule that lets him in. */
#include "learned.h"

#include <fnmatch.h>
#include <pwd.h>
#include <skrfs/base/encode.h>
#include <skrfs/conf/conf.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX ((size_t)16 * 1024)
#define WORD_LONGEST 180

/* One caller on the way to a rule. */
struct draft {
    const struct skrfs_json *seen;
    const struct learned_options *options;
    char user[80];
    struct skrfs_buf rule; /* conditions joined by '&' */
    struct skrfs_json *left_out;
    bool dropped; /* no rule comes of it */
};

const char *learned_text(const struct skrfs_json *seen, const char *name) {
    return skrfs_json_string(skrfs_json_get(seen, name));
}

static bool is_true(const struct skrfs_json *seen, const char *name) {
    const struct skrfs_json *member = skrfs_json_get(seen, name);
    return member && skrfs_json_kind(member) == SKRFS_JSON_TRUE;
}

int learned_append(struct skrfs_json *array, const char *text, struct skrfs_error *err) {
    struct skrfs_json *value = NULL;
    for (size_t i = 0; i < skrfs_json_size(array); i++) {
        if (strcmp(skrfs_json_string(skrfs_json_at(array, i)), text) == 0) {
            return 0;
        }
    }
    return skrfs_json_pack(&value, err, "s", text) < 0 ? -1 : skrfs_json_append(array, value, err);
}

/* By name where the name leads back to the number. */
static void user_name(int64_t uid, char *out, size_t size) {
    const struct passwd *record = getpwuid((uid_t)uid);
    struct skrfs_names names;
    uid_t back = 0;
    (void)snprintf(out, size, "user:%lld", (long long)uid);
    if (!record || strlen(record->pw_name) >= size - 8 ||
            strspn(record->pw_name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                    "_.-") != strlen(record->pw_name)) {
        return;
    }
    skrfs_conf_names(&names);
    char name[64];
    (void)snprintf(name, sizeof(name), "%s", record->pw_name);
    if (names.user(names.context, name, &back) && back == (uid_t)uid) {
        (void)snprintf(out, size, "user:%s", name);
    }
}

/* "user:nginx exe:/usr/sbin/nginx: " in front of what is told about a caller. */
static int tell(struct draft *draft, const char *what, struct skrfs_error *err) {
    const char *exe = learned_text(draft->seen, "exe"), *unit = learned_text(draft->seen, "unit");
    char text[TEXT_MAX], clean[TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%s%s%s%s%s: %s", draft->user, exe ? " exe:" : "",
            exe ? exe : "", unit && *unit ? " unit:" : "", unit ? unit : "", what);
    skrfs_text_clean(text, strlen(text), clean, sizeof(clean));
    return learned_append(draft->left_out, clean, err);
}

static int tell_why(struct draft *draft, const char *what, struct skrfs_error *err) {
    const char *why = learned_text(draft->seen, "why");
    char text[1024];
    (void)snprintf(
            text, sizeof(text), "%s%s%s", what, why && *why ? ": " : "", why && *why ? why : "");
    return tell(draft, text, err);
}

static int condition_add(struct draft *draft, const char *text, struct skrfs_error *err) {
    return skrfs_buf_printf(&draft->rule, err, "%s%s", draft->rule.len ? " & " : "", text);
}

static bool has_control(const char *text) {
    while (*text && (unsigned char)*text >= 0x20 && *text != 0x7f) {
        text++;
    }
    return *text != '\0';
}

/* The configuration's lines are parted at blanks, which are then one each, and no word is longer
 * than a line of inih's. */
static bool is_lineable(const char *text) {
    for (const char *word = text; *word; word += word[0] == ' ') {
        size_t len = strcspn(word, " ");
        if (len > WORD_LONGEST || (len == 0 && word != text)) {
            return false;
        }
        word += len;
    }
    return true;
}

/* Whether the configuration reads `text` as one condition with this value. A ';' behind a blank
 * begins a comment there, and a caller chooses the name of his program: it must not end a line. */
static bool reads_as(const char *text, const char *value) {
    struct skrfs_rules rules = {0};
    struct skrfs_error ignored;
    size_t column = 0;
    if (strstr(text, " ;") || has_control(text) || !is_lineable(text) ||
            skrfs_rules_parse(text, NULL, &rules, &column, &ignored) < 0) {
        return false;
    }
    bool same = rules.count == 1 && rules.rules[0].count == 1 &&
                rules.rules[0].conditions[0].text &&
                strcmp(rules.rules[0].conditions[0].text, value) == 0;
    skrfs_rules_done(&rules);
    return same;
}

static int value_write(const char *value, struct skrfs_buf *out, struct skrfs_error *err) {
    if (value[0] != '"' && !strpbrk(value, " &")) {
        return skrfs_buf_append_text(out, value, err);
    }
    if (skrfs_buf_append_text(out, "\"", err) < 0) {
        return -1;
    }
    for (; *value; value++) {
        if (skrfs_buf_printf(out, err, "%s%c", strchr("\"\\", *value) ? "\\" : "", *value) < 0) {
            return -1;
        }
    }
    return skrfs_buf_append_text(out, "\"", err);
}

/* WORD:VALUE, in quotes where that is needed. */
static int value_add(
        struct draft *draft, const char *word, const char *value, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(TEXT_MAX);
    char told[160];
    if (skrfs_buf_printf(&text, err, "%s:", word) < 0 || value_write(value, &text, err) < 0) {
        return -1;
    }
    if (!strchr(value, '*') && reads_as(skrfs_buf_text(&text), value)) {
        return condition_add(draft, skrfs_buf_text(&text), err);
    }
    (void)snprintf(told, sizeof(told), "a rule cannot hold its %s:, which is left out", word);
    return tell(draft, told, err);
}

static bool is_interpreter(const char *path) {
    static const char *const names[] = {"*/python*", "*/perl*", "*/ruby*", "*/bash", "*/sh",
            "*/dash", "*/zsh", "*/node", "*/nodejs", "*/java", "*/php*", "*/busybox"};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(names); i++) {
        if (fnmatch(names[i], path, 0) == 0) {
            return true;
        }
    }
    return false;
}

static int exe_add(struct draft *draft, struct skrfs_error *err) {
    const char *exe = learned_text(draft->seen, "exe"),
               *sha256 = learned_text(draft->seen, "sha256");
    if (!exe) {
        if (tell_why(draft, "its executable is left out, it is not known", err) < 0) {
            return -1;
        }
    } else if (value_add(draft, "exe", exe, err) < 0 ||
               (is_interpreter(exe) && tell(draft,
                                               "this interpreter runs whatever script that "
                                               "user gives it; the rule lets all of them in",
                                               err) < 0)) {
        return -1;
    }
    if (!draft->options->digest) {
        return 0;
    }
    if (!sha256) {
        return tell_why(draft, "its digest is left out, it is not known", err);
    }
    char text[80];
    if (strlen(sha256) != 64 || strspn(sha256, "0123456789abcdef") != 64) {
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the mount tells a digest that is none");
    }
    (void)snprintf(text, sizeof(text), "sha256:%s", sha256);
    return condition_add(draft, text, err);
}

/* What systemd and logind number anew each time (systemd-run(1), systemd-logind.service(8)). A
 * machine's is named like the machine. */
static bool unit_changes(const char *unit) {
    return (fnmatch("*.scope", unit, 0) == 0 && strcmp(unit, "init.scope") != 0 &&
                   fnmatch("machine-*", unit, 0) != 0) ||
           fnmatch("run-*", unit, 0) == 0;
}

static int container_add(struct draft *draft, const char *container, struct skrfs_error *err) {
    if (draft->options->containers) {
        return value_add(draft, "container", container, err);
    }
    draft->dropped = true;
    char text[240];
    (void)snprintf(text, sizeof(text),
            "in container %.64s: no rule is written, the next container has another number "
            "(--containers writes it all the same)",
            container);
    return tell(draft, text, err);
}

static int place_add(struct draft *draft, struct skrfs_error *err) {
    const char *unit = learned_text(draft->seen, "unit");
    const char *container = learned_text(draft->seen, "container");
    if (!unit) {
        return tell_why(draft, "its unit and container are left out, they are not known", err);
    }
    if (container && strlen(container) == SKRFS_CONTAINER_MAX - 1) {
        return container_add(draft, container, err);
    }
    if (*unit && unit_changes(unit)) {
        return tell(draft, "its unit is left out, the next one of its kind has another name", err);
    }
    return *unit ? value_add(draft, "unit", unit, err) : 0;
}

static int host_add(struct draft *draft, struct skrfs_error *err) {
    const struct skrfs_json *host = skrfs_json_get(draft->seen, "host");
    const char *unit = learned_text(draft->seen, "unit");
    const char *container = learned_text(draft->seen, "container");
    if (is_true(draft->seen, "host")) {
        return condition_add(draft, "host", err);
    }
    if (!host || skrfs_json_kind(host) != SKRFS_JSON_FALSE) {
        return tell_why(draft,
                "whether it is in the host's namespaces is not known, and no rule "
                "asks for it",
                err);
    }
    if ((unit && *unit && !unit_changes(unit)) || (container && *container)) {
        return 0;
    }
    return tell(draft,
            "it is in namespaces of its own, whose numbers change; no rule asks for "
            "them",
            err);
}

static int rule_add(struct draft *draft, struct skrfs_json *allow, struct skrfs_error *err) {
    if (condition_add(draft, draft->user, err) < 0 || exe_add(draft, err) < 0 ||
            place_add(draft, err) < 0 || host_add(draft, err) < 0) {
        return -1;
    }
    return draft->dropped ? 0 : learned_append(allow, skrfs_buf_text(&draft->rule), err);
}

int learned_seen(const struct skrfs_json *seen, const struct learned_options *options,
        struct learned_lists *lists, struct skrfs_error *err) {
    bool refused = is_true(seen, "refused");
    int64_t uid = 0;
    struct draft draft = {.seen = seen,
            .options = options,
            .rule = SKRFS_BUF(TEXT_MAX),
            .left_out = refused ? lists->refused : lists->left_out};
    if (skrfs_json_need_integer(seen, "uid", &uid, err) < 0) {
        return -1;
    }
    if (uid < 0 || uid >= UINT32_MAX) {
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the mount tells a user that is none");
    }
    user_name(uid, draft.user, sizeof(draft.user));
    int added =
            refused ? tell(&draft, learned_text(seen, "why") ? learned_text(seen, "why") : "?", err)
                    : rule_add(&draft, lists->allow, err);
    skrfs_buf_done(&draft.rule);
    return added;
}
