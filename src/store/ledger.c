#include <skrfs/store/ledger.h>

#include <skrfs/base/clock.h>
#include <skrfs/base/shared.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define DIGEST_LEN 64

/* Of the layout below: a process of another version must not read it. */
#define LAYOUT UINT64_C(0x736b7266734c0001)

struct line {
    _Atomic uint64_t used;
    _Atomic uint64_t begun_ns;
    _Atomic int64_t gone_s;
    _Atomic uint32_t gone_by; /* of enum skrfs_gone; written last */
};

struct skrfs_ledger {
    uint64_t layout;
    size_t size; /* mapped */
    char digest[DIGEST_LEN];
    struct line lines[];
};

static size_t size_for(size_t key_count) {
    return sizeof(struct skrfs_ledger) + key_count * sizeof(struct line);
}

static int map(int fd, size_t size, struct skrfs_ledger **ret_ledger, struct skrfs_error *err) {
    void *memory;
    if (skrfs_shared_map(fd, size, &memory, err))
        return skrfs_wrap(err, "the ledger of the keys' limits");
    *ret_ledger = memory;
    return 0;
}

int skrfs_ledger_create(
        size_t key_count, const char *digest, int *ret_fd, struct skrfs_error *err) {
    struct skrfs_ledger *ledger;
    skrfs_autoclose int fd = -1;
    size_t size = size_for(key_count);
    if (skrfs_shared_create("skrfs-ledger", size, &fd, err) || map(fd, size, &ledger, err))
        return -1;
    ledger->layout = LAYOUT;
    ledger->size = size;
    memcpy(ledger->digest, digest, strnlen(digest, DIGEST_LEN));
    for (size_t i = 0; i < key_count; i++)
        skrfs_ledger_renew(ledger, i);
    skrfs_ledger_free(ledger);
    *ret_fd = skrfs_take_fd(&fd);
    return 0;
}

int skrfs_ledger_open(int fd, size_t key_count, const char *digest,
        struct skrfs_ledger **ret_ledger, struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_ledger_free_p) struct skrfs_ledger *ledger = NULL;
    size_t size = size_for(key_count);
    if (map(fd, size, &ledger, err))
        return -1;
    if (ledger->layout != LAYOUT || ledger->size != size ||
            strncmp(ledger->digest, digest, DIGEST_LEN) != 0)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "the ledger of the keys' limits is another configuration's or version's");
    *ret_ledger = skrfs_take(ledger);
    return 0;
}

int skrfs_ledger_new(size_t key_count, struct skrfs_ledger **ret_ledger, struct skrfs_error *err) {
    skrfs_autoclose int fd = -1;
    return skrfs_ledger_create(key_count, "", &fd, err) ||
                           skrfs_ledger_open(fd, key_count, "", ret_ledger, err)
                   ? -1
                   : 0;
}

void skrfs_ledger_free(struct skrfs_ledger *ledger) {
    if (ledger)
        (void)munmap(ledger, ledger->size);
}

uint64_t skrfs_ledger_used(const struct skrfs_ledger *ledger, size_t key) {
    return atomic_load(&ledger->lines[key].used);
}

void skrfs_ledger_set_used(struct skrfs_ledger *ledger, size_t key, uint64_t used) {
    atomic_store(&ledger->lines[key].used, used);
}

uint64_t skrfs_ledger_begun_ns(const struct skrfs_ledger *ledger, size_t key) {
    return atomic_load(&ledger->lines[key].begun_ns);
}

enum skrfs_gone skrfs_ledger_gone(
        const struct skrfs_ledger *ledger, size_t key, int64_t *ret_wall_s) {
    enum skrfs_gone by = (enum skrfs_gone)atomic_load(&ledger->lines[key].gone_by);
    *ret_wall_s = by == SKRFS_GONE_NOT ? 0 : atomic_load(&ledger->lines[key].gone_s);
    return by;
}

void skrfs_ledger_set_gone(
        struct skrfs_ledger *ledger, size_t key, enum skrfs_gone by, int64_t wall_s) {
    atomic_store(&ledger->lines[key].gone_s, wall_s);
    atomic_store(&ledger->lines[key].gone_by, by);
}

void skrfs_ledger_renew(struct skrfs_ledger *ledger, size_t key) {
    struct line *line = &ledger->lines[key];
    atomic_store(&line->used, 0);
    atomic_store(&line->begun_ns, skrfs_now_ns());
    atomic_store(&line->gone_by, SKRFS_GONE_NOT);
}
