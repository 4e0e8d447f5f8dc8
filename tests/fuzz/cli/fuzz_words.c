/* Words that users type and mounts are given: the command line (words separated by newlines), the
 * option words of mount.skrfs, a vault's and a key's name, which mount is meant. The first octet
 * chooses. */
#include "../../../src/cli/verbs.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WORDS_MAX = 40 };

static void check(const struct skrfs_error *err) {
    if (!memchr(err->message, 0, sizeof(err->message)))
        abort();
}

static void parse(const struct skrfs_found_verb *found, int count, char **words) {
    struct skrfs_error err = {0};
    struct skrfs_call call = {0};
    bool help = false;
    void *options = calloc(1, found->verb->options_size ? found->verb->options_size : 1);
    if (!options)
        return;
    int first = found->words - 1;
    if (skrfs_options_parse(
                found->verb, count - first, words + first, options, &call, &help, &err) < 0)
        check(&err);
    else if (!help && (call.count < found->verb->least || call.count > found->verb->most))
        abort();
    free(options);
}

static void command_line(char *text) {
    struct skrfs_error err = {0};
    struct skrfs_found_verb found = {0};
    char *words[WORDS_MAX + 1];
    int count = 0;
    for (char *word; count < WORDS_MAX && (word = strsep(&text, "\n"));)
        words[count++] = word;
    words[count] = NULL;
    if (skrfs_verb_find(words, count, &found, &err) < 0)
        check(&err);
    else if (found.verb)
        parse(&found, count, words);
    else if (!found.group)
        abort();
}

static void mount_words(const char *text) {
    struct skrfs_error err = {0};
    struct skrfs_mount_words words = {.rest = NULL};
    if (skrfs_mount_words_parse(text, &words, &err) < 0) {
        check(&err);
        return;
    }
    if (words.config && words.config[0] != '/')
        abort();
    (void)!skrfs_log_level_set(words.log, &err);
    skrfs_log_level_set("error", &err) < 0 ? abort() : (void)0;
    skrfs_mount_words_done(&words);
}

static void names(const char *text) {
    static const char base[] = "[attestation]\nurl = https://a.net\n[vault prod]\nurl = "
                               "https://a.vault.azure.net\n[vault test]\nurl = "
                               "https://b.vault.azure.net\n[key tls]\nvault = prod\n";
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    size_t index = 0;
    if (skrfs_conf_parse("base", base, strlen(base), &conf, &err) < 0)
        abort();
    if (skrfs_vault_pick(conf, text, &index, &err) == 0 && index >= conf->vault_count)
        abort();
    if (skrfs_key_pick(conf, text, &index, &err) == 0 && index >= conf->key_count)
        abort();
    (void)!skrfs_vault_pick(conf, NULL, &index, &err);
}

/* Which mount: a mount table, and what was said behind its first NUL or newline pair. */
static void which_mount(char *text) {
    struct skrfs_error err = {0};
    skrfs_automounts mounts = {.count = 0};
    char *path = NULL;
    char *said = strstr(text, "\n\n");
    if (said)
        *said = '\0';
    if (skrfs_mounts_parse(text, &mounts, &err) < 0)
        return;
    const char *argument = said && said[2] ? said + 2 : NULL;
    if (argument)
        (void)!skrfs_mounts_miss(&mounts, argument, &err);
    if (skrfs_mount_pick(&mounts, argument, NULL, &path, &err) < 0)
        check(&err);
    free(path);
    path = NULL;
    (void)!skrfs_mount_pick(&mounts, NULL, argument, &path, &err);
    free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    char *text = strndup((const char *)data + 1, size - 1);
    if (!text)
        return 0;
    switch (data[0] % 4) {
    case 0:
        command_line(text);
        break;
    case 1:
        mount_words(text);
        break;
    case 2:
        names(text);
        break;
    default:
        which_mount(text);
    }
    free(text);
    return 0;
}
