#include <skrfs/courier/courier.h>

struct direct {
    struct skrfs_courier base;
    struct skrfs_cloud *cloud;
};

static struct skrfs_cloud *cloud_of(struct skrfs_courier *courier) {
    return ((struct direct *)courier)->cloud;
}

static int direct_attest(struct skrfs_courier *courier, const struct skrfs_evidence *evidence,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_sealed_token *ret_sealed,
        struct skrfs_error *err) {
    return skrfs_cloud_attest(cloud_of(courier), evidence, deadline_ns, trace, ret_sealed, err);
}

static int direct_inspect(struct skrfs_courier *courier, struct skrfs_bytes token,
        uint64_t deadline_ns, struct skrfs_token_info *ret_info, struct skrfs_error *err) {
    (void)courier;
    (void)deadline_ns;
    return skrfs_token_inspect(token, ret_info, err);
}

static int direct_release(struct skrfs_courier *courier, const struct skrfs_release_ask *ask,
        uint64_t deadline_ns, struct skrfs_trace *trace, struct skrfs_buf *ret_jws,
        struct skrfs_error *err) {
    return skrfs_cloud_release(cloud_of(courier), ask, deadline_ns, trace, ret_jws, err);
}

static int direct_key_show(struct skrfs_courier *courier, size_t vault, const char *name,
        const char *version, uint64_t deadline_ns, struct skrfs_vault_key *ret_key,
        struct skrfs_error *err) {
    return skrfs_cloud_key_show(cloud_of(courier), vault, name, version, deadline_ns, ret_key, err);
}

static void direct_tend(struct skrfs_courier *courier) {
    skrfs_cloud_tend(cloud_of(courier));
}

static void direct_close(struct skrfs_courier *courier) {
    free(courier);
}

int skrfs_courier_direct(
        struct skrfs_cloud *cloud, struct skrfs_courier **ret_courier, struct skrfs_error *err) {
    static const struct skrfs_courier_ops ops = {
            .attest = direct_attest,
            .inspect = direct_inspect,
            .release = direct_release,
            .key_show = direct_key_show,
            .close = direct_close,
            .tend = direct_tend,
    };
    struct direct *direct = calloc(1, sizeof(*direct));
    if (!direct)
        return skrfs_fail_memory(err);
    direct->base.ops = &ops;
    direct->cloud = cloud;
    *ret_courier = &direct->base;
    return 0;
}

void skrfs_courier_close(struct skrfs_courier *courier) {
    if (courier)
        courier->ops->close(courier);
}
