#include "audit_input.h"

#include <skrfs/base/encode.h>
#include <skrfs/daemon/process.h>
#include <skrfs/json/json.h>
#include <stdio.h>
#include <string.h>

#define STATUS_MAX ((size_t)64 * 1024 * 1024)

void audit_input_done(struct audit_input *input) {
    for (size_t i = 0; i < input->count; i++) {
        free(input->files[i]);
    }
    input->count = 0;
}

static int add_file(struct audit_input *input, const char *path, struct skrfs_error *err) {
    if (input->count == AUDIT_FILES_MAX) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "more than %d files", AUDIT_FILES_MAX);
    }
    char *copy = strdup(path);
    if (!copy) {
        return skrfs_fail_memory(err);
    }
    input->files[input->count++] = copy;
    return 0;
}

/* FILE.3, FILE.2, FILE.1, FILE. */
static int add_with_older(struct audit_input *input, const char *path, struct skrfs_error *err) {
    char older[8192];
    unsigned last = 0;
    while (last + 2 < AUDIT_FILES_MAX) {
        (void)snprintf(older, sizeof(older), "%s.%u", path, last + 1);
        if (access(older, F_OK) != 0) {
            break;
        }
        last++;
    }
    for (; last > 0; last--) {
        (void)snprintf(older, sizeof(older), "%s.%u", path, last);
        if (add_file(input, older, err) < 0) {
            return -1;
        }
    }
    return add_file(input, path, err);
}

static int take_head(struct audit_input *input, const struct skrfs_json *audit, const char *mount,
        struct skrfs_error *err) {
    const char *digest = NULL, *chain = NULL;
    int64_t seq = 0;
    if (!audit) {
        return skrfs_fail(err, SKRFS_CLASS_NOT_FOUND, "the mount at %s has no audit", mount);
    }
    if (skrfs_json_need_integer(audit, "seq", &seq, err) < 0 ||
            skrfs_json_need_string(audit, "digest", &digest, err) < 0 ||
            skrfs_json_need_string(audit, "chain", &chain, err) < 0 ||
            skrfs_hex_decode(digest, input->head.digest, SKRFS_AUDIT_DIGEST, err) < 0) {
        return -1;
    }
    input->head.seq = (uint64_t)seq;
    (void)snprintf(input->head.chain, sizeof(input->head.chain), "%s", chain);
    return 0;
}

/* The head first, then the file: what is written in between stands behind it. */
static int ask_mount(
        struct audit_input *input, const char *mount, bool with_file, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(STATUS_MAX);
    skrfs_autojson *status = NULL;
    if (skrfs_status_read(mount, &text, err) < 0 ||
            skrfs_json_parse(skrfs_buf_text(&text), text.len, STATUS_MAX, &status, err) < 0) {
        return -1;
    }
    const struct skrfs_json *audit = skrfs_json_get(status, "audit");
    const char *file = skrfs_json_string(skrfs_json_get(audit, "file"));
    if (take_head(input, audit, mount, err) < 0) {
        return -1;
    }
    if (!with_file) {
        return 0;
    }
    if (!file) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "the mount at %s writes to the journal alone: use --journal", mount);
    }
    return add_with_older(input, file, err);
}

static int ask_configuration(
        struct audit_input *input, const char *config, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_conf_free_p) struct skrfs_conf *conf = NULL;
    const char *path = skrfs_config_path(config);
    if (skrfs_conf_load(path, &conf, err) < 0) {
        return -1;
    }
    if (!conf->audit.file) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "which file? %s has no [audit] file; name one, or use --journal", path);
    }
    return add_with_older(input, conf->audit.file, err);
}

static int find_files(const struct skrfs_call *call, const char *config, const char *mount,
        struct audit_input *input, struct skrfs_error *err) {
    if (call->count == 1) {
        return strcmp(call->operands[0], "-") == 0 ? add_file(input, "-", err)
                                                   : add_with_older(input, call->operands[0], err);
    }
    for (int i = 0; i < call->count; i++) {
        if (add_file(input, call->operands[i], err) < 0) {
            return -1;
        }
    }
    if (call->count > 0 || input->journal || mount) {
        return 0;
    }
    return ask_configuration(input, config, err);
}

int audit_input_find(const struct skrfs_call *call, const char *config, const char *mount,
        bool journal, struct audit_input *ret_input, struct skrfs_error *err) {
    struct skrfs_error ignored;
    skrfs_autofree char *found = NULL;
    ret_input->journal = journal;
    if (journal && call->count > 0) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "either files or --journal");
    }
    bool alone = !journal && call->count == 0;
    if (mount && ask_mount(ret_input, mount, alone, err) < 0) {
        return -1;
    }
    if (!mount && alone && skrfs_mount_find(NULL, config, &found, &ignored) == 0 &&
            ask_mount(ret_input, found, true, &ignored) == 0) {
        return 0;
    }
    return find_files(call, config, mount, ret_input, err);
}

/* One line at most is in memory, however long a stranger made it. */
static int read_lines(FILE *file, audit_line_fn *line, void *context, struct skrfs_error *err) {
    const size_t room = SKRFS_AUDIT_LINE_MAX;
    skrfs_autofree char *text = malloc(room);
    size_t len = 0;
    bool any = false;
    int letter;
    if (!text) {
        return skrfs_fail_memory(err);
    }
    while ((letter = getc(file)) != EOF) {
        any = true;
        if (letter == '\n') {
            if (line(context, text, len, true, err) < 0) {
                return -1;
            }
            len = 0;
            any = false;
        } else if (len < room) {
            text[len++] = (char)letter;
        }
    }
    return any ? line(context, text, len, false, err) : 0;
}

static int read_file(
        const char *path, audit_line_fn *line, void *context, struct skrfs_error *err) {
    if (strcmp(path, "-") == 0) {
        return read_lines(stdin, line, context, err);
    }
    FILE *file = fopen(path, "re");
    if (!file) {
        return skrfs_fail_errno(err, errno, "%s", path);
    }
    int result = read_lines(file, line, context, err);
    if (result == 0 && ferror(file)) {
        result = skrfs_fail_errno(err, errno, "read %s", path);
    }
    (void)fclose(file);
    return result;
}

struct entries {
    audit_line_fn *line;
    void *context;
};

static int take_entry(void *context, const char *record, size_t len, struct skrfs_error *err) {
    const struct entries *entries = context;
    return entries->line(entries->context, record, len, true, err);
}

int audit_input_read(const struct audit_input *input, audit_file_fn *file, audit_line_fn *line,
        void *context, struct skrfs_error *err) {
    if (input->journal) {
        struct entries entries = {line, context};
        return file(context, "journal", err) < 0 ||
                               skrfs_journal_records(take_entry, &entries, err) < 0
                       ? -1
                       : 0;
    }
    for (size_t i = 0; i < input->count; i++) {
        if (file(context, input->files[i], err) < 0 ||
                read_file(input->files[i], line, context, err) < 0) {
            return -1;
        }
    }
    return 0;
}
