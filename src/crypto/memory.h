/* OpenSSL's memory. Private to this room. */
#ifndef SKRFS_SRC_CRYPTO_MEMORY_H
#define SKRFS_SRC_CRYPTO_MEMORY_H

#include <skrfs/base/cleanup.h>
#include <stdbool.h>
#include <stdint.h>

/* Makes OpenSSL allocate here; false when it has allocated elsewhere already. */
bool memory_hook(void);
/* The secure heap, once it is made and well. */
void memory_use(uint8_t *base, size_t size);
/* In a child, after fork. */
void memory_forget_others(void);

/* Work with a private key: from its declaration to the end of the scope all that OpenSSL allocates
 * in this thread comes from the secure heap. May be nested; waits while too many threads are at it.
 */
struct private_work {
    bool entered;
};
struct private_work memory_enter(void);
void memory_leave(struct private_work *work);
#define PRIVATE_WORK                                                                               \
    SKRFS_CLEANUP(memory_leave) struct private_work private_work = memory_enter();                 \
    (void)private_work

/* Whether OpenSSL got no memory in this thread since this was last asked. */
bool memory_starved(void);

#endif
