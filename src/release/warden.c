#include "internal.h"

#include <signal.h>

#define WARDEN_STACK ((size_t)128 * 1024)
/* The wall clock, by which tokens end, may be set meanwhile. */
#define LOOK_EVERY_NS SKRFS_SECOND_NS

static void *watch(void *context) {
    struct skrfs_passes *passes = context;
    pthread_mutex_lock(&passes->lock);
    while (passes->current && !passes->ending) {
        struct timespec until = skrfs_deadline_timespec(skrfs_now_ns() + LOOK_EVERY_NS);
        (void)pthread_cond_timedwait(&passes->changed, &passes->lock, &until);
        if (passes->current && !skrfs_pass_usable(passes->current))
            skrfs_passes_drop_locked(passes);
    }
    passes->watched = false;
    pthread_cond_broadcast(&passes->changed);
    pthread_mutex_unlock(&passes->lock);
    return NULL;
}

void skrfs_passes_watch(struct skrfs_passes *passes) {
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    if (passes->watched || pthread_attr_init(&attributes))
        return;
    (void)pthread_attr_setstacksize(&attributes, WARDEN_STACK);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    passes->watched = pthread_create(&thread, &attributes, watch, passes) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

void skrfs_passes_unwatch(struct skrfs_passes *passes) {
    passes->ending = true;
    pthread_cond_broadcast(&passes->changed);
    while (passes->watched)
        pthread_cond_wait(&passes->changed, &passes->lock);
}
