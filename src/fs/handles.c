#include "internal.h"

#include <skrfs/base/cleanup.h>
#include <sys/random.h>

/* A handle's number is this keeper's random epoch and the slot's index. The kernel keeps numbers
 * across a keeper's death; one of an earlier keeper is recognised and called stale. An empty slot
 * holds the index of the next empty one. */

int handles_init(struct handles *handles, struct skrfs_error *err) {
    if (getrandom(&handles->epoch, sizeof handles->epoch, 0) != (ssize_t)sizeof handles->epoch)
        return skrfs_fail_errno(err, errno, "read random octets");
    int rc = pthread_mutex_init(&handles->lock, NULL);
    return rc ? skrfs_fail_errno(err, rc, "make the handle table's lock") : 0;
}

void handles_done(struct handles *handles) {
    for (size_t i = 0; i < handles->count; i++)
        if (!((uintptr_t)handles->slots[i] & 1))
            handle_unref(handles->slots[i]);
    free(handles->slots);
    (void)pthread_mutex_destroy(&handles->lock);
}

static struct handle *empty(size_t next) {
    return (struct handle *)((uintptr_t)next << 1 | 1); // NOLINT(performance-no-int-to-ptr)
}

static int grow(struct handles *handles) {
    size_t cap = handles->cap ? handles->cap * 2 : 64;
    if (cap > UINT32_MAX)
        return ENFILE;
    struct handle **slots = reallocarray(handles->slots, cap, sizeof(void *));
    if (!slots)
        return ENOMEM;
    handles->slots = slots;
    handles->cap = cap;
    return 0;
}

int handle_add(struct handles *handles, struct handle *handle, uint64_t *ret_fh) {
    int rc = 0;
    size_t index;
    pthread_mutex_lock(&handles->lock);
    if (handles->first_free < handles->count) {
        index = handles->first_free;
        handles->first_free = (uintptr_t)handles->slots[index] >> 1;
    } else {
        if (handles->count == handles->cap)
            rc = grow(handles);
        index = handles->count;
        handles->count += rc == 0;
        handles->first_free = handles->count;
    }
    if (rc == 0) {
        handles->slots[index] = handle;
        *ret_fh = (uint64_t)handles->epoch << 32 | index;
    }
    pthread_mutex_unlock(&handles->lock);
    return rc;
}

static struct handle *locked_get(struct handles *handles, uint64_t fh) {
    size_t index = fh & UINT32_MAX;
    if (fh >> 32 != handles->epoch || index >= handles->count)
        return NULL;
    return (uintptr_t)handles->slots[index] & 1 ? NULL : handles->slots[index];
}

struct handle *handle_get(struct handles *handles, uint64_t fh) {
    pthread_mutex_lock(&handles->lock);
    struct handle *handle = locked_get(handles, fh);
    if (handle)
        atomic_fetch_add(&handle->refs, 1);
    pthread_mutex_unlock(&handles->lock);
    return handle;
}

struct handle *handle_take(struct handles *handles, uint64_t fh) {
    pthread_mutex_lock(&handles->lock);
    struct handle *handle = locked_get(handles, fh);
    if (handle) {
        size_t index = fh & UINT32_MAX;
        handles->slots[index] = empty(handles->first_free);
        handles->first_free = index;
    }
    pthread_mutex_unlock(&handles->lock);
    return handle;
}

struct handle *handle_new(const struct node *node) {
    struct handle *handle = calloc(1, sizeof *handle);
    if (handle) {
        atomic_init(&handle->refs, 1);
        handle->node = *node;
    }
    return handle;
}

void handle_unref(struct handle *handle) {
    if (!handle || atomic_fetch_sub(&handle->refs, 1) != 1)
        return;
    skrfs_generation_unref(handle->generation);
    skrfs_buf_done(&handle->text);
    free(handle);
}
