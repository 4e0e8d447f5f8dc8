#include "verbs.h"

#include <skrfs/client/wiring.h>
#include <skrfs/json/json.h>
#include <string.h>

struct doctor_options {
    const char *config;
    bool tee, json;
};

/* What was looked at and what came of it. */
struct finding {
    struct skrfs_tee_looks looks;
    bool found;
    struct skrfs_error err; /* unless found */
};

/* A machine can be looked at before anything is configured. */
static int conf_read(const char *option, struct skrfs_conf **ret_conf, struct skrfs_error *err) {
    const char *path = skrfs_config_path(option);
    if (!option && access(path, F_OK) != 0 && errno == ENOENT) {
        return skrfs_conf_parse(path, "", 0, ret_conf, err);
    }
    return skrfs_conf_load(path, ret_conf, err);
}

/* Detection ends with what is there and fails, also when it looked all right at first. */
static const char *state_of(const struct finding *finding, size_t index) {
    const struct skrfs_tee_look *look = &finding->looks.looks[index];
    bool ended = !finding->found && finding->err.kind != SKRFS_CLASS_NO_TEE &&
                 index + 1 == finding->looks.count;
    if (!look->there) {
        return "absent";
    }
    return look->failed || ended ? "failing" : "ok";
}

/* Each reason has its line. */
static void none_is_there(const struct skrfs_conf *conf, struct skrfs_error *err) {
    if (strcmp(conf->tee.kind, "auto") == 0) {
        skrfs_fail(err, SKRFS_CLASS_NO_TEE, "this machine has no TEE that skrfs knows");
    } else {
        skrfs_fail(err, SKRFS_CLASS_NO_TEE,
                "this machine is none of [tee] kind = %s: without it every kind is looked for",
                conf->tee.kind);
    }
}

static const char *style_of(const char *state) {
    if (strcmp(state, "ok") == 0) {
        return SKRFS_STYLE_GOOD;
    }
    return strcmp(state, "failing") == 0 ? SKRFS_STYLE_BAD : NULL;
}

static int row_add(struct skrfs_table *table, const char *state, const char *what,
        const char *found, struct skrfs_error *err) {
    const char *const cells[] = {state, what, found};
    return skrfs_table_add(table, cells, style_of(state), err);
}

/* "/dev/sev is not there" beside "/dev/sev" says it twice. */
static const char *without(const char *found, const char *what) {
    static const char *const joints[] = {" is ", ": "};
    size_t len = strlen(what);
    if (strncmp(found, what, len) != 0) {
        return found;
    }
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(joints); i++) {
        if (strncmp(found + len, joints[i], strlen(joints[i])) == 0) {
            return found + len + strlen(joints[i]);
        }
    }
    return found;
}

static int text_print(const struct finding *finding, const struct skrfs_conf *conf,
        struct skrfs_buf *out, struct skrfs_error *err) {
    static const char *const header[] = {"STATE", "WHAT", "FOUND"};
    skrfs_autotable table = {.columns = 3, .style_column = 0};
    const struct skrfs_tee_looks *looks = &finding->looks;
    if (skrfs_table_add(&table, header, SKRFS_STYLE_BOLD, err) < 0) {
        return -1;
    }
    if (strcmp(conf->tee.kind, "auto") != 0 &&
            row_add(&table, "ok", "[tee] kind", conf->tee.kind, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < looks->count; i++) {
        if (row_add(&table, state_of(finding, i), looks->looks[i].what,
                    without(looks->looks[i].found, looks->looks[i].what), err) < 0) {
            return -1;
        }
    }
    const char *verdict = finding->found ? looks->chosen : finding->err.message;
    const char *state = finding->found                            ? "ok"
                        : finding->err.kind == SKRFS_CLASS_NO_TEE ? "absent"
                                                                  : "failing";
    if (row_add(&table, state, finding->found ? "chosen" : "none chosen", verdict, err) < 0) {
        return -1;
    }
    return skrfs_table_print(&table, 0, skrfs_colours(STDOUT_FILENO), out, err);
}

static int looks_json(
        const struct finding *finding, struct skrfs_json **ret_array, struct skrfs_error *err) {
    skrfs_autojson *array = NULL;
    if (skrfs_json_new_array(&array, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < finding->looks.count; i++) {
        const struct skrfs_tee_look *look = &finding->looks.looks[i];
        struct skrfs_json *item = NULL;
        if (skrfs_json_pack(&item, err, "{s:s, s:s, s:s}", "state", state_of(finding, i), "what",
                    look->what, "found", without(look->found, look->what)) < 0 ||
                skrfs_json_append(array, item, err) < 0) {
            return -1;
        }
    }
    *ret_array = skrfs_take(array);
    return 0;
}

static int json_print(const struct finding *finding, const struct skrfs_conf *conf,
        struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    struct skrfs_json *looks = NULL;
    const char *chosen = finding->looks.chosen;
    if (looks_json(finding, &looks, err) < 0) {
        return -1;
    }
    int packed =
            finding->found
                    ? skrfs_json_pack(&json, err, "{s:s, s:o, s:s%, s:s}", "kind", conf->tee.kind,
                              "looks", looks, "tee", chosen, strcspn(chosen, ":"), "chosen", chosen)
                    : skrfs_json_pack(&json, err, "{s:s, s:o, s:n, s:s, s:s}", "kind",
                              conf->tee.kind, "looks", looks, "tee", "class",
                              skrfs_class_name(finding->err.kind), "error", finding->err.message);
    if (packed < 0 || skrfs_json_print(json, isatty(STDOUT_FILENO), out, err) < 0) {
        return -1;
    }
    return skrfs_buf_append_text(out, "\n", err);
}

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct doctor_options *options = call->options;
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    skrfs_autobuf out = SKRFS_BUF(SKRFS_OUTPUT_MAX);
    struct finding finding = {.found = false};
    if (conf_read(options->config, &conf, err) < 0) {
        return -1;
    }
    skrfs_lab_note(conf->lab_dir);
    finding.found = skrfs_keyside_look(conf, &finding.looks, &finding.err) == 0;
    if (!finding.found && finding.err.kind == SKRFS_CLASS_NO_TEE && finding.looks.count) {
        none_is_there(conf, &finding.err);
    }
    int made = options->json ? json_print(&finding, conf, &out, err)
                             : text_print(&finding, conf, &out, err);
    if (made < 0 || skrfs_print(&out, err) < 0) {
        return -1;
    }
    if (finding.found) {
        return 0;
    }
    *err = finding.err;
    return -1;
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct doctor_options, config)},
        {0, "tee", NULL, "look for the trusted execution environment (what is done anyway)",
                SKRFS_OPTION_FLAG, offsetof(struct doctor_options, tee)},
        {'j', "json", NULL, "for a program to read", SKRFS_OPTION_FLAG,
                offsetof(struct doctor_options, json)},
};

const struct skrfs_verb skrfs_verb_doctor = {
        .name = "doctor",
        .summary = "tell what is found of this machine, and why",
        .operands = "",
        .details = "Looks for the trusted execution environment as a mount would, and tells what "
                   "was looked at,\n"
                   "what was found and what was chosen. Nothing is changed and nobody is asked.",
        .page = "skrfs-doctor(8)",
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct doctor_options),
        .run = verb_run,
};
