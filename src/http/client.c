#include "room.h"

#include <skrfs/base/clock.h>
#include <skrfs/base/heap.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global_result;

/* libcurl writes the session secrets of all connections into the file that this variable names. */
static void set_up(void) {
    (void)unsetenv("SSLKEYLOGFILE");
    global_result = curl_global_init_mem(CURL_GLOBAL_DEFAULT, skrfs_heap_malloc, skrfs_heap_free,
            skrfs_heap_realloc, skrfs_heap_strdup, skrfs_heap_calloc);
}

void http_begin(void) {
    (void)pthread_once(&once, set_up);
    (void)skrfs_heap_starved();
}

static int copy_options(struct skrfs_http *http, const struct skrfs_http_options *options,
        struct skrfs_error *err) {
    if (options->ca_pem) {
        http->ca_pem = strdup(options->ca_pem);
        if (!http->ca_pem)
            return skrfs_fail_memory(err);
        http->ca_len = strlen(http->ca_pem);
    }
    if (options->proxy) {
        http->proxy = strdup(options->proxy);
        if (!http->proxy)
            return skrfs_fail_memory(err);
    }
    uint64_t timeout_ms = options->connect_timeout_ns / SKRFS_MILLISECOND_NS;
    http->connect_timeout_ms = timeout_ms > INT32_MAX ? INT32_MAX : (long)timeout_ms;
    if (options->connect_timeout_ns && !http->connect_timeout_ms)
        http->connect_timeout_ms = 1;
    return 0;
}

int skrfs_http_new(const struct skrfs_http_options *options, struct skrfs_http **ret_http,
        struct skrfs_error *err) {
    http_begin();
    if (global_result != CURLE_OK)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "libcurl cannot be set up: %s",
                curl_easy_strerror(global_result));
    struct skrfs_http *http = calloc(1, sizeof(*http));
    if (!http)
        return skrfs_fail_memory(err);
    if (pthread_mutex_init(&http->lock, NULL)) {
        free(http);
        return skrfs_fail_memory(err);
    }
    if (copy_options(http, options, err)) {
        skrfs_http_free(http);
        return -1;
    }
    *ret_http = http;
    return 0;
}

void skrfs_http_free(struct skrfs_http *http) {
    if (!http)
        return;
    for (size_t i = 0; i < http->idle_count; i++)
        curl_easy_cleanup(http->idle[i]);
    (void)pthread_mutex_destroy(&http->lock);
    free(http->ca_pem);
    /* May carry the proxy's password. */
    if (http->proxy)
        skrfs_wipe(http->proxy, strlen(http->proxy));
    free(http->proxy);
    free(http);
}

CURL *http_take_handle(struct skrfs_http *http) {
    CURL *handle = NULL;
    (void)pthread_mutex_lock(&http->lock);
    if (http->idle_count)
        handle = http->idle[--http->idle_count];
    (void)pthread_mutex_unlock(&http->lock);
    return handle ? handle : curl_easy_init();
}

void http_give_handle(struct skrfs_http *http, CURL *handle) {
    /* Settings, headers among them, go now; connections stay. */
    curl_easy_reset(handle);
    (void)pthread_mutex_lock(&http->lock);
    bool kept = http->idle_count < IDLE_MAX;
    if (kept)
        http->idle[http->idle_count++] = handle;
    (void)pthread_mutex_unlock(&http->lock);
    if (!kept)
        curl_easy_cleanup(handle);
}
