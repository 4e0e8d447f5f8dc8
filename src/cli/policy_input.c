#include "policy_input.h"

#include <skrfs/base/file.h>
#include <skrfs/cli/claims.h>
#include <skrfs/skrfs.h>
#include <stdio.h>
#include <string.h>

SKRFS_DEFINE_CLEANUP(char, skrfs_token_free)

const char *policy_shown_path(const char *path) {
    return strcmp(path, "-") == 0 ? "<stdin>" : path;
}

int policy_text_read(const char *path, struct skrfs_buf *out, struct skrfs_error *err) {
    return strcmp(path, "-") == 0 ? skrfs_fd_read_all(STDIN_FILENO, out, err)
                                  : skrfs_file_read(path, out, err);
}

static int policy_parse(const struct skrfs_buf *plain, struct skrfs_policy **ret_policy,
        bool *ret_import, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    const char *text = skrfs_buf_text(plain);
    if (skrfs_json_parse(text, plain->len, SKRFS_POLICY_MAX, &json, err) < 0) {
        return -1;
    }
    bool import = skrfs_policy_kind_of(json) == SKRFS_POLICY_KIND_IMPORT;
    int result = import ? skrfs_policy_parse_import(text, plain->len, ret_policy, err)
                        : skrfs_policy_parse(text, plain->len, ret_policy, err);
    if (result == 0) {
        *ret_import = import;
    }
    return result;
}

int policy_load(const char *path, struct skrfs_policy **ret_policy, bool *ret_import,
        struct skrfs_buf *ret_text, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_POLICY_MAX), plain = SKRFS_BUF(SKRFS_POLICY_MAX);
    size_t comments = 0;
    if (policy_text_read(path, &text, err) < 0) {
        return -1;
    }
    if (skrfs_policy_strip_comments(skrfs_buf_text(&text), text.len, &plain, &comments, err) < 0 ||
            policy_parse(&plain, ret_policy, ret_import, err) < 0) {
        err->kind = SKRFS_CLASS_CONFIG;
        return skrfs_wrap(err, "%s", policy_shown_path(path));
    }
    if (ret_text) {
        skrfs_buf_move(ret_text, &text);
    }
    return 0;
}

static int file_claims(const char *path, struct skrfs_json **ret_claims, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(SKRFS_CLAIMS_MAX);
    if (policy_text_read(path, &text, err) < 0) {
        return -1;
    }
    if (skrfs_claims_parse(skrfs_buf_text(&text), text.len, ret_claims, err) < 0) {
        err->kind = SKRFS_CLASS_CONFIG;
        return skrfs_wrap(
                err, "%s is neither a token nor its claims as JSON", policy_shown_path(path));
    }
    return 0;
}

static int here_claims(const struct claims_source *source, struct skrfs_json **ret_claims,
        struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_token_free_p) char *token = NULL;
    if (skrfs_attest_here(source->config, source->timeout_ms, &token, err) < 0) {
        return -1;
    }
    return skrfs_claims_parse(token, strlen(token), ret_claims, err);
}

static int given(const struct claims_source *source) {
    return (source->token != NULL) + (source->claims != NULL) + source->here;
}

bool claims_source_given(const struct claims_source *source) {
    return given(source) > 0;
}

int claims_source_check(const struct claims_source *source, struct skrfs_error *err) {
    return given(source) <= 1 ? 0
                              : skrfs_fail(err, SKRFS_CLASS_CONFIG,
                                        "one of --token, --claims and --here is enough");
}

int claims_read(const struct claims_source *source, struct skrfs_json **ret_claims,
        struct skrfs_error *err) {
    if (source->here) {
        return here_claims(source, ret_claims, err);
    }
    return file_claims(source->token ? source->token : source->claims, ret_claims, err);
}
