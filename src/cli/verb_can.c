#include "verbs.h"
#include "who.h"

#include <fnmatch.h>
#include <skrfs/base/clock.h>
#include <skrfs/json/json.h>
#include <stdio.h>
#include <string.h>

#define WHO_TEXT_MAX ((size_t)64 * 1024)

struct can_options {
    const char *config, *at;
    bool all, json;
};

/* One run. */
struct can {
    const struct can_options *options;
    const struct skrfs_conf *conf;
    struct skrfs_buf text; /* WHO as it was said */
    struct who who;
    int64_t wall_s;
    bool *chosen; /* keys of the configuration */
    size_t count, refused;
    const char *last_refused;
};

/* No key's name has ':' or '&' in it. A lone "host" behind which no key comes is a key. */
static int who_words(const struct skrfs_call *call) {
    int count = 1;
    while (count < call->count && (strpbrk(call->operands[count], ":&") != NULL ||
                                          strcmp(call->operands[count], "host") == 0)) {
        count++;
    }
    if (count > 1 && count == call->count && strcmp(call->operands[count - 1], "host") == 0) {
        count--;
    }
    return count;
}

static int process_number(const char *text, pid_t *ret_pid, struct skrfs_error *err) {
    char *end = NULL;
    long value = strtol(text, &end, 10);
    if (*text < '1' || *text > '9' || *end || value > 0x7fffffff) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "pid: wants a process's number, not '%s'", text);
    }
    *ret_pid = (pid_t)value;
    return 0;
}

static int who_read(struct can *can, struct skrfs_error *err) {
    struct skrfs_names names;
    const char *text = skrfs_buf_text(&can->text);
    if (strncmp(text, "pid:", 4) == 0) {
        pid_t pid = 0;
        return process_number(text + 4, &pid, err) < 0 ||
                               who_process(pid, can->conf, &can->who, err) < 0
                       ? -1
                       : 0;
    }
    skrfs_conf_names(&names);
    return who_parse(text, &names, &can->who, err);
}

static int keys_choose(struct can *can, const char *word, struct skrfs_error *err) {
    if (!strpbrk(word, "*?[")) {
        size_t key = 0;
        if (skrfs_key_pick(can->conf, word, &key, err) < 0) {
            return -1;
        }
        can->chosen[key] = true;
        return 0;
    }
    bool found = false;
    for (size_t i = 0; i < can->conf->key_count; i++) {
        if (fnmatch(word, can->conf->keys[i].file, 0) == 0) {
            can->chosen[i] = found = true;
        }
    }
    return found ? 0
                 : skrfs_fail(err, SKRFS_CLASS_NOT_FOUND, "no key of %s is like '%s'",
                           can->conf->source, word);
}

static int keys_read(struct can *can, char *const *words, int count, struct skrfs_error *err) {
    if (count == 0 && !can->options->all) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "which key? can WHO KEY..., or can WHO --all");
    }
    can->chosen = calloc(can->conf->key_count + 1, sizeof(*can->chosen));
    if (!can->chosen) {
        return skrfs_fail_memory(err);
    }
    for (int i = 0; i < count; i++) {
        if (keys_choose(can, words[i], err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < can->conf->key_count; i++) {
        can->chosen[i] = can->chosen[i] || can->options->all;
        can->count += can->chosen[i];
    }
    return 0;
}

/* What the kernel decides before any rule: fuse(4), allow_other. */
static bool is_shut_out(const struct can *can, struct who_answer *ret_answer) {
    if (can->conf->allow_other || can->who.caller.uid == geteuid()) {
        return false;
    }
    *ret_answer = (struct who_answer){.verdict = WHO_MAY_NOT, .rule = "allow-other = no"};
    (void)snprintf(ret_answer->reason, sizeof(ret_answer->reason),
            "without allow-other the kernel lets only the user who mounts (here uid %u) into the "
            "mount",
            geteuid());
    return true;
}

/* What no rule gives back: conf's until, where it is a time. */
static bool is_over(const struct can *can, size_t key, struct who_answer *ret_answer) {
    const struct skrfs_limits *limits = &can->conf->keys[key].limits;
    char when[24];
    if (!limits->until_s || can->wall_s < limits->until_s) {
        return false;
    }
    skrfs_format_time(limits->until_s, when, sizeof(when));
    *ret_answer = (struct who_answer){.verdict = WHO_MAY_NOT, .rule = "until"};
    (void)snprintf(
            ret_answer->reason, sizeof(ret_answer->reason), "its time is over since %s", when);
    return true;
}

static void ask(struct can *can, size_t key, struct who_answer *ret_answer) {
    if (!is_shut_out(can, ret_answer) && !is_over(can, key, ret_answer)) {
        who_ask(&can->who, &can->conf->keys[key].guard, can->wall_s, ret_answer);
    }
    if (ret_answer->verdict != WHO_MAY) {
        can->refused++;
        can->last_refused = can->conf->keys[key].file;
    }
}

static const char *const verdicts[] = {
        [WHO_MAY] = "may",
        [WHO_MAY_NOT] = "may not",
        [WHO_DEPENDS] = "may not as described",
};

static int print_one(struct can *can, size_t key, struct skrfs_buf *out, struct skrfs_error *err) {
    struct who_answer answer;
    ask(can, key, &answer);
    return skrfs_buf_printf(out, err, "%s: %s: %s\n", can->conf->keys[key].file,
            verdicts[answer.verdict], answer.verdict == WHO_MAY ? answer.rule : answer.reason);
}

static int print_table(struct can *can, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autotable table = {.columns = 3, .style_column = 1};
    if (skrfs_table_add(
                &table, (const char *const[]){"KEY", "ANSWER", "BY"}, SKRFS_STYLE_BOLD, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < can->conf->key_count; i++) {
        struct who_answer answer;
        if (!can->chosen[i]) {
            continue;
        }
        ask(can, i, &answer);
        const char *cells[] = {can->conf->keys[i].file, verdicts[answer.verdict],
                answer.verdict == WHO_MAY ? answer.rule : answer.reason};
        if (skrfs_table_add(&table, cells,
                    answer.verdict == WHO_MAY ? SKRFS_STYLE_GOOD : SKRFS_STYLE_BAD, err) < 0) {
            return -1;
        }
    }
    return skrfs_table_print(
            &table, skrfs_columns(STDOUT_FILENO), skrfs_colours(STDOUT_FILENO), out, err);
}

static int append_answer(
        struct can *can, size_t key, struct skrfs_json *array, struct skrfs_error *err) {
    struct who_answer answer;
    struct skrfs_json *object = NULL;
    ask(can, key, &answer);
    if (skrfs_json_pack(&object, err, "{s:s, s:b, s:b, s:s, s:s}", "key", can->conf->keys[key].file,
                "may", answer.verdict == WHO_MAY, "as_described", answer.verdict == WHO_DEPENDS,
                "rule", answer.rule, "reason", answer.reason) < 0) {
        return -1;
    }
    return skrfs_json_append(array, object, err);
}

static int print_json(struct can *can, struct skrfs_buf *out, struct skrfs_error *err) {
    char at[24];
    skrfs_autojson *answers = NULL, *root = NULL;
    if (skrfs_json_new_array(&answers, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < can->conf->key_count; i++) {
        if (can->chosen[i] && append_answer(can, i, answers, err) < 0) {
            return -1;
        }
    }
    skrfs_format_time(can->wall_s, at, sizeof(at));
    if (skrfs_json_pack(&root, err, "{s:s, s:s, s:o}", "who", skrfs_buf_text(&can->text), "at", at,
                "keys", skrfs_take(answers)) < 0 ||
            skrfs_json_print(root, isatty(STDOUT_FILENO), out, err) < 0) {
        return -1;
    }
    return skrfs_buf_append_text(out, "\n", err);
}

static int print(struct can *can, struct skrfs_error *err) {
    skrfs_autobuf out = SKRFS_BUF(4 * SKRFS_OUTPUT_MAX);
    int made = 0;
    if (can->options->json) {
        made = print_json(can, &out, err);
    } else if (can->count != 1) {
        made = print_table(can, &out, err);
    } else {
        size_t key = 0;
        while (!can->chosen[key]) {
            key++;
        }
        made = print_one(can, key, &out, err);
    }
    return made < 0 ? -1 : skrfs_print(&out, err);
}

static int answer(struct can *can, const struct skrfs_call *call, struct skrfs_error *err) {
    int words = who_words(call);
    if (who_join(call->operands, words, &can->text, err) < 0 || who_read(can, err) < 0 ||
            keys_read(can, call->operands + words, call->count - words, err) < 0) {
        return -1;
    }
    if (geteuid() != 0) {
        (void)fprintf(stderr,
                "skrfs can: answered for a mount by uid %u: owner, group and allow-other are by "
                "default those of who mounts\n",
                geteuid());
    }
    if (print(can, err) < 0) {
        return -1;
    }
    if (can->refused == 1) {
        return skrfs_fail(err, SKRFS_CLASS_DENIED, "%s may not read '%s'",
                skrfs_buf_text(&can->text), can->last_refused);
    }
    return can->refused ? skrfs_fail(err, SKRFS_CLASS_DENIED, "%s may not read %zu of %zu keys",
                                  skrfs_buf_text(&can->text), can->refused, can->count)
                        : 0;
}

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct can_options *options = call->options;
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    skrfs_autofree struct can *can = calloc(1, sizeof(*can));
    if (!can) {
        return skrfs_fail_memory(err);
    }
    can->options = options;
    can->text = SKRFS_BUF(WHO_TEXT_MAX);
    can->wall_s = skrfs_wall_s();
    if ((options->at && who_time(options->at, &can->wall_s, err) < 0) ||
            skrfs_conf_load(skrfs_config_path(options->config), &conf, err) < 0) {
        return -1;
    }
    can->conf = conf;
    int result = answer(can, call, err);
    free(can->chosen);
    skrfs_buf_done(&can->text);
    return result;
}

static const struct skrfs_option options[] = {
        {'a', "all", NULL, "every key of the configuration", SKRFS_OPTION_FLAG,
                offsetof(struct can_options, all)},
        {0, "at", "TIME", "as at this time in UTC: 2026-01-31T08:15:00Z, or 08:15 for today",
                SKRFS_OPTION_TEXT, offsetof(struct can_options, at)},
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct can_options, config)},
        {'j', "json", NULL, "for a program to read", SKRFS_OPTION_FLAG,
                offsetof(struct can_options, json)},
};

const struct skrfs_verb skrfs_verb_can = {
        .name = "can",
        .summary = "tell whether the rules let somebody read a key",
        .operands = "WHO KEY...",
        .details = "Answers from the configuration, with nothing mounted and no vault asked. WHO "
                   "is what the rules\n"
                   "can ask for, in their own words, joined by '&' or blanks: user:nginx "
                   "exe:/usr/sbin/nginx\n"
                   "unit:nginx.service host; or pid:NUMBER, a process that is there. What is not "
                   "said is unknown, and\n"
                   "the answer tells where it would have decided. KEY may be a pattern ('tls-*').",
        .page = "skrfs-access(8)",
        .least = 1,
        .most = 4096,
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct can_options),
        .run = verb_run,
};
