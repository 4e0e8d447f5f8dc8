/* Digests of executables. A digest is kept by all that changes with a file's contents; a long
 * file's is made in pieces, between questions. */
#include "internal.h"

#include <fcntl.h>
#include <linux/fsverity.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <skrfs/crypto/hash.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U /* Linux 5.8 */
#endif
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000U /* Linux 6.8: never given to another mount */
#endif

#define PIECE ((size_t)256 * 1024)
/* How long one question may read, well below the patience of who asks. */
#define BUDGET_NS (500 * SKRFS_MILLISECOND_NS)
/* A file that was changed so shortly before may change again with the same time on it: of the
 * coarsest times that file systems keep (FAT: two seconds). */
#define SETTLED_S 3
#define VERITY_DIGEST_MAX 64

int caller_digests_init(struct caller_digests *digests, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_hasher_free_p) struct skrfs_hasher *hasher = NULL;
    memset(digests, 0, sizeof *digests);
    for (size_t i = 0; i < CALLER_PARTIALS; i++)
        digests->partials[i].fd = -1;
    digests->piece = malloc(PIECE);
    if (!digests->piece)
        return skrfs_fail_memory(err);
    /* OpenSSL reads its configuration at its first use: now, before a sandbox closes. */
    return skrfs_hasher_new(SKRFS_SHA256, &hasher, err);
}

static void partial_end(struct caller_partial *partial) {
    skrfs_close_p(&partial->fd);
    skrfs_hasher_free(partial->hasher);
    *partial = (struct caller_partial){.fd = -1};
}

void caller_digests_done(struct caller_digests *digests) {
    for (size_t i = 0; i < CALLER_PARTIALS; i++)
        partial_end(&digests->partials[i]);
    free(digests->piece);
    digests->piece = NULL;
}

static int file_of(int fd, struct caller_file *ret_file, mode_t *ret_mode, bool *ret_unique) {
    struct statx stat, mount;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &stat))
        return -1;
    *ret_unique = statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID_UNIQUE, &mount) == 0 &&
                  mount.stx_mask & STATX_MNT_ID_UNIQUE;
    *ret_mode = stat.stx_mode;
    *ret_file = (struct caller_file){
            .dev = (uint64_t)stat.stx_dev_major << 32 | stat.stx_dev_minor,
            .ino = stat.stx_ino,
            .mount = *ret_unique ? mount.stx_mnt_id : stat.stx_mnt_id,
            .size = stat.stx_size,
            .mtime_s = stat.stx_mtime.tv_sec,
            .ctime_s = stat.stx_ctime.tv_sec,
            .mtime_ns = stat.stx_mtime.tv_nsec,
            .ctime_ns = stat.stx_ctime.tv_nsec,
    };
    return 0;
}

static bool same_file(const struct caller_file *a, const struct caller_file *b) {
    return a->dev == b->dev && a->ino == b->ino && a->mount == b->mount && a->size == b->size &&
           a->mtime_s == b->mtime_s && a->mtime_ns == b->mtime_ns && a->ctime_s == b->ctime_s &&
           a->ctime_ns == b->ctime_ns;
}

static bool find_done(
        struct caller_digests *digests, const struct caller_file *file, uint8_t out[32]) {
    for (size_t i = 0; i < CALLER_DIGESTS; i++) {
        struct caller_digest *digest = &digests->done[i];
        if (!digest->used || !same_file(&digest->file, file))
            continue;
        digest->used = ++digests->clock;
        memcpy(out, digest->sha256, sizeof digest->sha256);
        return true;
    }
    return false;
}

/* The one that was not asked for the longest time makes room. */
static void keep(
        struct caller_digests *digests, const struct caller_file *file, const uint8_t sha256[32]) {
    struct caller_digest *oldest = &digests->done[0];
    for (size_t i = 1; i < CALLER_DIGESTS; i++)
        if (digests->done[i].used < oldest->used)
            oldest = &digests->done[i];
    oldest->used = ++digests->clock;
    oldest->file = *file;
    memcpy(oldest->sha256, sha256, sizeof oldest->sha256);
}

enum progress { FAILED, MORE, MADE };

/* The file must be at the end what it was at the beginning. */
static enum progress finish(
        struct caller_digests *digests, struct caller_partial *partial, uint8_t out[32]) {
    struct caller_file now;
    struct skrfs_error err;
    mode_t mode;
    bool unique;
    if (skrfs_hasher_end(partial->hasher, out, &err) ||
            file_of(partial->fd, &now, &mode, &unique) || !same_file(&now, &partial->file))
        return FAILED;
    if (now.ctime_s + SETTLED_S < skrfs_wall_s())
        keep(digests, &now, out);
    return MADE;
}

/* Reads one piece. MADE and FAILED end it. */
static enum progress advance(
        struct caller_digests *digests, struct caller_partial *partial, uint8_t out[32]) {
    struct skrfs_error err;
    ssize_t len;
    do
        len = read(partial->fd, digests->piece, PIECE);
    while (len < 0 && errno == EINTR);
    enum progress progress = MORE;
    if (len < 0 ||
            (len > 0 && skrfs_hasher_add(partial->hasher, digests->piece, (size_t)len, &err)))
        progress = FAILED;
    else if (len == 0)
        progress = finish(digests, partial, out);
    if (progress != MORE)
        partial_end(partial);
    return progress;
}

bool caller_digests_work(struct caller_digests *digests) {
    uint8_t ignored[32];
    for (size_t i = 0; i < CALLER_PARTIALS; i++) {
        if (digests->partials[i].fd < 0)
            continue;
        (void)advance(digests, &digests->partials[i], ignored);
        return true;
    }
    return false;
}

/* The one that was begun of this file, or a new one; NULL: no room. */
static struct caller_partial *partial_of(
        struct caller_digests *digests, int *fd, const struct caller_file *file) {
    struct caller_partial *free_one = NULL;
    struct skrfs_error err;
    for (size_t i = 0; i < CALLER_PARTIALS; i++) {
        struct caller_partial *partial = &digests->partials[i];
        if (partial->fd < 0)
            free_one = partial;
        else if (same_file(&partial->file, file))
            return partial;
    }
    if (!free_one || skrfs_hasher_new(SKRFS_SHA256, &free_one->hasher, &err))
        return NULL;
    free_one->fd = skrfs_take_fd(fd);
    free_one->file = *file;
    return free_one;
}

static bool make(struct caller_digests *digests, int *fd, const struct caller_file *file,
        struct skrfs_caller *caller) {
    uint64_t deadline = digests->patient ? SKRFS_NEVER_NS : skrfs_now_ns() + BUDGET_NS;
    enum progress progress = MORE;
    struct caller_partial *partial = partial_of(digests, fd, file);
    if (!partial) {
        caller_lack(caller, "too many other executables' digests are being made; ask again");
        return false;
    }
    while (progress == MORE && skrfs_now_ns() < deadline)
        progress = advance(digests, partial, caller->sha256);
    if (progress == MORE)
        caller_lack(caller, "the digest of its executable is still being made; ask again");
    else if (progress == FAILED)
        caller_lack(caller, "its executable cannot be read, or changes");
    return progress == MADE;
}

/* Linux, Documentation/filesystems/fsverity.rst, FS_IOC_MEASURE_VERITY. */
bool caller_verity(int fd, char out[SKRFS_VERITY_MAX]) {
    union {
        struct fsverity_digest head;
        uint8_t room[sizeof(struct fsverity_digest) + VERITY_DIGEST_MAX];
    } answer = {.head = {.digest_size = VERITY_DIGEST_MAX}};
    char hex[2 * VERITY_DIGEST_MAX + 1];
    if (ioctl(fd, FS_IOC_MEASURE_VERITY, &answer.head))
        return false;
    unsigned algorithm = answer.head.digest_algorithm, size = answer.head.digest_size;
    if (!(algorithm == FS_VERITY_HASH_ALG_SHA256 && size == 32) &&
            !(algorithm == FS_VERITY_HASH_ALG_SHA512 && size == 64))
        return false;
    skrfs_hex_encode(answer.room + sizeof(struct fsverity_digest), size, hex);
    (void)snprintf(out, SKRFS_VERITY_MAX, "sha%u:%s", size * 8, hex);
    return true;
}

/* A mount's number may be given to another once it is gone: then nothing is sure any more. */
static void forget_if_mounts_changed(
        struct caller_digests *digests, bool unique, uint64_t mount_readings) {
    if (!unique && digests->mount_readings != mount_readings)
        memset(digests->done, 0, sizeof digests->done);
    digests->mount_readings = mount_readings;
}

void caller_digests_fill(struct caller_digests *digests, int fd, unsigned facts,
        uint64_t mount_readings, struct skrfs_caller *caller) {
    skrfs_autoclose int own = fd;
    struct caller_file file;
    mode_t mode;
    bool unique;
    if (file_of(own, &file, &mode, &unique) || !S_ISREG(mode)) {
        caller_lack(caller, "its executable is no file that can be read");
        return;
    }
    forget_if_mounts_changed(digests, unique, mount_readings);
    if (facts & SKRFS_FACT_VERITY && caller_verity(own, caller->verity))
        caller->known |= SKRFS_FACT_VERITY;
    else if (facts & SKRFS_FACT_VERITY)
        caller_lack(caller, "its executable has no fs-verity digest");
    if (!(facts & SKRFS_FACT_SHA256))
        return;
    if (file.size > SKRFS_EXE_MAX)
        caller_lack(caller, "its executable is longer than %llu octets",
                (unsigned long long)SKRFS_EXE_MAX);
    else if (find_done(digests, &file, caller->sha256) || make(digests, &own, &file, caller))
        caller->known |= SKRFS_FACT_SHA256;
}
