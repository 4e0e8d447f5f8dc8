/* A TD that owns its report data. (An Azure confidential VM on TDX does not: azure_cvm.c.) */
#include "internal.h"

#include <skrfs/evidence/tdx.h>
#include <string.h>

#define ATTRIBUTE_DEBUG 1U
#define DEVICE "/dev/tdx_guest"

static int inspect(
        struct skrfs_bytes report, struct skrfs_inspected *ret, struct skrfs_error *err) {
    struct skrfs_td_quote quote;
    if (skrfs_td_quote_parse(report, &quote, err) < 0)
        return -1;
    *ret = (struct skrfs_inspected){
            .debug = quote.attributes & ATTRIBUTE_DEBUG, .len = quote.total_len};
    memcpy(ret->report_data, quote.report_data, sizeof(ret->report_data));
    return 0;
}

static const struct skrfs_tee_ops tdx_ops = {
        .name = "tdx",
        .collect = skrfs_direct_collect,
        .open_token = skrfs_direct_open_token,
        .unwrap = skrfs_direct_unwrap,
        .close = skrfs_direct_close,
};

/* The device makes reports that no other machine can check; quotes come from configfs-tsm alone. */
static int open_source(const struct skrfs_tee_options *options, struct skrfs_source **ret_source,
        struct skrfs_error *err) {
    if (skrfs_tsm_open(options, "tdx_guest", ret_source, err) == 0)
        return 0;
    if (err->kind != SKRFS_CLASS_NO_TEE)
        return skrfs_wrap(err, "this TD");
    if (access(DEVICE, F_OK) < 0) {
        skrfs_tee_look(options, DEVICE, false, "not there");
        return skrfs_wrap(err, "this machine is no TD");
    }
    skrfs_tee_look(options, DEVICE, true, "a TD's device, which gives no quotes");
    err->kind = SKRFS_CLASS_CONFIG;
    return skrfs_wrap(err,
            "this TD (" DEVICE " is there) has no quotes: mount configfs, on Linux 6.7 or later");
}

int skrfs_tdx_open(const struct skrfs_tee_options *options, struct skrfs_tee **ret_tee,
        struct skrfs_error *err) {
    struct skrfs_source *source;
    struct skrfs_direct *direct;
    if (skrfs_direct_new(&tdx_ops, SKRFS_EVIDENCE_TDX, inspect, options, &direct, err) < 0)
        return -1;
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = &direct->base;
    if (open_source(options, &source, err) < 0)
        return -1;
    skrfs_direct_add(direct, source);
    if (skrfs_direct_files(direct, options, err) < 0)
        return -1;
    skrfs_tee_chosen(options, "tdx: a quote over the wrapping key comes from configfs-tsm");
    *ret_tee = skrfs_take(tee);
    return 0;
}
