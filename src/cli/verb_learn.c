#include "learned.h"
#include "verbs.h"

#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <skrfs/base/file.h>
#include <skrfs/fs/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define DEFAULT_MS (10U * 60 * 1000)

struct learn_options {
    const char *config, *output;
    unsigned for_ms;
    bool json, digest, containers;
};

/* One run. */
struct learn {
    const struct learn_options *options;
    const char *mount;
    uint32_t seconds;
    int status; /* status/status.json, open */
    struct skrfs_json *learned;
};

static int tell_mount(const struct learn *learn, uint32_t seconds, struct skrfs_error *err) {
    if (ioctl(learn->status, SKRFS_IOC_LEARN, &seconds) == 0) {
        return 0;
    }
    if (errno == EINVAL) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "--for is at most 7d");
    }
    if (errno == ENOTTY) {
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "what is mounted at '%s' cannot learn: mount it again with this version",
                learn->mount);
    }
    (void)skrfs_fail_errno(err, errno, "have the mount note who reads what");
    return skrfs_status_failed(learn->mount, err);
}

static int report_read(const struct learn *learn, const char *name, struct skrfs_json **ret_json,
        struct skrfs_error *err) {
    skrfs_autobuf path = SKRFS_BUF(8192), text = SKRFS_BUF(SKRFS_FS_REPORT_MAX);
    if (skrfs_buf_printf(&path, err, "%s/status/%s", learn->mount, name) < 0) {
        return -1;
    }
    if (skrfs_file_read(skrfs_buf_text(&path), &text, err) < 0) {
        return skrfs_status_failed(learn->mount, err);
    }
    return skrfs_json_parse(skrfs_buf_text(&text), text.len, SKRFS_FS_REPORT_MAX, ret_json, err);
}

/* Reads what was noted so far. What a mount that has ended tells it tells once: it is kept. */
static int look(struct learn *learn, struct skrfs_error *err) {
    struct skrfs_json *learned = NULL;
    if (report_read(learn, "learned", &learned, err) < 0) {
        return -1;
    }
    skrfs_json_free(learn->learned);
    learn->learned = learned;
    return 0;
}

static bool is_going(const struct learn *learn) {
    const struct skrfs_json *going = skrfs_json_get(learn->learned, "learning");
    return going && skrfs_json_kind(going) == SKRFS_JSON_TRUE;
}

static bool is_terminal(void) {
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

static void draw(const struct learn *learn, uint64_t left_ns) {
    (void)fprintf(stderr,
            "\r\033[Klearning who reads what at %s: %zu kinds of callers; ends in %llus, or with "
            "Ctrl-C",
            learn->mount, skrfs_json_size(skrfs_json_get(learn->learned, "seen")),
            (unsigned long long)(left_ns / SKRFS_SECOND_NS));
    (void)fflush(stderr);
}

/* Until the time is over or a signal comes, which are blocked. True when the mount has ended it. */
static bool wait_over(struct learn *learn, const sigset_t *signals) {
    uint64_t until = skrfs_now_ns() + learn->seconds * SKRFS_SECOND_NS;
    bool shown = is_terminal();
    struct skrfs_error ignored;
    bool over = false;
    while (!over && skrfs_until_ns(until)) {
        uint64_t left = skrfs_until_ns(until);
        uint64_t nap = shown && left > SKRFS_SECOND_NS ? SKRFS_SECOND_NS : left;
        struct timespec time = {.tv_sec = (time_t)(nap / SKRFS_SECOND_NS),
                .tv_nsec = (long)(nap % SKRFS_SECOND_NS)};
        if (shown) {
            over = look(learn, &ignored) == 0 && !is_going(learn);
            draw(learn, left);
        }
        if (!over && sigtimedwait(signals, NULL, &time) > 0) {
            break;
        }
    }
    if (shown) {
        (void)fputs("\r\033[K", stderr);
    }
    return over;
}

static int begin(struct learn *learn, struct skrfs_error *err) {
    if (look(learn, err) < 0) {
        return -1;
    }
    if (is_going(learn)) {
        (void)fprintf(stderr, "skrfs learn: the mount was learning already: what it had noted "
                              "until now is forgotten\n");
    }
    return tell_mount(learn, learn->seconds, err);
}

/* The mount's own answer after the end. */
static int watch(struct learn *learn, struct skrfs_error *err) {
    sigset_t signals, before;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &signals, &before);
    int result = begin(learn, err);
    if (result == 0 && !wait_over(learn, &signals)) {
        result = tell_mount(learn, 0, err) < 0 || look(learn, err) < 0 ? -1 : 0;
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return result;
}

static int check_learned(const struct learn *learn, struct skrfs_error *err) {
    const char *began = skrfs_json_string(skrfs_json_get(learn->learned, "began"));
    if (began && *began) {
        return 0;
    }
    return skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE,
            "what was noted is gone: the mount at '%s' began anew meanwhile, or another took it; "
            "learn again",
            learn->mount);
}

static int head_print(const struct learn *learn, struct skrfs_buf *out, struct skrfs_error *err) {
    char now[24], began[24];
    const char *told = skrfs_json_string(skrfs_json_get(learn->learned, "began"));
    skrfs_text_clean(told, strlen(told), began, sizeof(began));
    skrfs_format_time(skrfs_wall_s(), now, sizeof(now));
    return skrfs_buf_printf(out, err,
            "; Who read which key at %s from %s to %s, as rules that let in these and nobody "
            "else.\n"
            "; Read them, then put them into the folder of drop-ins: skrfs.conf.d/\n",
            learn->mount, began, now);
}

static int json_print(const struct learn *learn, struct skrfs_json *rules, struct skrfs_buf *out,
        struct skrfs_error *err) {
    skrfs_autojson *root = NULL, *seen = NULL, *keys = NULL;
    if (skrfs_json_copy(rules, &keys, err) < 0 || skrfs_json_copy(learn->learned, &seen, err) < 0 ||
            skrfs_json_pack(&root, err, "{s:s, s:o, s:o}", "mount", learn->mount, "learned",
                    skrfs_take(seen), "keys", skrfs_take(keys)) < 0 ||
            skrfs_json_print(root, isatty(STDOUT_FILENO), out, err) < 0) {
        return -1;
    }
    return skrfs_buf_append_text(out, "\n", err);
}

static void summary(const struct learn *learn, const struct skrfs_json *rules) {
    const struct skrfs_json *lost = skrfs_json_get(learn->learned, "lost");
    size_t left_out = learned_count(rules, "left_out");
    (void)fprintf(stderr, "skrfs learn: %zu rules; refused callers: %zu\n",
            learned_count(rules, "allow"), learned_count(rules, "refused"));
    if (left_out) {
        (void)fprintf(stderr,
                "skrfs learn: %zu remarks on what no rule says, and why; read them first: such "
                "rules are wider than what was seen, or missing\n",
                left_out);
    }
    if (lost && skrfs_json_integer(lost)) {
        (void)fprintf(stderr,
                "skrfs learn: the mount's table was full: %lld opens and reads of further callers "
                "are in no rule\n",
                (long long)skrfs_json_integer(lost));
    }
    if (learn->options->containers) {
        (void)fprintf(stderr, "skrfs learn: a container that is made anew has another number, "
                              "which its rule does not let in\n");
    }
}

/* What was learned took long: where the file cannot be written after all it is shown instead. */
static int deliver(
        const struct learn *learn, const struct skrfs_buf *out, struct skrfs_error *err) {
    if (!learn->options->output) {
        return skrfs_print(out, err);
    }
    if (skrfs_file_write(learn->options->output, out->data, out->len, 0644, err) == 0) {
        return 0;
    }
    struct skrfs_error ignored;
    (void)!skrfs_print(out, &ignored);
    return skrfs_wrap(err, "it is on standard output instead");
}

static int finish(struct learn *learn, struct skrfs_error *err) {
    const struct learned_options options = {
            .digest = learn->options->digest, .containers = learn->options->containers};
    skrfs_autojson *status = NULL, *rules = NULL;
    skrfs_autobuf out = SKRFS_BUF(2 * SKRFS_FS_REPORT_MAX);
    if (check_learned(learn, err) < 0 || report_read(learn, "status.json", &status, err) < 0 ||
            learned_rules(learn->learned, status, &options, &rules, err) < 0) {
        return -1;
    }
    int made = learn->options->json ? json_print(learn, rules, &out, err)
               : head_print(learn, &out, err) < 0 || learned_print(rules, &out, err) < 0 ? -1
                                                                                         : 0;
    if (made < 0 || deliver(learn, &out, err) < 0) {
        return -1;
    }
    summary(learn, rules);
    return 0;
}

/* Before the wait, not after it. */
static int output_check(const char *path, struct skrfs_error *err) {
    if (!path) {
        return 0;
    }
    skrfs_autofree char *copy = strdup(path);
    if (!copy) {
        return skrfs_fail_memory(err);
    }
    const char *folder = dirname(copy);
    return access(folder, W_OK) == 0
                   ? 0
                   : skrfs_fail_errno(err, errno, "'%s' cannot be written in '%s'", path, folder);
}

static int open_status(struct learn *learn, struct skrfs_error *err) {
    skrfs_autobuf path = SKRFS_BUF(8192);
    if (skrfs_buf_printf(&path, err, "%s/status/status.json", learn->mount) < 0) {
        return -1;
    }
    learn->status = open(skrfs_buf_text(&path), O_RDONLY | O_CLOEXEC);
    if (learn->status < 0) {
        (void)skrfs_fail_errno(err, errno, "open %s", skrfs_buf_text(&path));
        return skrfs_status_failed(learn->mount, err);
    }
    return 0;
}

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    const struct learn_options *options = call->options;
    unsigned ms = options->for_ms ? options->for_ms : DEFAULT_MS;
    skrfs_autofree char *mount = NULL;
    if (output_check(options->output, err) < 0 ||
            skrfs_mount_find(call->count ? call->operands[0] : NULL, options->config, &mount, err) <
                    0) {
        return -1;
    }
    struct learn learn = {
            .options = options, .mount = mount, .seconds = (ms + 999) / 1000, .status = -1};
    int result = open_status(&learn, err) < 0 || watch(&learn, err) < 0 || finish(&learn, err) < 0
                         ? -1
                         : 0;
    skrfs_close_p(&learn.status);
    skrfs_json_free(learn.learned);
    return result;
}

static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT,
                offsetof(struct learn_options, config)},
        {'C', "containers", NULL, "ask for containers by their numbers, which change",
                SKRFS_OPTION_FLAG, offsetof(struct learn_options, containers)},
        {'d', "digest", NULL, "ask for the digests of the programs too", SKRFS_OPTION_FLAG,
                offsetof(struct learn_options, digest)},
        {'f', "for", "TIME", "how long (default: 10m)", SKRFS_OPTION_DURATION,
                offsetof(struct learn_options, for_ms)},
        {'j', "json", NULL, "for a program to read", SKRFS_OPTION_FLAG,
                offsetof(struct learn_options, json)},
        {'o', "output", "FILE", "write there instead of to standard output", SKRFS_OPTION_TEXT,
                offsetof(struct learn_options, output)},
};

const struct skrfs_verb skrfs_verb_learn = {
        .name = "learn",
        .summary = "note who reads which key, and write the rules for it",
        .operands = "[MOUNTPOINT]",
        .details = "Has a mount note for a while who opens and reads which key, then writes the "
                   "tightest rules that\n"
                   "let those in, as a drop-in of the configuration. Ctrl-C ends it early. Works "
                   "under the rules\n"
                   "there are; whom they refuse is told in comments.",
        .page = "skrfs-access(8)",
        .most = 1,
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct learn_options),
        .run = verb_run,
};
