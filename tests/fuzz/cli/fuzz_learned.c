/* What a foreign mount says it saw becomes a drop-in that root may install. */
#include "../../../src/cli/learned.h"

#include <skrfs/conf/conf.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT ((size_t)64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_lines(const char *text, const char *begin) {
    size_t count = 0;
    for (; text; text = strchr(text, '\n')) {
        text += *text == '\n';
        count += strncmp(text, begin, strlen(begin)) == 0;
    }
    return count;
}

static size_t count_keys(const struct skrfs_json *rules) {
    size_t count = 0;
    for (size_t i = 0; i < skrfs_json_size(rules); i++) {
        count += skrfs_json_size(skrfs_json_get(skrfs_json_at(rules, i), "allow")) > 0;
    }
    return count;
}

/* The configuration takes what is written, and finds in it the sections and rules that were meant,
 * and nothing else; a name may be there twice in a document that is no mount's. */
static void check(const struct skrfs_json *rules) {
    struct skrfs_error err;
    skrfs_autobuf text = SKRFS_BUF(LIMIT * 64);
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    if (skrfs_buf_append_text(&text,
                "[attestation]\nurl = https://a.net\n[vault v]\nurl = "
                "https://c.vault.azure.net\n",
                &err) ||
            learned_print(rules, &text, &err)) {
        return;
    }
    if (count_lines(skrfs_buf_text(&text), "[") != 2 + count_keys(rules)) {
        abort();
    }
    if (skrfs_conf_parse("learned", skrfs_buf_text(&text), text.len, &conf, &err)) {
        if (!strstr(err.message, "is there twice")) {
            abort();
        }
        return;
    }
    size_t allowed = 0;
    for (size_t i = 0; i < conf->key_count; i++) {
        allowed += conf->keys[i].guard.allow.count;
    }
    if (allowed != learned_count(rules, "allow")) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    skrfs_autojson *told = NULL;
    if (skrfs_json_parse((const char *)data, size, LIMIT, &told, &err) < 0) {
        return 0;
    }
    for (unsigned how = 0; how < 4; how++) {
        const struct learned_options options = {.digest = how & 1, .containers = how & 2};
        skrfs_autojson *rules = NULL;
        if (learned_rules(told, told, &options, &rules, &err) == 0) {
            check(rules);
        } else if (err.kind != SKRFS_CLASS_BAD_ANSWER && err.kind != SKRFS_CLASS_NO_MEMORY) {
            abort();
        }
    }
    return 0;
}
