#include <skrfs/base/file.h>
#include <skrfs/client/wiring.h>
#include <stdio.h>
#include <string.h>

static int read_ca(const struct skrfs_conf *conf, struct skrfs_buf *out, struct skrfs_error *err) {
    if (conf->ca_file && skrfs_file_read(conf->ca_file, out, err) < 0)
        return skrfs_wrap(err, "[network] ca-file");
    return 0;
}

/* The configured anchors are the only ones: for TLS and for released keys alike. */
static int trust_load(const struct skrfs_conf *conf, const struct skrfs_buf *ca_pem,
        struct skrfs_trust **ret_trust, struct skrfs_error *err) {
    if (!conf->ca_file)
        return skrfs_trust_system(ret_trust, err);
    if (skrfs_trust_from_pem(skrfs_buf_text(ca_pem), ca_pem->len, ret_trust, err) < 0) {
        err->kind = SKRFS_CLASS_CONFIG;
        return skrfs_wrap(err, "[network] ca-file %s", conf->ca_file);
    }
    return 0;
}

bool skrfs_keyside_wants_tpm(const struct skrfs_conf *conf) {
    const char *kind = conf->tee.kind;

    return !kind || strcmp(kind, "auto") == 0 || strcmp(kind, "azure-cvm") == 0;
}

/* A device must be there when the sandbox closes; what is behind a relay may come later. */
static int tpm_find_behind_relay(struct skrfs_keyside *keyside) {
    struct skrfs_error err;

    if (keyside->tpm || keyside->tpm_fd < 0)
        return 0;
    if (skrfs_tpm_open_fd(keyside->tpm_fd, &keyside->tpm, &err) < 0) {
        keyside->no_tee = err;
        return -1;
    }
    keyside->tpm_fd = -1;
    return 0;
}

static struct skrfs_tee_options tee_options(const struct skrfs_keyside *keyside) {
    const struct skrfs_conf *conf = keyside->conf;

    return (struct skrfs_tee_options){.kind = keyside->enclosed ? "azure-cvm" : conf->tee.kind,
            .tsm = conf->tee.tsm,
            .device = conf->tee.device,
            .attestation = conf->tee.attestation,
            .context = conf->tee.context,
            .certificates_file = conf->tee.certificates_file,
            .init_data_file = conf->tee.init_data,
            .allow_debug = conf->tee.allow_debug,
            .looks = keyside->looks,
            .tpm = keyside->tpm,
            .event_log = conf->event_log,
            .event_log_read = &keyside->event_log};
}

/* Under the lock, or before anybody else knows the value. Behind a closed sandbox no path can be
 * looked at any more: what may still come is the report in a TPM that is open. */
static int tee_find(struct skrfs_keyside *keyside) {
    struct skrfs_error err;

    if (keyside->tee)
        return 0;
    if (tpm_find_behind_relay(keyside) < 0 || (keyside->enclosed && !keyside->tpm))
        return -1;
    const struct skrfs_tee_options options = tee_options(keyside);
    if (skrfs_tee_open(&options, &keyside->tee, &err) == 0)
        return 0;
    /* Why there is no TPM is known here alone. */
    if (err.kind == SKRFS_CLASS_NO_TEE && keyside->no_tee.message[0] && !keyside->tpm)
        skrfs_wrap(&err, "%s", keyside->no_tee.message);
    keyside->no_tee = err;
    return -1;
}

static void init(struct skrfs_keyside *keyside, const struct skrfs_conf *conf) {
    memset(keyside, 0, sizeof(*keyside));
    pthread_mutex_init(&keyside->lock, NULL);
    keyside->conf = conf;
    keyside->tpm_fd = -1;
    keyside->event_log = SKRFS_BUF(SKRFS_EVENT_LOG_MAX);
}

static void note_tpm(struct skrfs_keyside *keyside) {
    if (!keyside->looks)
        return;
    struct skrfs_tee_look *look = &keyside->looks->looks[0];
    (void)snprintf(look->what, sizeof(look->what), "TPM");
    (void)snprintf(look->found, sizeof(look->found), "%.255s", keyside->no_tee.message);
    look->there = look->failed = true;
    keyside->looks->count = 1;
}

/* A machine without a TPM may have another TEE. One whose TPM is there and cannot be used is told
 * so: nothing else is looked for, for it might be weaker. */
static void find(struct skrfs_keyside *keyside) {
    if (keyside->tpm_fd < 0 && !keyside->tpm && skrfs_keyside_wants_tpm(keyside->conf) &&
            skrfs_tpm_open(keyside->conf->tcti, &keyside->tpm, &keyside->no_tee) < 0) {
        keyside->tpm = NULL;
        if (keyside->no_tee.kind != SKRFS_CLASS_NO_TEE) {
            note_tpm(keyside);
            return;
        }
    }
    (void)tee_find(keyside);
}

static int prepare(
        struct skrfs_keyside *keyside, const struct skrfs_buf *ca_pem, struct skrfs_error *err) {
    const struct skrfs_conf *conf = keyside->conf;

    if (trust_load(conf, ca_pem, &keyside->trust, err) < 0 ||
            (skrfs_keyside_wants_tpm(conf) &&
                    skrfs_tee_event_log(conf->event_log, &keyside->event_log, err) < 0)) {
        skrfs_keyside_done(keyside);
        return -1;
    }
    find(keyside);
    return 0;
}

int skrfs_keyside_prepare(const struct skrfs_conf *conf, int relay, const struct skrfs_buf *ca_pem,
        struct skrfs_keyside *ret_keyside, struct skrfs_error *err) {
    init(ret_keyside, conf);
    ret_keyside->tpm_fd = relay;
    return prepare(ret_keyside, ca_pem, err);
}

void skrfs_keyside_start(struct skrfs_keyside *keyside, struct skrfs_courier *courier) {
    keyside->courier = courier;
    keyside->enclosed = true;
}

static int release_make(struct skrfs_keyside *keyside, struct skrfs_error *err) {
    struct skrfs_release_options options = {.courier = keyside->courier, .trust = keyside->trust};

    if (keyside->release)
        return 0;
    if (tee_find(keyside) < 0) {
        *err = keyside->no_tee;
        return -1;
    }
    options.tee = keyside->tee;
    return skrfs_release_new(&options, &keyside->release, err);
}

int skrfs_keyside_release(struct skrfs_keyside *keyside, struct skrfs_release **ret_release,
        struct skrfs_error *err) {
    pthread_mutex_lock(&keyside->lock);
    int result = release_make(keyside, err);
    if (result == 0)
        *ret_release = keyside->release;
    pthread_mutex_unlock(&keyside->lock);
    return result;
}

int skrfs_keyside_open(const struct skrfs_conf *conf, struct skrfs_tpm *tpm,
        struct skrfs_courier *courier, struct skrfs_keyside *ret_keyside, struct skrfs_error *err) {
    skrfs_autobuf ca_pem = SKRFS_BUF((size_t)1024 * 1024);
    struct skrfs_release *release;

    if (read_ca(conf, &ca_pem, err) < 0) {
        skrfs_tpm_close(tpm);
        return -1;
    }
    init(ret_keyside, conf);
    ret_keyside->tpm = tpm;
    if (prepare(ret_keyside, &ca_pem, err) < 0)
        return -1;
    skrfs_keyside_start(ret_keyside, courier);
    if (!ret_keyside->tee)
        *err = ret_keyside->no_tee;
    if (!ret_keyside->tee || skrfs_keyside_release(ret_keyside, &release, err) < 0) {
        skrfs_keyside_done(ret_keyside);
        return -1;
    }
    return 0;
}

int skrfs_keyside_look(
        const struct skrfs_conf *conf, struct skrfs_tee_looks *ret_looks, struct skrfs_error *err) {
    struct skrfs_keyside keyside;
    int result = 0;

    init(&keyside, conf);
    keyside.looks = ret_looks;
    *ret_looks = (struct skrfs_tee_looks){.count = 0};
    if (skrfs_keyside_wants_tpm(conf))
        result = skrfs_tee_event_log(conf->event_log, &keyside.event_log, err);
    if (result == 0)
        find(&keyside);
    if (result == 0 && !keyside.tee) {
        *err = keyside.no_tee;
        result = -1;
    }
    skrfs_keyside_done(&keyside);
    return result;
}

void skrfs_keyside_done(struct skrfs_keyside *keyside) {
    skrfs_release_free(keyside->release);
    skrfs_tee_close(keyside->tee);
    skrfs_tpm_close(keyside->tpm);
    skrfs_close_p(&keyside->tpm_fd);
    skrfs_trust_free(keyside->trust);
    skrfs_buf_done(&keyside->event_log);
    pthread_mutex_destroy(&keyside->lock);
    memset(keyside, 0, sizeof(*keyside));
}
