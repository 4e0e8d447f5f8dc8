#include <pthread.h>
#include <skrfs/base/clock.h>
#include <skrfs/cli/output.h>
#include <stdio.h>
#include <string.h>

#define QUIET_NS (SKRFS_SECOND_NS / 2) /* what is done by then needs no word */
#define FRAME_NS (SKRFS_SECOND_NS / 10)

struct skrfs_progress {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    char what[160];
};

static void draw(const struct skrfs_progress *progress, unsigned frame, uint64_t since_ns) {
    static const char wheel[] = "|/-\\";
    (void)fprintf(stderr, "\r\033[K%c %s (%llus)", wheel[frame % 4], progress->what,
            (unsigned long long)(since_ns / SKRFS_SECOND_NS));
    (void)fflush(stderr);
}

/* Waits on the monotonic clock: see skrfs_cond_init's users; the pause is short enough for either
 * clock. */
static bool pause_ns(struct skrfs_progress *progress, uint64_t ns) {
    struct timespec until = skrfs_deadline_timespec(skrfs_now_ns() + ns);
    (void)pthread_cond_timedwait(&progress->wake, &progress->lock, &until);
    return !progress->stop;
}

static void *progress_run(void *argument) {
    struct skrfs_progress *progress = argument;
    uint64_t begun = skrfs_now_ns();
    bool drawn = false;
    (void)pthread_mutex_lock(&progress->lock);
    for (unsigned frame = 0; !progress->stop;) {
        uint64_t since = skrfs_now_ns() - begun;
        if (since >= QUIET_NS) {
            draw(progress, frame++, since);
            drawn = true;
        }
        (void)pause_ns(progress, FRAME_NS);
    }
    (void)pthread_mutex_unlock(&progress->lock);
    if (drawn) {
        (void)fputs("\r\033[K", stderr);
        (void)fflush(stderr);
    }
    return NULL;
}

static bool condition_make(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0) {
        return false;
    }
    bool made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(condition, &attributes) == 0;
    (void)pthread_condattr_destroy(&attributes);
    return made;
}

struct skrfs_progress *skrfs_progress_start(const char *what) {
    const char *term = getenv("TERM");
    if (!isatty(STDERR_FILENO) || !term || strcmp(term, "dumb") == 0) {
        return NULL;
    }
    struct skrfs_progress *progress = calloc(1, sizeof(*progress));
    if (!progress) {
        return NULL;
    }
    (void)snprintf(progress->what, sizeof(progress->what), "%s", what);
    (void)pthread_mutex_init(&progress->lock, NULL);
    if (!condition_make(&progress->wake)) {
        free(progress);
        return NULL;
    }
    if (pthread_create(&progress->thread, NULL, progress_run, progress) != 0) {
        (void)pthread_cond_destroy(&progress->wake);
        free(progress);
        return NULL;
    }
    return progress;
}

void skrfs_progress_stop(struct skrfs_progress *progress) {
    if (!progress) {
        return;
    }
    (void)pthread_mutex_lock(&progress->lock);
    progress->stop = true;
    (void)pthread_cond_signal(&progress->wake);
    (void)pthread_mutex_unlock(&progress->lock);
    (void)pthread_join(progress->thread, NULL);
    (void)pthread_cond_destroy(&progress->wake);
    (void)pthread_mutex_destroy(&progress->lock);
    free(progress);
}
