#include "internal.h"

#include <skrfs/base/cleanup.h>
#include <string.h>
#include <sys/random.h>

/* Inodes of versions/<file>/<version>, which nobody can list in advance: a table of bounded size. A
 * number is a serial and the slot's index; serials start at random, so that those of an earlier
 * keeper are unknown here, and are never used twice, so that an old number cannot come to mean
 * another file. */

#define SERIAL_BITS (52 - FS_VERSIONS_BITS)
#define SERIAL_MASK ((UINT64_C(1) << SERIAL_BITS) - 1)

int versions_init(struct skrfs_fs *fs, struct skrfs_error *err) {
    if (getrandom(&fs->version_serial, sizeof fs->version_serial, 0) !=
            (ssize_t)sizeof fs->version_serial)
        return skrfs_fail_errno(err, errno, "read random octets");
    fs->versions = calloc(FS_VERSIONS, sizeof *fs->versions);
    return fs->versions ? 0 : skrfs_fail_memory(err);
}

/* Version names of Key Vault and Managed HSM are 32 hexadecimal digits. */
bool version_is_well_formed(const char *name) {
    size_t len = strspn(name, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return len && !name[len] && len < SKRFS_STORE_VERSION_MAX;
}

static struct version_slot *pick(struct skrfs_fs *fs, size_t key, const char *version) {
    struct version_slot *oldest = &fs->versions[0];
    for (size_t i = 0; i < FS_VERSIONS; i++) {
        struct version_slot *slot = &fs->versions[i];
        if (slot->serial && slot->key == key && !strcmp(slot->version, version))
            return slot;
        if (slot->used < oldest->used)
            oldest = slot;
    }
    fs->version_serial = (fs->version_serial + 1) & SERIAL_MASK;
    if (!fs->version_serial)
        fs->version_serial = 1;
    oldest->serial = fs->version_serial;
    oldest->key = key;
    memcpy(oldest->version, version, strlen(version) + 1);
    return oldest;
}

uint64_t versions_get(struct skrfs_fs *fs, size_t key, const char *version) {
    pthread_mutex_lock(&fs->lock);
    struct version_slot *slot = pick(fs, key, version);
    slot->used = ++fs->version_clock;
    uint64_t id = slot->serial << FS_VERSIONS_BITS | (uint64_t)(slot - fs->versions);
    pthread_mutex_unlock(&fs->lock);
    return id;
}

bool versions_find(struct skrfs_fs *fs, uint64_t id, struct node *node) {
    pthread_mutex_lock(&fs->lock);
    struct version_slot *slot = &fs->versions[id & (FS_VERSIONS - 1)];
    bool found = slot->serial && slot->serial == id >> FS_VERSIONS_BITS;
    if (found) {
        slot->used = ++fs->version_clock;
        node->key = slot->key;
        memcpy(node->version, slot->version, sizeof node->version);
    }
    pthread_mutex_unlock(&fs->lock);
    return found;
}

bool versions_ino(struct skrfs_fs *fs, size_t index, size_t key, fuse_ino_t *ret_ino) {
    pthread_mutex_lock(&fs->lock);
    const struct version_slot *slot = &fs->versions[index];
    bool found = slot->serial && (key == SIZE_MAX || slot->key == key);
    uint64_t id = slot->serial << FS_VERSIONS_BITS | (uint64_t)index;
    pthread_mutex_unlock(&fs->lock);
    if (found)
        *ret_ino = id << 8 | NODE_INO_KIND(NODE_VERSION);
    return found;
}
