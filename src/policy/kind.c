/* Files that people hand in for a release policy. The shapes of the first two are those of
 * confidential-sidecar-containers (tools/importkey, cmd/remotefs). */
#include "tree.h"

#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>

static bool has(const struct skrfs_json *json, const char *name) {
    return skrfs_json_get(json, name) != NULL;
}

enum skrfs_policy_kind skrfs_policy_kind_of(const struct skrfs_json *json) {
    if (has(json, "anyOf") || has(json, "anyof") || has(json, "version"))
        return SKRFS_POLICY_KIND_POLICY;
    if (has(json, "azure_filesystems"))
        return SKRFS_POLICY_KIND_FILESYSTEM;
    if (has(json, "key") && (has(json, "claims") || has(json, "key_derivation")))
        return SKRFS_POLICY_KIND_IMPORT;
    if (has(json, "release_policy"))
        return SKRFS_POLICY_KIND_KEY;
    if (skrfs_json_string(skrfs_json_get(json, "data")) &&
            (has(json, "contentType") || has(json, "immutable") || skrfs_json_size(json) == 1))
        return SKRFS_POLICY_KIND_ENVELOPE;
    if (has(json, "iss") && (has(json, "exp") || has(json, "iat")))
        return SKRFS_POLICY_KIND_CLAIMS;
    return SKRFS_POLICY_KIND_POLICY;
}

const char *skrfs_policy_kind_text(enum skrfs_policy_kind kind) {
    switch (kind) {
    case SKRFS_POLICY_KIND_POLICY:
        break;
    case SKRFS_POLICY_KIND_IMPORT:
        return "is no release policy but a key import configuration of the confidential container "
               "tools: their 'claims' become one (any of the lists, all of a list's conditions), "
               "for the authority key.authority.endpoint";
    case SKRFS_POLICY_KIND_FILESYSTEM:
        return "is no release policy but the arguments of an encrypted file system's side-car: "
               "they name the key and its vault, and the key's policy is kept in that vault "
               "('skrfs key show' prints it)";
    case SKRFS_POLICY_KIND_ENVELOPE:
        return "is a release policy in its REST wrapping: the policy is the base64url text in "
               "'data'";
    case SKRFS_POLICY_KIND_KEY:
        return "is no release policy but a vault's answer about a key: its policy is the base64url "
               "text in 'data' of 'release_policy'";
    case SKRFS_POLICY_KIND_CLAIMS:
        return "is no release policy but what an attestation token claims: 'skrfs policy test' "
               "holds a policy against it";
    }
    return "";
}

/* Their endpoints are host names, without https://. */
static char *authority_url(struct reader *reader, const char *endpoint) {
    char url[1024];
    snprintf(url, sizeof(url), "%s%.1000s", strstr(endpoint, "://") ? "" : "https://", endpoint);
    return skrfs_reader_copy(reader, url);
}

static void read_lists(
        struct reader *reader, const struct skrfs_json *claims, struct condition *any) {
    size_t count = skrfs_json_size(claims);
    if (!claims || skrfs_json_kind(claims) != SKRFS_JSON_ARRAY || count == 0) {
        skrfs_reader_refuse(
                reader, claims ? "claims" : NULL, "wants \"claims\": a list of lists of claims");
        return;
    }
    any->kind = CONDITION_ANY;
    any->children = skrfs_reader_list(reader, count, sizeof(*any->children));
    if (!any->children)
        return;
    any->count = count;
    size_t before = skrfs_path_member(reader->path, "claims");
    for (size_t i = 0; i < count; i++) {
        size_t outer = skrfs_path_element(reader->path, i);
        any->children[i].kind = CONDITION_ALL;
        skrfs_policy_read_list(reader, skrfs_json_at(claims, i), &any->children[i]);
        reader->path[outer] = '\0';
    }
    reader->path[before] = '\0';
}

void skrfs_policy_read_import(
        struct reader *reader, const struct skrfs_json *json, struct skrfs_policy *policy) {
    const struct skrfs_json *authority = skrfs_json_get(skrfs_json_get(json, "key"), "authority");
    const char *endpoint = skrfs_json_string(skrfs_json_get(authority, "endpoint"));
    if (!endpoint || !*endpoint) {
        skrfs_reader_refuse(reader, skrfs_json_get(json, "key") ? "key" : NULL,
                "names no attestation service in key.authority.endpoint");
        return;
    }
    policy->authorities = skrfs_reader_list(reader, 1, sizeof(*policy->authorities));
    if (!policy->authorities)
        return;
    policy->count = 1;
    policy->authorities->url = authority_url(reader, endpoint);
    read_lists(reader, skrfs_json_get(json, "claims"), &policy->authorities->root);
}
