#include "get.h"

#include <skrfs/client/wiring.h>
#include <skrfs/skrfs.h>
#include <stdio.h>
#include <string.h>

static int item_get(struct get *get, struct get_item *item, struct skrfs_error *err) {
    char what[160];
    (void)snprintf(what, sizeof(what), "releasing '%s'", item->told);
    struct skrfs_progress *progress = skrfs_progress_start(what);
    int result = skrfs_client_get(get->client, item->name, get->options->version, get->format,
            get->options->timeout_ms, &item->secret, err);
    skrfs_progress_stop(progress);
    if (result < 0 && get->options->mystikos) {
        return skrfs_wrap(err, "'%s' of %s", item->told, get->mystikos.secrets[item->key].address);
    }
    if (result == 0 && item->verbose) {
        (void)fprintf(stderr, "skrfs get: released '%s'\n", item->told);
    }
    return result;
}

/* With --continue a key that cannot be had is told of and passed over; the first reason is kept. */
static int items_get(struct get *get, struct skrfs_error *ret_missed, struct skrfs_error *err) {
    for (size_t i = 0; i < get->count; i++) {
        if (item_get(get, &get->items[i], err) == 0) {
            continue;
        }
        if (!get->options->go_on) {
            return -1;
        }
        (void)fprintf(stderr, "skrfs get: passed over: %s\n", err->message);
        if (!ret_missed->message[0]) {
            *ret_missed = *err;
        }
    }
    return 0;
}

static int client_open(struct get *get, struct skrfs_error *err) {
    if (skrfs_crypto_hide(err) < 0)
        return -1;
    struct skrfs_conf *conf = skrfs_take(get->conf);
    if (skrfs_client_open(conf, &get->client, err) < 0) {
        return -1;
    }
    get->conf = conf;
    return 0;
}

static int all_missed(struct get *get, const struct skrfs_error *reason) {
    if (!get->options->go_on) {
        return -1;
    }
    (void)fprintf(stderr, "skrfs get: passed over: %s\n", reason->message);
    return 0;
}

/* Without a TEE or a login no key can be had, which --continue passes over too. */
static int keys_get(struct get *get, struct skrfs_error *ret_missed, struct skrfs_error *err) {
    if (client_open(get, err) < 0) {
        *ret_missed = *err;
        return all_missed(get, err);
    }
    return items_get(get, ret_missed, err) < 0 || get_put(get, err) < 0 ? -1 : 0;
}

static int run(struct get *get, const struct skrfs_call *call, struct skrfs_error *err) {
    struct skrfs_error missed = {.message = ""};
    const char *program = get->options->program;
    if (get_environment_keep(get, err) < 0 ||
            (program && get_program_find(program, &get->program, err) < 0) ||
            get_items(get, call, err) < 0) {
        return -1;
    }
    skrfs_lab_note(get->conf->lab_dir);
    if (get_places(get, err) < 0 || get_process_close(get, err) < 0 ||
            keys_get(get, &missed, err) < 0) {
        return -1;
    }
    if (program) {
        return get_exec(get, call, err);
    }
    if (missed.message[0]) {
        *err = missed;
        return -1;
    }
    return 0;
}

static int verb_run(const struct skrfs_call *call, struct skrfs_error *err) {
    struct get get = {.options = call->options};
    int result = run(&get, call, err);
    get_done(&get);
    return result;
}

#define AT(member) offsetof(struct get_options, member)
static const struct skrfs_option options[] = {
        {'c', "config", "FILE", SKRFS_HELP_CONFIG, SKRFS_OPTION_TEXT, AT(config)},
        {0, "version", "V", "this version, not the configured one", SKRFS_OPTION_TEXT, AT(version)},
        {'F', "format", "F", "der, pem, jwk, raw, openssh, pub.pem, pub.der or pub.jwk",
                SKRFS_OPTION_TEXT, AT(format)},
        {'t', "timeout", "TIME", "longest wait for one key (default: 'deadline' as configured)",
                SKRFS_OPTION_DURATION, AT(timeout_ms)},
        {'d', "to", "DIR", "write DIR/NAME, on tmpfs or ramfs only ('-': standard output)",
                SKRFS_OPTION_TEXT, AT(to)},
        {'x', "exec", "PROGRAM", "then become PROGRAM; its arguments stand behind --",
                SKRFS_OPTION_TEXT, AT(program)},
        {0, "keys-to-gramine", NULL, "write them to Gramine's /dev/attestation/keys/NAME",
                SKRFS_OPTION_FLAG, AT(to_gramine)},
        {0, "enclave", NULL, "DIR is Gramine's tmpfs, as its manifest says", SKRFS_OPTION_FLAG,
                AT(enclave)},
        {0, "mystikos", "FILE", "the keys that Mystikos's config.json declares in \"Secret\"",
                SKRFS_OPTION_TEXT, AT(mystikos)},
        {0, "attestation", "URL", "attestation service for --mystikos, without a configuration",
                SKRFS_OPTION_TEXT, AT(attestation)},
        {0, "continue", NULL, "pass over a key that cannot be had", SKRFS_OPTION_FLAG, AT(go_on)},
        {0, "force", NULL, "write a key to a terminal, or to tmpfs that may be swapped out",
                SKRFS_OPTION_FLAG, AT(force)},
};

const struct skrfs_verb skrfs_verb_get = {
        .name = "get",
        .summary = "release keys once, without a mount",
        .operands = "NAME... [-- ARG...]",
        .details =
                "Attests the machine, has the key of section [key NAME] released and writes it "
                "to standard\n"
                "output, or with --to to a file with the configured owner and mode. Several "
                "keys are written\n"
                "all or not at all. With --exec, PROGRAM then takes the place of skrfs, with the "
                "arguments\n"
                "behind --.",
        .page = "skrfs-get(8)",
        .least = 0,
        .most = 4096,
        .rest = true,
        .options = options,
        .option_count = SKRFS_ARRAY_LEN(options),
        .options_size = sizeof(struct get_options),
        .run = verb_run,
};
