/* An SGX enclave under Gramine: the whole of skrfs is inside it. */
#include "internal.h"

#include <skrfs/evidence/sgx.h>
#include <string.h>

static int inspect(
        struct skrfs_bytes report, struct skrfs_inspected *ret, struct skrfs_error *err) {
    struct skrfs_sgx_quote quote;
    if (skrfs_sgx_quote_parse(report, &quote, err) < 0)
        return -1;
    *ret = (struct skrfs_inspected){.debug = quote.debug, .len = quote.total_len};
    memcpy(ret->report_data, quote.report_data, sizeof(ret->report_data));
    return 0;
}

static const struct skrfs_tee_ops sgx_ops = {
        .name = "sgx",
        .collect = skrfs_direct_collect,
        .open_token = skrfs_direct_open_token,
        .unwrap = skrfs_direct_unwrap,
        .close = skrfs_direct_close,
};

int skrfs_sgx_open(const struct skrfs_tee_options *options, struct skrfs_tee **ret_tee,
        struct skrfs_error *err) {
    struct skrfs_source *source;
    struct skrfs_direct *direct;
    if (skrfs_gramine_open(options, &source, err) < 0)
        return skrfs_wrap(err,
                err->kind == SKRFS_CLASS_NO_TEE ? "this is no SGX enclave" : "this SGX enclave");
    if (skrfs_direct_new(&sgx_ops, SKRFS_EVIDENCE_SGX, inspect, options, &direct, err) < 0) {
        source->ops->close(source);
        return -1;
    }
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = &direct->base;
    skrfs_direct_add(direct, source);
    if (skrfs_direct_files(direct, options, err) < 0)
        return -1;
    skrfs_tee_chosen(options, "sgx: a quote over the wrapping key comes from Gramine");
    *ret_tee = skrfs_take(tee);
    return 0;
}
