/* Addresses of attestation services: {provider}.{region}.attest.azure.net, the shared providers
 * shared{region}.{region}. Region codes as they occur in the service's documentation and in
 * published policies. */
#include "known.h"

#include <skrfs/base/encode.h>
#include <skrfs/base/nearest.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SUFFIX ".attest.azure.net"
#define HOST_MAX 256

static const struct region {
    const char *code, *name;
} regions[] = {
        {"eus", "East US"},
        {"eus2", "East US 2"},
        {"eus2e", "East US 2 EUAP"},
        {"cus", "Central US"},
        {"cuse", "Central US EUAP"},
        {"scus", "South Central US"},
        {"ncus", "North Central US"},
        {"wcus", "West Central US"},
        {"wus", "West US"},
        {"wus2", "West US 2"},
        {"wus3", "West US 3"},
        {"cae", "Canada East"},
        {"cac", "Canada Central"},
        {"neu", "North Europe"},
        {"weu", "West Europe"},
        {"uks", "UK South"},
        {"ukw", "UK West"},
        {"sww", "Switzerland West"},
        {"swn", "Switzerland North"},
        {"eau", "Australia East"},
        {"sau", "Australia Southeast"},
        {"sasia", "Southeast Asia"},
        {"easia", "East Asia"},
        {"jpe", "Japan East"},
        {"jpw", "Japan West"},
        {"cin", "Central India"},
        {"san", "South Africa North"},
        {"krs", "Korea South"},
        {"krc", "Korea Central"},
        {"sbr", "Brazil South"},
        {"uaen", "UAE North"},
        {"itn", "Italy North"},
        {"noe", "Norway East"},
        {"sec", "Sweden Central"},
        {"den", "Germany North"},
        {"dewc", "Germany West Central"},
        {"ilc", "Israel Central"},
};

static const struct region *region_find(const char *code) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(regions); i++)
        if (strcmp(regions[i].code, code) == 0)
            return &regions[i];
    return NULL;
}

static const char *region_near(const char *code) {
    const char *codes[SKRFS_ARRAY_LEN(regions)];
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(regions); i++)
        codes[i] = regions[i].code;
    return skrfs_nearest_within(code, codes, SKRFS_ARRAY_LEN(codes), 1);
}

struct host {
    char provider[HOST_MAX], region[HOST_MAX], domain[HOST_MAX];
};

/* "sharedweu.weu.attest.azure.net" into its three parts; false when there are fewer labels. */
static bool split(const char *name, struct host *host) {
    const char *first = strchr(name, '.'), *second = first ? strchr(first + 1, '.') : NULL;
    if (!second || strlen(name) >= HOST_MAX)
        return false;
    snprintf(host->provider, HOST_MAX, "%.*s", (int)(first - name), name);
    snprintf(host->region, HOST_MAX, "%.*s", (int)(second - first - 1), first + 1);
    snprintf(host->domain, HOST_MAX, "%s", second);
    return true;
}

static bool known_domain(const char *domain) {
    return strcmp(domain, SUFFIX) == 0 || strcmp(domain, ".test" SUFFIX) == 0;
}

static const char *region_of_shared(const struct host *host) {
    return strncmp(host->provider, "shared", 6) == 0 ? host->provider + 6 : NULL;
}

/* A name that is nearly the region's shared provider, which a customer's own would hardly be. */
static bool nearly_shared(const struct host *host) {
    char wanted[HOST_MAX];
    const char *names[] = {wanted};
    snprintf(wanted, sizeof(wanted), "shared%.60s", host->region);
    return skrfs_nearest_within(host->provider, names, 1, 2) != NULL;
}

/* The three parts of a host in the service's own domain. */
static void check_parts(const struct host *host, host_fn *say, void *context) {
    char text[HOST_MAX * 3];
    const char *shared = region_of_shared(host), *near = region_near(host->region);
    bool known = region_find(host->region) != NULL;
    if (shared && strcmp(shared, host->region) == 0 && known)
        return;
    if (shared && !known && region_find(shared))
        near = shared;
    if (known && (shared || nearly_shared(host)))
        snprintf(text, sizeof(text),
                "the shared provider of region '%.60s' is 'shared%.60s': did you mean "
                "'shared%.60s.%.60s%s'?",
                host->region, host->region, host->region, host->region, host->domain);
    else if (known)
        return; /* a provider of the customer's own name */
    else if (near)
        snprintf(text, sizeof(text), "region '%.60s' is unknown: did you mean '%s%s.%s%s'?",
                host->region, shared ? "shared" : "", shared ? near : host->provider, near,
                host->domain);
    else
        snprintf(text, sizeof(text), "region '%.60s' is not one that is known here", host->region);
    say(context, near || known ? SKRFS_FINDING_WARNING : SKRFS_FINDING_NOTE, text);
}

/* The whole name is given where the domain is misspelt: "attest.azure.com", "attest.azrue.net". */
static void check_domain(const char *name, const struct host *host, host_fn *say, void *context) {
    static const char *const domains[] = {SUFFIX, ".test" SUFFIX};
    char text[HOST_MAX * 3];
    const char *near = skrfs_nearest_within(host->domain, domains, SKRFS_ARRAY_LEN(domains), 4);
    if (near) {
        snprintf(text, sizeof(text), "did you mean '%s.%s%s'?", host->provider, host->region, near);
        say(context, SKRFS_FINDING_WARNING, text);
    } else {
        snprintf(text, sizeof(text),
                "'%.100s' is no address of Azure Attestation: right only for another attestation "
                "service",
                name);
        say(context, SKRFS_FINDING_NOTE, text);
    }
}

static bool ends_with(const char *name, const char *suffix) {
    size_t len = strlen(name), end = strlen(suffix);
    return len > end && strcmp(name + len - end, suffix) == 0;
}

/* RFC 6761, section 6.3: *.localhost is loopback. */
static bool loopback(const char *name) {
    return strcmp(name, "localhost") == 0 || ends_with(name, ".localhost") ||
           strncmp(name, "127.", 4) == 0 || strcmp(name, "[::1]") == 0;
}

/* Azure Attestation in other clouds, whose regions are not known here. */
static bool other_cloud(const char *name) {
    return ends_with(name, ".attest.azure.us") || ends_with(name, ".attest.azure.cn");
}

static void check_name(const char *name, host_fn *say, void *context) {
    struct host host;
    char wanted[HOST_MAX * 2 + 64];
    if (loopback(name) || other_cloud(name))
        return; /* a lab's, another cloud's */
    if (strcmp(name, &SUFFIX[1]) == 0) {
        say(context, SKRFS_FINDING_WARNING,
                "names no provider and region: write 'https://sharedweu.weu.attest.azure.net' or "
                "the like");
        return;
    }
    if (!split(name, &host)) {
        say(context, SKRFS_FINDING_NOTE,
                "is no address of Azure Attestation: right only for another attestation service");
        return;
    }
    if (strcmp(host.region, "attest") == 0 && strncmp(host.domain, ".azure.", 7) == 0) {
        const char *shared = region_of_shared(&host);
        snprintf(wanted, sizeof(wanted), "has no region: did you mean '%s.%s" SUFFIX "'?",
                host.provider, shared && *shared ? shared : "REGION");
        say(context, SKRFS_FINDING_WARNING, wanted);
    } else if (known_domain(host.domain)) {
        check_parts(&host, say, context);
    } else {
        check_domain(name, &host, say, context);
    }
}

/* The host's name out of an https URL, in the case it is written; false when it does not fit. */
static bool host_of(const char *url, char *out, size_t size) {
    const char *name = url + 8;
    size_t len = *name == '[' ? strcspn(name, "]") + 1 : strcspn(name, ":/?#");
    if (len >= size || strlen(name) < len)
        return false;
    memcpy(out, name, len);
    out[len] = '\0';
    return true;
}

void skrfs_policy_check_host(const char *url, host_fn *say, void *context) {
    char name[HOST_MAX];
    if (strncmp(url, "https://", 8) != 0 || !url[8]) {
        say(context, SKRFS_FINDING_ERROR,
                "is no https:// address: the vault asks it for its signing keys");
        return;
    }
    const char *rest = url + 8 + strcspn(url + 8, "/?#");
    if (strcmp(rest, "") != 0 && strcmp(rest, "/") != 0) {
        say(context, SKRFS_FINDING_WARNING,
                "goes on behind the host's name: no token has such an issuer, which is "
                "https://HOST");
    } else if (strpbrk(url, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
        say(context, SKRFS_FINDING_WARNING,
                "has capital letters: it is compared with the token's issuer letter by letter, "
                "which has none");
    } else if (strpbrk(url, " \t")) {
        say(context, SKRFS_FINDING_WARNING, "has blanks in it: no token has such an issuer");
    } else if (host_of(url, name, sizeof(name))) {
        if (!loopback(name) && strchr(url + 8, ':'))
            say(context, SKRFS_FINDING_WARNING,
                    "names a port: no token of Azure Attestation has such an issuer");
        else
            check_name(name, say, context);
    }
}

const char *skrfs_policy_host_text(const char *url, char *out, size_t size) {
    char name[HOST_MAX];
    struct host host;
    if (strncmp(url, "https://", 8) != 0 || !host_of(url, name, sizeof(name)))
        return NULL;
    if (loopback(name)) {
        snprintf(out, size, "an emulated service on this machine");
        return out;
    }
    if (!split(name, &host) || !known_domain(host.domain))
        return NULL;
    const struct region *region = region_find(host.region);
    if (!region)
        return NULL;
    snprintf(out, size, "Azure Attestation in %s%s%s", region->name,
            region_of_shared(&host) ? ", the shared one" : "",
            strcmp(host.domain, SUFFIX) == 0 ? "" : ", test ring");
    return out;
}
