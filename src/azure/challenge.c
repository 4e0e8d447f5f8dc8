/* WWW-Authenticate (RFC 9110 section 11.6.1): which tenant and audience a vault wants a token of,
 * and which claims in it. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

/* The characters of a token (RFC 9110 section 5.6.2), and what unquoted paths have beside. */
static bool is_word(char c) {
    return c > ' ' && c <= '~' && !strchr(",=\"", c);
}

static const char *skip(const char *at, const char *set) {
    return at + strspn(at, set);
}

/* A value, quoted or not, into `out`; false when it has no room there. Returns behind it. */
static const char *take_value(const char *at, char *out, size_t size, bool *ret_fits) {
    size_t len = 0;
    bool quoted = *at == '"';
    *ret_fits = true;
    for (at += quoted; *at && (quoted ? *at != '"' : *at != ',' && *at != ' '); at++) {
        if (quoted && *at == '\\' && at[1])
            at++;
        if (len + 1 < size)
            out[len++] = *at;
        else
            *ret_fits = false;
    }
    out[len] = '\0';
    return at + (*at == '"');
}

bool skrfs_challenge_member(
        const char *header, const char *scheme, const char *name, char *out, size_t size) {
    char value[SKRFS_HTTP_CHALLENGE_MAX];
    bool in_scheme = false, fits = false;
    for (const char *at = skip(header, " \t,"); *at; at = skip(at, " \t,")) {
        const char *word = at;
        while (is_word(*at))
            at++;
        size_t len = (size_t)(at - word);
        const char *equals = skip(at, " \t");
        if (*equals != '=') {
            if (len == 0)
                return false;
            in_scheme = strlen(scheme) == len && strncasecmp(word, scheme, len) == 0;
            continue;
        }
        at = take_value(skip(equals + 1, " \t"), value, sizeof(value), &fits);
        if (in_scheme && fits && strlen(name) == len && strncasecmp(word, name, len) == 0 &&
                strlen(value) < size) {
            snprintf(out, size, "%s", value);
            return true;
        }
    }
    return false;
}

/* The first segment of the path: "https://login.windows.net/<tenant>". */
static void take_tenant(const char *authority, char *out, size_t size) {
    static const char allowed[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.";
    const char *path = strstr(authority, "://");
    path = path ? strchr(path + 3, '/') : NULL;
    out[0] = '\0';
    if (!path)
        return;
    size_t len = strcspn(path + 1, "/?#");
    /* A path's dots would lead to another endpoint. */
    if (len > 0 && len < size && strspn(path + 1, allowed) >= len && path[1] != '.')
        snprintf(out, size, "%.*s", (int)len, path + 1);
}

/* The audience: of a scope what is before "/.default". */
static void take_resource(const char *header, char *out, size_t size) {
    static const char suffix[] = "/.default";
    if (skrfs_challenge_member(header, "Bearer", "resource", out, size))
        return;
    out[0] = '\0';
    if (!skrfs_challenge_member(header, "Bearer", "scope", out, size))
        return;
    size_t len = strlen(out);
    if (len > strlen(suffix) && strcmp(out + len - strlen(suffix), suffix) == 0)
        out[len - strlen(suffix)] = '\0';
}

void skrfs_challenge_read(const char *header, struct challenge *ret_challenge) {
    struct challenge challenge = {0};
    char text[SKRFS_HTTP_CHALLENGE_MAX];
    if (skrfs_challenge_member(header, "Bearer", "authorization", text, sizeof(text)) ||
            skrfs_challenge_member(header, "Bearer", "authorization_uri", text, sizeof(text)))
        take_tenant(text, challenge.tenant, sizeof(challenge.tenant));
    take_resource(header, challenge.resource, sizeof(challenge.resource));
    if (skrfs_challenge_member(header, "Bearer", "error", text, sizeof(text)) &&
            strcmp(text, "insufficient_claims") == 0 &&
            skrfs_challenge_member(
                    header, "Bearer", "claims", challenge.claims, sizeof(challenge.claims)))
        challenge.wants_claims = true;
    *ret_challenge = challenge;
}

bool skrfs_challenge_is_for(const char *resource, const char *vault_url) {
    struct skrfs_error ignored;
    char ours[256], theirs[256];
    return skrfs_url_host(resource, theirs, sizeof(theirs), &ignored) == 0 &&
           skrfs_url_host(vault_url, ours, sizeof(ours), &ignored) == 0 &&
           skrfs_host_below(ours, theirs);
}
