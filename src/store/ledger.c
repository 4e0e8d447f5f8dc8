#include <skrfs/store/ledger.h>

#include <skrfs/base/clock.h>
#include <stdatomic.h>
#include <sys/mman.h>

struct line {
    _Atomic uint64_t used;
    _Atomic uint64_t begun_ns;
    _Atomic int64_t gone_s;
    _Atomic uint32_t gone_by; /* of enum skrfs_gone; written last */
};

struct skrfs_ledger {
    size_t size; /* mapped */
    struct line lines[];
};

int skrfs_ledger_new(size_t key_count, struct skrfs_ledger **ret_ledger, struct skrfs_error *err) {
    size_t size = sizeof(struct skrfs_ledger) + key_count * sizeof(struct line);
    struct skrfs_ledger *ledger =
            mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ledger == MAP_FAILED)
        return skrfs_fail_errno(err, errno, "map the ledger of the keys' limits");
    ledger->size = size;
    for (size_t i = 0; i < key_count; i++)
        skrfs_ledger_renew(ledger, i);
    *ret_ledger = ledger;
    return 0;
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
