#include <skrfs/base/shared.h>

#include <fcntl.h>
#include <skrfs/base/cleanup.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Linux 6.3: include/uapi/linux/memfd.h. */
#define NOEXEC_SEAL 0x0008U
#define SIZE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

int skrfs_shared_create(const char *name, size_t size, int *ret_fd, struct skrfs_error *err) {
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    skrfs_autoclose int fd = memfd_create(name, flags | NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, flags);
    if (fd < 0 || ftruncate(fd, (off_t)size) || fcntl(fd, F_ADD_SEALS, SIZE_SEALS))
        return skrfs_fail_errno(err, errno, "make %zu octets of shared memory", size);
    *ret_fd = skrfs_take_fd(&fd);
    return 0;
}

int skrfs_shared_map(int fd, size_t size, void **ret_memory, struct skrfs_error *err) {
    struct stat attr;
    if (fstat(fd, &attr))
        return skrfs_fail_errno(err, errno, "look at shared memory");
    if (!S_ISREG(attr.st_mode) || attr.st_size != (off_t)size ||
            (fcntl(fd, F_GET_SEALS) & SIZE_SEALS) != SIZE_SEALS)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "shared memory of %zu octets is wanted, and this is something else", size);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return skrfs_fail_errno(err, errno, "map %zu octets of shared memory", size);
    *ret_memory = memory;
    return 0;
}
