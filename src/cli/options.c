#include <getopt.h>
#include <limits.h>
#include <skrfs/base/clock.h>
#include <skrfs/cli/verb.h>
#include <string.h>

#define LONG_ONLY 256 /* value of the first option that has no letter */

struct parser {
    struct option longs[SKRFS_OPTIONS_MAX + 2];
    char shorts[2 * SKRFS_OPTIONS_MAX + 4];
};

/* The leading ':' makes getopt tell a missing value from an unknown option (getopt(3)). */
static void parser_make(const struct skrfs_verb *verb, struct parser *parser) {
    *parser = (struct parser){.shorts = ":h"};
    size_t at = 2, i = 0;
    for (; i < verb->option_count && i < SKRFS_OPTIONS_MAX; i++) {
        const struct skrfs_option *option = &verb->options[i];
        parser->longs[i] = (struct option){.name = option->name,
                .has_arg = option->value ? required_argument : no_argument,
                .val = LONG_ONLY + (int)i};
        if (option->letter) {
            parser->shorts[at++] = option->letter;
            if (option->value) {
                parser->shorts[at++] = ':';
            }
        }
    }
    parser->longs[i] = (struct option){.name = "help", .has_arg = no_argument, .val = 'h'};
}

static const struct skrfs_option *option_of(const struct skrfs_verb *verb, int value) {
    if (value >= LONG_ONLY) {
        size_t index = (size_t)(value - LONG_ONLY);
        return index < verb->option_count ? &verb->options[index] : NULL;
    }
    for (size_t i = 0; i < verb->option_count; i++) {
        if (verb->options[i].letter && verb->options[i].letter == value) {
            return &verb->options[i];
        }
    }
    return NULL;
}

static int number_set(const struct skrfs_option *option, const char *text, unsigned *out,
        struct skrfs_error *err) {
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || value == 0 || value > INT_MAX) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "--%s wants a number above 0, not '%s'",
                option->name, text);
    }
    *out = (unsigned)value;
    return 0;
}

static int duration_set(const struct skrfs_option *option, const char *text, unsigned *out,
        struct skrfs_error *err) {
    uint64_t ns = 0;
    if (!skrfs_parse_duration(text, &ns) || ns < SKRFS_MILLISECOND_NS ||
            ns / SKRFS_MILLISECOND_NS > UINT_MAX) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "--%s wants a time such as 90s or 15m, not '%s'",
                option->name, text);
    }
    *out = (unsigned)(ns / SKRFS_MILLISECOND_NS);
    return 0;
}

static int list_add(const struct skrfs_option *option, const char *text, struct skrfs_texts *list,
        struct skrfs_error *err) {
    if (list->count == SKRFS_OPTION_REPEATS_MAX) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "--%s can be given %d times at most",
                option->name, SKRFS_OPTION_REPEATS_MAX);
    }
    list->items[list->count++] = text;
    return 0;
}

static int option_set(const struct skrfs_option *option, const char *text, void *options,
        struct skrfs_error *err) {
    void *member = (char *)options + option->offset;
    switch (option->kind) {
    case SKRFS_OPTION_FLAG:
        *(bool *)member = true;
        return 0;
    case SKRFS_OPTION_TEXT:
        *(const char **)member = text;
        return 0;
    case SKRFS_OPTION_LIST:
        return list_add(option, text, member, err);
    case SKRFS_OPTION_NUMBER:
        return number_set(option, text, member, err);
    case SKRFS_OPTION_DURATION:
        return duration_set(option, text, member, err);
    }
    return skrfs_fail(err, SKRFS_CLASS_BUG, "option --%s has no kind", option->name);
}

static int option_unknown(
        const struct skrfs_verb *verb, const char *word, int letter, struct skrfs_error *err) {
    if (letter > 0 && letter < LONG_ONLY) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "unknown option '-%c'; 'skrfs %s --help' lists them", letter, verb->name);
    }
    const struct skrfs_option *known = letter >= LONG_ONLY ? option_of(verb, letter) : NULL;
    if (known) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "option --%s takes no value", known->name);
    }
    const char *names[SKRFS_OPTIONS_MAX + 1] = {"help"};
    size_t count = 1;
    for (; count <= verb->option_count && count <= SKRFS_OPTIONS_MAX; count++) {
        names[count] = verb->options[count - 1].name;
    }
    char name[64] = "";
    size_t len = strcspn(word + 2, "=");
    if (strncmp(word, "--", 2) == 0 && len < sizeof(name)) {
        memcpy(name, word + 2, len);
    }
    const char *near = skrfs_nearest(name, names, count);
    if (near) {
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "unknown option '--%s'; did you mean '--%s'?", name, near);
    }
    return skrfs_fail(err, SKRFS_CLASS_CONFIG, "unknown option '%s'; 'skrfs %s --help' lists them",
            word, verb->name);
}

static int operands_check(
        const struct skrfs_verb *verb, const struct skrfs_call *call, struct skrfs_error *err) {
    if (call->count < verb->least) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "something is missing: skrfs %s [OPTION]... %s",
                verb->name, verb->operands);
    }
    if (call->count > verb->most) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "'%s' is one word too many: skrfs %s [OPTION]...%s%s", call->operands[verb->most],
                verb->name, verb->operands[0] ? " " : "", verb->operands);
    }
    return 0;
}

/* Before getopt permutes the words and forgets where "--" was. */
static void rest_take(
        const struct skrfs_verb *verb, int *argc, char **argv, struct skrfs_call *call) {
    for (int i = 1; verb->rest && i < *argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            call->rest = argv + i + 1;
            call->rest_count = *argc - i - 1;
            *argc = i;
        }
    }
}

int skrfs_options_parse(const struct skrfs_verb *verb, int argc, char **argv, void *options,
        struct skrfs_call *ret_call, bool *ret_help, struct skrfs_error *err) {
    struct parser parser;
    struct skrfs_call call = {.options = options};
    rest_take(verb, &argc, argv, &call);
    parser_make(verb, &parser);
    opterr = 0;
    optind = 0; /* glibc: begin anew */
    int value;
    while ((value = getopt_long(argc, argv, parser.shorts, parser.longs, NULL)) != -1) {
        if (value == 'h') {
            *ret_help = true;
            return 0;
        }
        if (value == ':') {
            const struct skrfs_option *option = option_of(verb, optopt);
            return skrfs_fail(err, SKRFS_CLASS_CONFIG, "option --%s wants a value: %s",
                    option ? option->name : "?", option ? option->value : "?");
        }
        const struct skrfs_option *option = value == '?' ? NULL : option_of(verb, value);
        if (!option) {
            return option_unknown(verb, argv[optind > 1 ? optind - 1 : 1], optopt, err);
        }
        if (option_set(option, optarg, options, err) < 0) {
            return -1;
        }
    }
    call.count = argc - optind;
    call.operands = argv + optind;
    if (operands_check(verb, &call, err) < 0) {
        return -1;
    }
    *ret_help = false;
    *ret_call = call;
    return 0;
}
