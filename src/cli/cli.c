#include "verbs.h"

#include <skrfs/cli/cli.h>
#include <skrfs/crypto/hash.h>
#include <stdio.h>
#include <string.h>

const struct skrfs_verb *const skrfs_verbs[] = {
        &skrfs_verb_mount,
        &skrfs_verb_get,
        &skrfs_verb_attest,
        &skrfs_verb_doctor,
        &skrfs_verb_status,
        &skrfs_verb_why,
        &skrfs_verb_wipe,
        &skrfs_verb_renew,
        &skrfs_verb_receipt,
        &skrfs_verb_audit_verify,
        &skrfs_verb_audit_show,
        &skrfs_verb_can,
        &skrfs_verb_lint,
        &skrfs_verb_learn,
        &skrfs_verb_key_create,
        &skrfs_verb_key_import,
        &skrfs_verb_key_show,
        &skrfs_verb_key_list,
        &skrfs_verb_key_rotate,
        &skrfs_verb_key_policy,
        &skrfs_verb_policy_new,
        &skrfs_verb_policy_lint,
        &skrfs_verb_policy_explain,
        &skrfs_verb_policy_test,
        &skrfs_verb_lab_up,
        &skrfs_verb_lab_down,
        NULL,
};

/* The end of every run: what was written must have arrived. */
static int finish(const char *name, int result, struct skrfs_error *err) {
    if ((fflush(stdout) != 0 || ferror(stdout)) && result == 0) {
        result = skrfs_fail_errno(err, errno, "write to standard output");
    }
    if (result == 0) {
        return 0;
    }
    (void)fprintf(stderr, "skrfs%s%s: %s\n", *name ? " " : "", name, err->message);
    return skrfs_class_exit_code(err->kind);
}

static int show_help(const struct skrfs_found_verb *found, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_OUTPUT_MAX);
    int made = found->verb ? skrfs_verb_help(found->verb, &text, err)
                           : skrfs_verbs_help(found->group, &text, err);
    return made < 0 ? -1 : skrfs_print(&text, err);
}

static int verb_run(const struct skrfs_verb *verb, int argc, char **argv, struct skrfs_error *err) {
    struct skrfs_call call = {.count = 0};
    bool help = false;
    skrfs_autofree void *options = calloc(1, verb->options_size ? verb->options_size : 1);
    if (!options) {
        return skrfs_fail_memory(err);
    }
    if (skrfs_options_parse(verb, argc, argv, options, &call, &help, err) < 0) {
        return -1;
    }
    if (help) {
        return show_help(&(struct skrfs_found_verb){.verb = verb}, err);
    }
    return skrfs_crypto_setup(err) < 0 ? -1 : verb->run(&call, err);
}

static bool help_word(const char *word) {
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

static int group_run(
        const struct skrfs_found_verb *found, int argc, char **argv, struct skrfs_error *err) {
    if (argc > 2 && help_word(argv[2])) {
        return show_help(found, err);
    }
    return skrfs_fail(
            err, SKRFS_CLASS_CONFIG, "which verb? 'skrfs %s --help' lists them", found->group);
}

static int words_run(int argc, char **argv, struct skrfs_error *err) {
    struct skrfs_found_verb found;
    if (skrfs_verb_find(argv + 1, argc - 1, &found, err) < 0) {
        return finish("", -1, err);
    }
    if (!found.verb) {
        return finish(found.group, group_run(&found, argc, argv, err), err);
    }
    int result = verb_run(found.verb, argc - found.words, argv + found.words, err);
    return finish(found.verb->name, result, err);
}

int skrfs_cli_main(int argc, char **argv) {
    struct skrfs_error err = {.kind = SKRFS_CLASS_BUG};
    if (argc > 0 && skrfs_helper_form(argc, argv)) {
        int result = skrfs_crypto_setup(&err) < 0 ? -1 : skrfs_helper_run(argc, argv, &err);
        return finish("mount", result, &err);
    }
    if (argc < 2) {
        return finish("",
                skrfs_fail(&err, SKRFS_CLASS_CONFIG, "which verb? 'skrfs --help' lists them"),
                &err);
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        (void)printf("skrfs %s\n", SKRFS_VERSION);
        return finish("", 0, &err);
    }
    if (help_word(argv[1]) && argc == 2) {
        return finish("", show_help(&(struct skrfs_found_verb){.group = NULL}, &err), &err);
    }
    if (strcmp(argv[1], "help") == 0) { /* `skrfs help get` is `skrfs get --help` */
        struct skrfs_found_verb found;
        int result = skrfs_verb_find(argv + 2, argc - 2, &found, &err);
        return finish("", result < 0 ? -1 : show_help(&found, &err), &err);
    }
    return words_run(argc, argv, &err);
}
