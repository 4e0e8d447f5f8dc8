#include "lock.h"

#include <fcntl.h>
#include <skrfs/base/cleanup.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static size_t page_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

size_t skrfs_pages_round(size_t size) {
    size_t page = page_size();
    return (size + page - 1) / page * page;
}

/* memfd_secret counts in RLIMIT_MEMLOCK like mlock: what the hard limit allows is meant to be used.
 */
static void raise_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur >= limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_MEMLOCK, &limit);
}

static int fail_locking(struct skrfs_error *err, int errnum, size_t size) {
    struct rlimit limit = {0};
    (void)getrlimit(RLIMIT_MEMLOCK, &limit);
    skrfs_fail_errno(err, errnum,
            "%zu KiB of memory for keys cannot be locked, RLIMIT_MEMLOCK is %llu KiB: raise it "
            "(LimitMEMLOCK= in the unit, ulimit -l in a shell)",
            size / 1024, (unsigned long long)limit.rlim_max / 1024);
    err->kind = SKRFS_CLASS_NO_MEMORY;
    return -1;
}

static int keep_private(uint8_t *pages, size_t size, struct skrfs_error *err) {
    /* Gramine knows neither advice (libos/src/sys/libos_mmap.c), makes no dumps, and its processor
     * keeps the memory from others. */
    bool kept = (!madvise(pages, size, MADV_DONTDUMP) || errno == ENOSYS) &&
                (!madvise(pages, size, MADV_DONTFORK) || errno == ENOSYS);
    if (!kept)
        return skrfs_fail_errno(err, errno, "memory for keys cannot be kept out of core dumps");
    return 0;
}

/* A page is there from now on, or the process dies here and not in the middle of a key. */
static void touch(volatile uint8_t *pages, size_t size) {
    for (size_t at = 0; at < size; at += page_size())
        pages[at] = 0;
}

/* The system call itself: AddressSanitizer turns the function mlock into nothing. */
static int lock_pages(const uint8_t *pages, size_t size) {
    return (int)syscall(SYS_mlock, pages, size);
}

int skrfs_pages_map(size_t size, uint8_t **ret_pages, struct skrfs_error *err) {
    size_t page = page_size();
    raise_limit();
    uint8_t *guarded = mmap(NULL, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guarded == MAP_FAILED)
        return skrfs_fail_errno(err, errno, "%zu octets for keys cannot be mapped", size);
    uint8_t *pages = guarded + page;
    int failed = 0;
    if (mprotect(pages, size, PROT_READ | PROT_WRITE))
        failed = skrfs_fail_errno(err, errno, "%zu octets for keys cannot be mapped", size);
    else if (lock_pages(pages, size))
        failed = fail_locking(err, errno, size);
    else
        failed = keep_private(pages, size, err);
    if (failed) {
        munmap(guarded, size + 2 * page);
        return -1;
    }
    *ret_pages = pages;
    return 0;
}

void skrfs_pages_unmap(uint8_t *pages, size_t size) {
    size_t page = page_size();
    munmap(pages - page, size + 2 * page);
}

int skrfs_pages_map_memfd(
        size_t size, uint8_t **ret_pages, bool *ret_missing, struct skrfs_error *err) {
    *ret_missing = false;
    raise_limit();
    skrfs_autoclose int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    if (fd < 0) {
        /* EPERM: a container runtime's filter that does not know the call. */
        *ret_missing = errno == ENOSYS || errno == EPERM || errno == EINVAL;
        return skrfs_fail_errno(err, errno, "memfd_secret failed");
    }
    if (ftruncate(fd, (off_t)size))
        return skrfs_fail_errno(err, errno, "a memfd_secret cannot have %zu octets", size);
    uint8_t *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (pages == MAP_FAILED)
        return fail_locking(err, errno, size);
    if (keep_private(pages, size, err)) {
        munmap(pages, size);
        return -1;
    }
    touch(pages, size);
    *ret_pages = pages;
    return 0;
}

/* The old pages are not counted as locked while the new ones are made: the limit is for either. */
int skrfs_pages_hide(void *pages, size_t size, struct skrfs_error *err) {
    uint8_t *fresh = NULL;
    bool missing = false;
    (void)syscall(SYS_munlock, pages, size);
    if (skrfs_pages_map_memfd(size, &fresh, &missing, err) == 0) {
        memcpy(fresh, pages, size);
        if (mremap(fresh, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, pages) == pages)
            return 0;
        skrfs_fail_errno(err, errno, "%zu octets for keys cannot be mapped", size);
        munmap(fresh, size);
    }
    if (lock_pages(pages, size))
        return fail_locking(err, errno, size);
    return missing ? 0 : -1;
}
