#include <skrfs/base/secret.h>

#include "lock.h"

#include <string.h>

struct skrfs_stage {
    uint8_t *pages;
    size_t mapped;
    size_t size;
    size_t used; /* octets of the last fill that are not wiped yet */
};

/* Ordinary locked pages: the FUSE device takes no reply from memfd_secret (EFAULT). */
int skrfs_stage_new(size_t size, struct skrfs_stage **ret_stage, struct skrfs_error *err) {
    if (size < 1 || size > SKRFS_SECRET_MAX)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "a stage of %zu octets", size);
    skrfs_autofree struct skrfs_stage *stage = calloc(1, sizeof(*stage));
    if (!stage)
        return skrfs_fail_memory(err);
    stage->size = size;
    stage->mapped = skrfs_pages_round(size);
    if (skrfs_pages_map(stage->mapped, &stage->pages, err))
        return -1;
    *ret_stage = skrfs_take(stage);
    return 0;
}

void skrfs_stage_free(struct skrfs_stage *stage) {
    if (!stage)
        return;
    skrfs_wipe(stage->pages, stage->size);
    skrfs_pages_unmap(stage->pages, stage->mapped);
    free(stage);
}

const uint8_t *skrfs_stage_fill(struct skrfs_stage *stage, const struct skrfs_secret *secret,
        uint64_t offset, size_t len, size_t *ret_len) {
    size_t have = skrfs_secret_len(secret);
    size_t left = offset < have ? have - (size_t)offset : 0;
    size_t copied = len < left ? len : left;
    copied = copied < stage->size ? copied : stage->size;
    skrfs_stage_wipe(stage);
    if (copied)
        memcpy(stage->pages, skrfs_secret_data(secret) + offset, copied);
    stage->used = copied;
    *ret_len = copied;
    return stage->pages;
}

void skrfs_stage_wipe(struct skrfs_stage *stage) {
    skrfs_wipe(stage->pages, stage->used); /* and the registers through which it was filled */
    stage->used = 0;
}
