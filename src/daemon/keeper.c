#include <linux/capability.h>
#include <signal.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/log.h>
#include <skrfs/daemon/process.h>
#include <string.h>

struct keeper {
    const struct skrfs_child *child;
    const struct skrfs_conf *conf;
    struct skrfs_keyside keyside;
    struct skrfs_courier *courier;
    struct skrfs_witness *witness;
    struct skrfs_recorder *recorder; /* NULL: there is no audit */
    struct skrfs_store_key *store_keys;
    struct skrfs_store *store;
    struct skrfs_fs_key *fs_keys;
    struct skrfs_fs_options fs_options;
    struct skrfs_fs *fs;
    struct skrfs_reporter reporter;
};

/* What was to be known from it is known. Others' secrets may be in it, and the kernel tells it to
 * who may look at this process. */
static void environment_forget(void) {
    for (char **variable = environ; variable && *variable; variable++)
        skrfs_wipe(*variable, strlen(*variable));
    clearenv();
}

/* All that needs a path, then the sandbox. The TPM's device is opened with the privileges there
 * are. */
static int close_in(struct keeper *keeper, struct skrfs_error *err) {
    /* Before any other use of OpenSSL, whose memory functions cannot be changed later. */
    if (skrfs_process_seal("skrfs-keeper", err) < 0 || skrfs_secret_setup(0, false, err) < 0 ||
            skrfs_crypto_setup(err) < 0 || skrfs_crypto_hide(err) < 0)
        return -1;
    if (skrfs_keyside_prepare(keeper->conf, keeper->child->relay, &keeper->child->network->ca_pem,
                &keeper->keyside, err) < 0)
        return -1;
    environment_forget();
    /* No reason to leave readers without a mount: they are told ENODEV, and why. */
    if (!keeper->keyside.tee)
        skrfs_log_error("%s; no key can be released", keeper->keyside.no_tee.message);
    if (skrfs_process_harden("skrfs-keeper", UINT64_C(1) << CAP_IPC_LOCK, err) < 0)
        return -1;
    const struct skrfs_tee *tee = keeper->keyside.tee;
    const struct skrfs_sandbox_tee needs = {.dir = tee ? tee->dir : NULL,
            .ioctls = tee ? tee->ioctls : NULL,
            .ioctl_count = tee ? tee->ioctl_count : 0};
    return skrfs_sandbox_keeper(&needs, err);
}

static int make_store(struct keeper *keeper, struct skrfs_error *err) {
    const struct skrfs_conf *conf = keeper->conf;
    struct skrfs_store_options options = {.key_count = conf->key_count,
            .ops = &skrfs_keyside_fetch_ops,
            .context = &keeper->keyside};

    keeper->store_keys = calloc(conf->key_count ? conf->key_count : 1, sizeof(*keeper->store_keys));
    if (!keeper->store_keys)
        return skrfs_fail_memory(err);
    for (size_t i = 0; i < conf->key_count; i++)
        keeper->store_keys[i] = (struct skrfs_store_key){.name = conf->keys[i].file,
                .version = conf->keys[i].version,
                .limited =
                        skrfs_limits_any(&conf->keys[i].limits) || conf->keys[i].guard.hours.days,
                .refresh_ns = conf->keys[i].refresh_ns,
                .stale_ns = conf->keys[i].stale_ns,
                .deadline_ns = conf->deadline_ns};
    options.keys = keeper->store_keys;
    return skrfs_store_new(&options, &keeper->store, err);
}

static int make_fs(struct keeper *keeper, struct skrfs_error *err) {
    const struct skrfs_conf *conf = keeper->conf;

    keeper->fs_keys = calloc(conf->key_count ? conf->key_count : 1, sizeof(*keeper->fs_keys));
    if (!keeper->fs_keys)
        return skrfs_fail_memory(err);
    for (size_t i = 0; i < conf->key_count; i++)
        keeper->fs_keys[i] = (struct skrfs_fs_key){.file = conf->keys[i].file,
                .format = conf->keys[i].format,
                .guard = conf->keys[i].guard,
                .hide = conf->keys[i].hide,
                .limits = conf->keys[i].limits};
    keeper->fs_options = (struct skrfs_fs_options){.keys = keeper->fs_keys,
            .key_count = conf->key_count,
            .store = keeper->store,
            .describe = skrfs_witness_describe,
            .describe_context = keeper->witness,
            .report = skrfs_report,
            .report_context = &keeper->reporter,
            .unit = skrfs_witness_unit,
            .unit_context = keeper->witness,
            .ledger = keeper->child->ledger,
            .audit = keeper->recorder ? skrfs_recorder_event : NULL,
            .audit_context = keeper->recorder,
            .audit_who = true,
            .owner = keeper->conf->owner,
            .lab = conf->lab_dir != NULL};
    return skrfs_fs_new(
            &keeper->fs_options, keeper->child->fuse, keeper->child->handover, &keeper->fs, err);
}

static int make_recorder(struct keeper *keeper, struct skrfs_error *err) {
    const struct skrfs_recorder_options options = {.fd = keeper->child->scribe,
            .conf = keeper->conf,
            .journal = keeper->child->journal,
            .boot_id = keeper->child->boot_id};

    if (options.fd < 0)
        return 0;
    if (skrfs_recorder_new(&options, &keeper->recorder, err) < 0)
        return -1;
    keeper->keyside.tried = skrfs_recorder_tried;
    keeper->keyside.tried_context = keeper->recorder;
    return 0;
}

static int start(struct keeper *keeper, struct skrfs_error *err) {
    if (skrfs_witness_new(keeper->child->witness, &keeper->witness, err) < 0 ||
            skrfs_courier_remote(keeper->child->courier, &keeper->courier, err) < 0)
        return -1;
    skrfs_keyside_start(&keeper->keyside, keeper->courier);
    if (make_recorder(keeper, err) < 0 || make_store(keeper, err) < 0)
        return -1;
    keeper->reporter = (struct skrfs_reporter){.conf = keeper->conf,
            .store = keeper->store,
            .recorder = keeper->recorder,
            .since_s = skrfs_wall_s()};
    if (make_fs(keeper, err) < 0)
        return -1;
    keeper->reporter.fs = keeper->fs;
    return 0;
}

static void finish(struct keeper *keeper) {
    if (keeper->fs)
        skrfs_fs_free(keeper->fs);
    if (keeper->store)
        skrfs_store_free(keeper->store);
    skrfs_recorder_free(keeper->recorder);
    if (keeper->courier)
        skrfs_courier_close(keeper->courier);
    if (keeper->keyside.conf)
        skrfs_keyside_done(&keeper->keyside);
    skrfs_witness_free(keeper->witness);
    free(keeper->fs_keys);
    free(keeper->store_keys);
}

/* A signal's frame on the stack would hold registers with key bytes in them: none is ever handled
 * here, and SIGTERM ends the process as it stands. */
static void block_signals(void) {
    sigset_t all;

    sigfillset(&all);
    sigdelset(&all, SIGTERM);
    sigprocmask(SIG_SETMASK, &all, NULL);
}

int skrfs_keeper_main(const struct skrfs_child *child) {
    struct keeper keeper = {.child = child, .conf = child->conf};
    struct skrfs_error err;

    skrfs_log_set_name("keeper");
    block_signals();
    if (close_in(&keeper, &err) < 0 || start(&keeper, &err) < 0) {
        finish(&keeper);
        return skrfs_notice_failed(child, SKRFS_ROLE_KEEPER, &err);
    }
    skrfs_notice_ready(child, SKRFS_ROLE_KEEPER);
    close(child->notices);
    int result = skrfs_fs_serve(keeper.fs, &err);
    if (result < 0)
        skrfs_log_error("%s", err.message);
    finish(&keeper);
    /* Unmounted before it was served: an end like any other. */
    return result < 0 && err.kind != SKRFS_CLASS_INTERRUPTED ? 1 : 0;
}
