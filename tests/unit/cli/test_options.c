#include "support.h"

#include <skrfs/cli/verb.h>

struct words {
    const char *config;
    bool json;
    unsigned size, timeout_ms;
    struct skrfs_texts claims;
};

static int never_run(const struct skrfs_call *call, struct skrfs_error *err) {
    (void)call;
    return skrfs_fail(err, SKRFS_CLASS_BUG, "was run");
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", "configuration", SKRFS_OPTION_TEXT, offsetof(struct words, config)},
        {'j', "json", NULL, "for a program", SKRFS_OPTION_FLAG, offsetof(struct words, json)},
        {0, "size", "BITS", "size", SKRFS_OPTION_NUMBER, offsetof(struct words, size)},
        {'t', "timeout", "TIME", "longest wait", SKRFS_OPTION_DURATION,
                offsetof(struct words, timeout_ms)},
        {0, "claim", "NAME=VALUE", "a claim", SKRFS_OPTION_LIST, offsetof(struct words, claims)},
};

static const struct skrfs_verb verb = {
        .name = "try it",
        .summary = "tries",
        .operands = "NAME [DIR]",
        .details = "Tries.",
        .page = "skrfs(8)",
        .least = 1,
        .most = 2,
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .options_size = sizeof(struct words),
        .run = never_run,
};

/* Parses up to seven words. */
static int parse(char *const *words, struct words *ret_words, struct skrfs_call *ret_call,
        bool *ret_help, struct skrfs_error *err) {
    static char *argv[10];
    int argc = 1;
    argv[0] = (char *)"skrfs";
    for (; *words; words++) {
        argv[argc++] = *words;
    }
    argv[argc] = NULL;
    *ret_words = (struct words){.config = NULL};
    return skrfs_options_parse(&verb, argc, argv, ret_words, ret_call, ret_help, err);
}

#define PARSE(...) parse((char *[]){__VA_ARGS__, NULL}, &words, &call, &help, &err)
#define W(text) ((char *)(text))

static void takes_every_kind(void **state) {
    (void)state;
    struct words words;
    struct skrfs_call call;
    bool help = true;
    struct skrfs_error err;
    assert_ok(
            PARSE(W("-c"), W("/x"), W("name"), W("--size=4096"), W("-j"), W("--timeout"), W("2m")),
            err);
    assert_false(help);
    assert_string_equal(words.config, "/x");
    assert_true(words.json);
    assert_int_equal(words.size, 4096);
    assert_int_equal(words.timeout_ms, 120000);
    assert_int_equal(call.count, 1);
    assert_string_equal(call.operands[0], "name");
    assert_ptr_equal(call.options, &words);
}

static void lists_keep_their_order(void **state) {
    (void)state;
    struct words words;
    struct skrfs_call call;
    bool help;
    struct skrfs_error err;
    assert_ok(PARSE(W("--claim"), W("a=1"), W("n"), W("--claim=b=2"), W("d")), err);
    assert_int_equal(words.claims.count, 2);
    assert_string_equal(words.claims.items[0], "a=1");
    assert_string_equal(words.claims.items[1], "b=2");
    assert_int_equal(call.count, 2);
    assert_string_equal(call.operands[1], "d");
}

static void dashes_end_options(void **state) {
    (void)state;
    struct words words;
    struct skrfs_call call;
    bool help;
    struct skrfs_error err;
    assert_ok(PARSE(W("--"), W("--json")), err);
    assert_false(words.json);
    assert_string_equal(call.operands[0], "--json");
}

static void help_needs_no_operand(void **state) {
    (void)state;
    struct words words;
    struct skrfs_call call;
    bool help = false;
    struct skrfs_error err;
    assert_ok(PARSE(W("--help")), err);
    assert_true(help);
}

static void refuses_what_is_wrong(void **state) {
    (void)state;
    struct words words;
    struct skrfs_call call;
    bool help;
    struct skrfs_error err;
    assert_fails(PARSE(W("n"), W("--jsin")), err, SKRFS_CLASS_CONFIG, "did you mean '--json'?");
    assert_fails(PARSE(W("n"), W("--tiemout=3s")), err, SKRFS_CLASS_CONFIG, "'--timeout'?");
    assert_fails(PARSE(W("n"), W("-x")), err, SKRFS_CLASS_CONFIG, "unknown option '-x'");
    assert_fails(PARSE(W("n"), W("-jx")), err, SKRFS_CLASS_CONFIG, "unknown option '-x'");
    assert_fails(
            PARSE(W("n"), W("--config")), err, SKRFS_CLASS_CONFIG, "--config wants a value: FILE");
    assert_fails(PARSE(W("n"), W("-c")), err, SKRFS_CLASS_CONFIG, "--config wants a value: FILE");
    assert_fails(PARSE(W("n"), W("--json=yes")), err, SKRFS_CLASS_CONFIG, "--json takes no value");
    assert_fails(PARSE(W("n"), W("--size"), W("-1")), err, SKRFS_CLASS_CONFIG, "a number above 0");
    assert_fails(PARSE(W("n"), W("--size"), W("0")), err, SKRFS_CLASS_CONFIG, "a number above 0");
    assert_fails(PARSE(W("n"), W("--size"), W("12k")), err, SKRFS_CLASS_CONFIG, "not '12k'");
    assert_fails(PARSE(W("n"), W("--timeout"), W("soon")), err, SKRFS_CLASS_CONFIG, "not 'soon'");
    assert_fails(PARSE(W("n"), W("--timeout"), W("0")), err, SKRFS_CLASS_CONFIG, "not '0'");
    assert_fails(PARSE(W("-j")), err, SKRFS_CLASS_CONFIG, "skrfs try it [OPTION]... NAME [DIR]");
    assert_fails(
            PARSE(W("a"), W("b"), W("c")), err, SKRFS_CLASS_CONFIG, "'c' is one word too many");
}

static void help_names_every_option(void **state) {
    (void)state;
    struct skrfs_error err;
    skrfs_autobuf text = SKRFS_BUF(1 << 16);
    assert_ok(skrfs_verb_help(&verb, &text, &err), err);
    const char *help = skrfs_buf_text(&text);
    assert_non_null(strstr(help, "Usage: skrfs try it [OPTION]... NAME [DIR]\n"));
    assert_non_null(strstr(help, "  -c, --config FILE       configuration\n"));
    assert_non_null(strstr(help, "      --size BITS         size\n"));
    assert_non_null(strstr(help, "      --claim NAME=VALUE  a claim\n"));
    assert_non_null(strstr(help, "  -h, --help              show this text\n"));
    assert_non_null(strstr(help, "skrfs(8)"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(takes_every_kind),
            cmocka_unit_test(lists_keep_their_order),
            cmocka_unit_test(dashes_end_options),
            cmocka_unit_test(help_needs_no_operand),
            cmocka_unit_test(refuses_what_is_wrong),
            cmocka_unit_test(help_names_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
