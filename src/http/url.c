#include "room.h"

#include <ctype.h>
#include <skrfs/base/heap.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define URL_MAX ((size_t)8 * 1024)

static void url_cleanup(CURLU **url) {
    curl_url_cleanup(*url);
}

static void text_cleanup(char **text) {
    curl_free(*text);
}

#define auto_url SKRFS_CLEANUP(url_cleanup) CURLU
#define auto_text SKRFS_CLEANUP(text_cleanup) char

static int fail_url(struct skrfs_error *err, const char *why) {
    if (skrfs_heap_starved())
        return skrfs_fail_memory(err);
    return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the URL %s", why);
}

/* libcurl reads URLs as browsers do ("https:/host", "ev%69l", "user@"); what is compared with a
 * certificate or a configured host is read one way only. */
static bool is_strict(const char *text, const char *scheme) {
    size_t len = strlen(scheme);
    if (strncmp(text, scheme, len) != 0 || strncmp(text + len, "://", 3) != 0)
        return false;
    const char *authority = text + len + 3;
    size_t end = strcspn(authority, "/?#");
    size_t plain = strspn(authority, "-.:[]0123456789abcdefghijklmnopqrstuvwxyz"
                                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return end > 0 && plain == end;
}

static int parse_url(const char *text, const char *scheme, CURLU *url, char **ret_host,
        struct skrfs_error *err) {
    if (strnlen(text, URL_MAX) == URL_MAX)
        return fail_url(err, "is too long");
    if (!is_strict(text, scheme))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the URL is not %s://host...", scheme);
    auto_text *host = NULL;
    if (curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER) ||
            curl_url_get(url, CURLUPART_HOST, &host, 0))
        return fail_url(err, "is malformed");
    /* libcurl also rewrites other spellings of an address ("0x7f.1", "[::0]"). */
    if (strncasecmp(text + strlen(scheme) + 3, host, strlen(host)) != 0)
        return fail_url(err, "spells its host in an unusual way");
    *ret_host = skrfs_take(host);
    return 0;
}

int http_peer(const char *text, bool plain, char *out, size_t size, struct skrfs_error *err) {
    http_begin();
    auto_url *url = curl_url();
    auto_text *host = NULL;
    auto_text *port = NULL;
    if (!url)
        return skrfs_fail_memory(err);
    if (parse_url(text, plain ? "http" : "https", url, &host, err))
        return -1;
    if (curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT))
        return fail_url(err, "has no usable port");
    snprintf(out, size, "%s:%s", host, port);
    return 0;
}

int skrfs_url_host(const char *text, char *out, size_t size, struct skrfs_error *err) {
    http_begin();
    auto_url *url = curl_url();
    auto_text *host = NULL;
    if (!url)
        return skrfs_fail_memory(err);
    if (parse_url(text, "https", url, &host, err))
        return -1;
    size_t len = strlen(host);
    if (len >= size)
        return fail_url(err, "has a host that is too long");
    for (size_t i = 0; i <= len; i++)
        out[i] = (char)tolower((unsigned char)host[i]);
    return 0;
}

int skrfs_url_escape(const char *text, struct skrfs_buf *out, struct skrfs_error *err) {
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789-._~";
    size_t before = out->len;
    for (const char *at = text; *at; at++) {
        int failed = strchr(unreserved, *at)
                             ? skrfs_buf_append(out, at, 1, err)
                             : skrfs_buf_printf(out, err, "%%%02X", (unsigned char)*at);
        if (failed) {
            skrfs_buf_truncate(out, before);
            return -1;
        }
    }
    return 0;
}
