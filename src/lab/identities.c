#include "identities.h"

#include "jwt.h"

#include <skrfs/base/encode.h>
#include <string.h>
#include <strings.h>

#define GROUP                                                                                      \
    "/subscriptions/1ab00000-0000-4000-8000-00000000000c/resourceGroups/lab/providers/"            \
    "Microsoft.ManagedIdentity/userAssignedIdentities/"

const struct skrfs_lab_identity skrfs_lab_system_identity = {
        "1ab00000-0000-4000-8000-0000000000a2", "1ab00000-0000-4000-8000-0000000000a1", NULL, true};
const struct skrfs_lab_identity skrfs_lab_application = {
        SKRFS_LAB_CLIENT, "1ab00000-0000-4000-8000-0000000000e1", NULL, true};

static const struct skrfs_lab_identity assigned[] = {
        {"1ab00000-0000-4000-8000-0000000000b2", "1ab00000-0000-4000-8000-0000000000b1",
                GROUP "releaser", true},
        {"1ab00000-0000-4000-8000-0000000000d2", "1ab00000-0000-4000-8000-0000000000d1",
                GROUP "reader", false},
};

const struct skrfs_lab_identity *skrfs_lab_identity_find(const char *by, const char *value) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(assigned); i++) {
        const char *own = strcmp(by, "client_id") == 0   ? assigned[i].client_id
                          : strcmp(by, "object_id") == 0 ? assigned[i].object_id
                                                         : assigned[i].resource_id;
        if (strcasecmp(own, value) == 0)
            return &assigned[i];
    }
    return NULL;
}

bool skrfs_lab_resource_known(const char *resource) {
    static const char *const known[] = {"https://vault.azure.net", "https://managedhsm.azure.net",
            "https://management.azure.com", "https://attest.azure.net"};
    size_t len = strlen(resource);
    if (len > 0 && resource[len - 1] == '/')
        len--;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(known); i++)
        if (strlen(known[i]) == len && strncmp(known[i], resource, len) == 0)
            return true;
    return false;
}

/* Key id of the lab's Entra ID, in the header as in its published keys. */
static int header_json(struct skrfs_json **ret_json, struct skrfs_error *err) {
    return skrfs_json_pack(ret_json, err, "{s:s,s:s,s:s}", "typ", "JWT", "alg", "RS256", "kid",
            SKRFS_LAB_ENTRA_KID);
}

static int claims_json(struct skrfs_lab *lab, const struct skrfs_lab_access_wish *wish,
        struct skrfs_json **ret_json, struct skrfs_error *err) {
    int64_t now = skrfs_lab_wall_s(lab);
    int64_t life = skrfs_lab_settings_get(lab).access_life_s;
    uint8_t random[12];
    char id[2 * sizeof(random) + 1];
    skrfs_autojson *claims = NULL;
    struct skrfs_json *capable = NULL;
    if (skrfs_random(random, sizeof(random), err) < 0)
        return -1;
    skrfs_hex_encode(random, sizeof(random), id);
    if (skrfs_json_pack(&claims, err, "{s:s,s:s,s:I,s:I,s:I,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I}",
                "aud", wish->resource, "iss", lab->login_url, "iat", now, "nbf", now, "exp",
                now + life, "appid", wish->identity->client_id, "oid", wish->identity->object_id,
                "sub", wish->identity->object_id, "tid", SKRFS_LAB_TENANT, "uti", id, "ver", "1.0",
                "roles", wish->identity->release ? "release" : "read", "xms_lab_nbf",
                wish->claims_s) < 0)
        return -1;
    if (wish->capable && (skrfs_json_pack(&capable, err, "[s]", "cp1") < 0 ||
                                 skrfs_json_set(claims, "xms_cc", capable, err) < 0))
        return -1;
    *ret_json = skrfs_take(claims);
    return 0;
}

int skrfs_lab_access_sign(struct skrfs_lab *lab, const struct skrfs_lab_access_wish *wish,
        struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *header = NULL;
    skrfs_autojson *claims = NULL;
    if (header_json(&header, err) < 0 || claims_json(lab, wish, &claims, err) < 0)
        return -1;
    return skrfs_lab_jwt_sign(lab->pki->entra.key, header, claims, out, err);
}
