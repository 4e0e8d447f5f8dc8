#include "directory.h"

#include "jwt.h"

#include <skrfs/base/encode.h>
#include <stdio.h>
#include <stdlib.h>

static int random_text(char *out, size_t size, struct skrfs_error *err) {
    uint8_t random[16];
    char hex[2 * sizeof(random) + 1];
    if (skrfs_random(random, sizeof(random), err) < 0)
        return -1;
    skrfs_hex_encode(random, sizeof(random), hex);
    /* Characters that a form must escape: clients that forget to are found out. */
    (void)snprintf(out, size, "Lab~%.16s+/=%s", hex, hex + 16);
    return 0;
}

static int fill(struct skrfs_lab_directory *directory, struct skrfs_error *err) {
    struct skrfs_cert_spec spec = {.common_name = "skrfs lab application", .days = 365};
    if (random_text(directory->secret, sizeof(directory->secret), err) < 0 ||
            random_text(directory->identity_header, sizeof(directory->identity_header), err) < 0 ||
            skrfs_pkey_new_rsa(2048, &directory->federation, err) < 0 ||
            skrfs_pkey_new_rsa(2048, &directory->client.key, err) < 0)
        return -1;
    spec.subject_key = directory->client.key;
    spec.issuer_key = directory->client.key;
    return skrfs_cert_issue(&spec, &directory->client.chain, err);
}

int skrfs_lab_directory_new(const char *authority, struct skrfs_lab_directory **ret_directory,
        struct skrfs_error *err) {
    SKRFS_CLEANUP(skrfs_lab_directory_free_p)
    struct skrfs_lab_directory *directory = calloc(1, sizeof(*directory));
    if (!directory)
        return skrfs_fail_memory(err);
    (void)snprintf(directory->issuer, sizeof(directory->issuer), "%s/federation", authority);
    if (fill(directory, err) < 0)
        return skrfs_wrap(err, "make the lab's directory");
    *ret_directory = skrfs_take(directory);
    return 0;
}

void skrfs_lab_directory_free(struct skrfs_lab_directory *directory) {
    if (!directory)
        return;
    skrfs_pkey_free(directory->client.key);
    skrfs_chain_free(directory->client.chain);
    skrfs_pkey_free(directory->federation);
    free(directory);
}

int skrfs_lab_federated_token(const struct skrfs_lab_directory *directory, int64_t now_s,
        struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autojson *header = NULL;
    skrfs_autojson *claims = NULL;
    if (skrfs_json_pack(&header, err, "{s:s,s:s}", "alg", "RS256", "kid", SKRFS_LAB_FEDERATED_KID) <
                    0 ||
            skrfs_json_pack(&claims, err, "{s:[s],s:I,s:I,s:s,s:I,s:s}", "aud",
                    SKRFS_LAB_FEDERATED_AUDIENCE, "exp", now_s + SKRFS_LAB_FEDERATED_LIFE_S, "iat",
                    now_s, "iss", directory->issuer, "nbf", now_s, "sub",
                    SKRFS_LAB_FEDERATED_SUBJECT) < 0)
        return -1;
    return skrfs_lab_jwt_sign(directory->federation, header, claims, out, err);
}

int skrfs_lab_client_pem(const struct skrfs_lab_directory *directory, struct skrfs_buf *out,
        struct skrfs_error *err) {
    if (skrfs_chain_pem(directory->client.chain, out, err) < 0)
        return -1;
    return skrfs_lab_key_pem(directory->client.key, out, err);
}
