/* A SEV-SNP guest that asks for its reports itself: a confidential container, or a VM without a
 * paravisor. */
#include "internal.h"

#include <skrfs/evidence/snp.h>
#include <string.h>

static int inspect(
        struct skrfs_bytes report, struct skrfs_inspected *ret, struct skrfs_error *err) {
    struct skrfs_snp snp;
    if (skrfs_snp_parse(report, &snp, err) < 0)
        return -1;
    *ret = (struct skrfs_inspected){.debug = snp.debug, .len = report.len, .has_init_digest = true};
    memcpy(ret->report_data, snp.report_data, sizeof(ret->report_data));
    memcpy(ret->init_digest, snp.host_data, sizeof(ret->init_digest));
    return 0;
}

static const struct skrfs_tee_ops snp_ops = {
        .name = "snp",
        .collect = skrfs_direct_collect,
        .open_token = skrfs_direct_open_token,
        .unwrap = skrfs_direct_unwrap,
        .close = skrfs_direct_close,
};

static bool is_legacy(const char *path) {
    const char *name = strrchr(path, '/');
    return strcmp(name ? name + 1 : path, "sev") == 0;
}

/* All ways are the same hardware's word: one that does not work leaves the next. When none does,
 * what is more than "not there" is what to tell. */
static int try_source(struct skrfs_direct *direct, int opened, struct skrfs_source *source,
        struct skrfs_error *err, const struct skrfs_error *failed) {
    struct skrfs_error before = *err;
    if (opened == 0)
        skrfs_direct_add(direct, source);
    else if (before.kind == SKRFS_CLASS_NO_TEE && failed->kind != SKRFS_CLASS_NO_TEE)
        *err = *failed;
    else if (before.kind == SKRFS_CLASS_NO_TEE)
        skrfs_fail(err, SKRFS_CLASS_NO_TEE, "%s%s%s", before.message, *before.message ? "; " : "",
                failed->message);
    return opened;
}

static int open_device(const struct skrfs_tee_options *options, const char *path,
        struct skrfs_direct *direct, struct skrfs_error *err) {
    struct skrfs_source *source = NULL;
    struct skrfs_error failed;
    int opened = is_legacy(path) ? skrfs_sev_legacy_open(options, path, &source, &failed)
                                 : skrfs_sev_guest_open(options, path, &source, &failed);
    return try_source(direct, opened, source, err, &failed);
}

/* A kernel has one of the two devices, and a host's own is never asked once the guest's is there.
 */
static int open_devices(const struct skrfs_tee_options *options, struct skrfs_direct *direct,
        struct skrfs_error *err) {
    if (options->device)
        return open_device(options, options->device, direct, err);
    if (open_device(options, "/dev/sev-guest", direct, err) == 0)
        return 0;
    return direct->source_count > 0 ? -1 : open_device(options, "/dev/sev", direct, err);
}

static int open_sources(const struct skrfs_tee_options *options, struct skrfs_direct *direct,
        struct skrfs_error *err) {
    struct skrfs_source *source = NULL;
    struct skrfs_error why = {.kind = SKRFS_CLASS_NO_TEE}, failed;
    int opened = skrfs_tsm_open(options, "sev_guest", &source, &failed);
    (void)try_source(direct, opened, source, &why, &failed);
    (void)open_devices(options, direct, &why);
    if (direct->source_count > 0)
        return 0;
    *err = why;
    return skrfs_wrap(err, why.kind == SKRFS_CLASS_NO_TEE ? "this machine is no SEV-SNP guest"
                                                          : "an SEV-SNP guest's report");
}

static bool is_device(const struct skrfs_source *source) {
    return source->ioctl_count > 0;
}

int skrfs_snp_open(const struct skrfs_tee_options *options, struct skrfs_tee **ret_tee,
        struct skrfs_error *err) {
    struct skrfs_direct *direct;
    if (skrfs_direct_new(&snp_ops, SKRFS_EVIDENCE_SNP, inspect, options, &direct, err) < 0)
        return -1;
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = &direct->base;
    if (open_sources(options, direct, err) < 0 || skrfs_direct_files(direct, options, err) < 0 ||
            skrfs_context_read(options, "", direct, err) < 0)
        return -1;
    skrfs_tee_chosen(options, "snp: a report over the wrapping key comes from %s",
            is_device(direct->sources[0]) && options->device ? options->device
                                                             : direct->sources[0]->ops->name);
    *ret_tee = skrfs_take(tee);
    return 0;
}
