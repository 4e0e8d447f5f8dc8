#include "room.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define HOST_MAX 254

/* A URL that names a server and nothing else. */
struct server {
    const char *scheme;
    char host[HOST_MAX]; /* lower case, IPv6 without brackets */
    bool v6;
    unsigned port; /* 0: the scheme's */
};

static bool parse_port(const char *text, unsigned *ret_port) {
    if (!conf_is_word(text, "0123456789", 5))
        return false;
    *ret_port = (unsigned)strtoul(text, NULL, 10);
    return *ret_port > 0 && *ret_port < 65536;
}

static bool take_host(const char *text, size_t len, const char *allowed, struct server *server) {
    if (len < 1 || len >= sizeof(server->host))
        return false;
    for (size_t i = 0; i < len; i++)
        server->host[i] = (char)tolower((unsigned char)text[i]);
    server->host[len] = '\0';
    return conf_is_word(server->host, allowed, len);
}

static bool parse_authority(const char *text, struct server *server) {
    server->v6 = text[0] == '[';
    const char *host = text + server->v6;
    const char *end = host + strcspn(host, server->v6 ? "]" : ":");
    const char *allowed =
            server->v6 ? ":.0123456789abcdef" : "-.0123456789abcdefghijklmnopqrstuvwxyz";
    if (!take_host(host, (size_t)(end - host), allowed, server))
        return false;
    if (server->v6 && *end++ != ']')
        return false;
    server->port = 0;
    return *end == '\0' || (*end == ':' && parse_port(end + 1, &server->port));
}

static int parse(const struct value *value, const char *scheme, struct server *ret_server,
        struct skrfs_error *err) {
    const char *text = value->text;
    size_t len = strlen(scheme);
    if (strncmp(text, scheme, len) != 0 || strncmp(text + len, "://", 3) != 0)
        return conf_fail_at(err, &value->place, "'%s' begins with %s://", value->name, scheme);
    const char *authority = text + len + 3;
    size_t end = strcspn(authority, "/?#");
    if (authority[end] && strcmp(authority + end, "/") != 0)
        return conf_fail_at(err, &value->place,
                "'%s' names a server: nothing belongs behind host and port", value->name);
    skrfs_autofree char *copy = strndup(authority, end);
    if (!copy)
        return skrfs_fail_memory(err);
    struct server server = {.scheme = scheme};
    if (!parse_authority(copy, &server))
        return conf_fail_at(err, &value->place, "'%s' is %s://host or %s://host:port", value->name,
                scheme, scheme);
    *ret_server = server;
    return 0;
}

static int print(const struct server *server, char **ret_url, struct skrfs_error *err) {
    char port[16] = "";
    if (server->port)
        snprintf(port, sizeof(port), ":%u", server->port);
    char *url;
    if (asprintf(&url, "%s://%s%s%s%s", server->scheme, server->v6 ? "[" : "", server->host,
                server->v6 ? "]" : "", port) < 0)
        return skrfs_fail_memory(err);
    free(*ret_url);
    *ret_url = url;
    return 0;
}

int conf_take_https(
        const struct value *value, char **ret_url, char **ret_host, struct skrfs_error *err) {
    struct server server;
    if (!value)
        return 0;
    if (parse(value, "https", &server, err) || print(&server, ret_url, err))
        return -1;
    if (!ret_host)
        return 0;
    free(*ret_host);
    *ret_host = strdup(server.host);
    return *ret_host ? 0 : skrfs_fail_memory(err);
}

/* Plain HTTP goes no further than the hypervisor: 127/8, 169.254/16, ::1, fe80::/10. */
static bool is_near(const struct server *server) {
    struct in_addr v4;
    struct in6_addr v6;
    if (server->v6)
        return inet_pton(AF_INET6, server->host, &v6) == 1 &&
               (IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_LINKLOCAL(&v6));
    if (strcmp(server->host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, server->host, &v4) != 1)
        return false;
    in_addr_t address = ntohl(v4.s_addr);
    return address >> 24 == 127 || address >> 16 == 0xa9fe;
}

int conf_take_imds(const struct value *value, char **ret_url, struct skrfs_error *err) {
    struct server server;
    if (!value)
        return 0;
    if (parse(value, "http", &server, err))
        return -1;
    if (!is_near(&server))
        return conf_fail_at(err, &value->place,
                "'url' of the instance metadata service is on this machine or its link "
                "(127.x.x.x, 169.254.x.x): it is asked without TLS");
    return print(&server, ret_url, err);
}

int conf_take_proxy(const struct value *value, char **ret_url, struct skrfs_error *err) {
    struct server server;
    if (!value)
        return 0;
    const char *scheme = strncmp(value->text, "https:", 6) == 0 ? "https" : "http";
    return parse(value, scheme, &server, err) || print(&server, ret_url, err) ? -1 : 0;
}
