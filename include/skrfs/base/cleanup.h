/* Scope owns: variables that release what they hold when they go out of scope, and an explicit
 * move.
 *
 *     skrfs_autofree char *text = NULL;
 *     skrfs_autoclose int fd = -1;
 *     ...
 *     *ret_fd = skrfs_take_fd(&fd);      moving out leaves the variable empty
 */
#ifndef SKRFS_BASE_CLEANUP_H
#define SKRFS_BASE_CLEANUP_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define SKRFS_CLEANUP(function) __attribute__((cleanup(function)))

/* Declares `function_p`, the scope-exit form of a release function that takes `type *` and a NULL.
 */
#define SKRFS_DEFINE_CLEANUP(type, function)                                                       \
    static inline void function##_p(type **pointer) {                                              \
        if (*pointer)                                                                              \
            function(*pointer);                                                                    \
    }

static inline void skrfs_free_p(void *pointer) {
    free(*(void **)pointer);
}

static inline void skrfs_close_p(const int *fd) {
    int saved = errno;
    if (*fd >= 0)
        close(*fd);
    errno = saved;
}

#define skrfs_autofree SKRFS_CLEANUP(skrfs_free_p)
#define skrfs_autoclose SKRFS_CLEANUP(skrfs_close_p)

/* Moves a pointer out of an owning variable. */
#define skrfs_take(pointer)                                                                        \
    __extension__({                                                                                \
        __typeof__(pointer) skrfs_taken_ = (pointer);                                              \
        (pointer) = NULL;                                                                          \
        skrfs_taken_;                                                                              \
    })

/* Moves a descriptor out of an owning variable. */
static inline int skrfs_take_fd(int *fd) {
    int taken = *fd;
    *fd = -1;
    return taken;
}

#define SKRFS_ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

#endif
