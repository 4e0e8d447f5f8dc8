/* How checks of evidence refuse. */
#ifndef SKRFS_LAB_REFUSE_H
#define SKRFS_LAB_REFUSE_H

#include <skrfs/base/error.h>

/* Fails with REJECTED; returns -1. */
#define skrfs_lab_rejected(err, ...) skrfs_fail((err), SKRFS_CLASS_REJECTED, __VA_ARGS__)

/* What a parser or a signature check found wrong is a refusal here; a lack of memory stays one. */
static inline int skrfs_lab_refuse_as(struct skrfs_error *err, const char *what) {
    if (err->kind != SKRFS_CLASS_NO_MEMORY)
        err->kind = SKRFS_CLASS_REJECTED;
    return skrfs_wrap(err, "%s", what);
}

#endif
