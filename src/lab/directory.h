/* What the lab's Entra ID knows of its one application: its secret, its certificate, and the issuer
 * of federated tokens that it trusts. Immutable once made; thread safe. */
#ifndef SKRFS_LAB_DIRECTORY_H
#define SKRFS_LAB_DIRECTORY_H

#include "pki.h"

#define SKRFS_LAB_FEDERATED_SUBJECT "system:serviceaccount:lab:skrfs"
#define SKRFS_LAB_FEDERATED_AUDIENCE "api://AzureADTokenExchange"
#define SKRFS_LAB_FEDERATED_KID "skrfs-lab-federation"
#define SKRFS_LAB_FEDERATED_LIFE_S 3600

struct skrfs_lab_directory {
    char secret[48];                /* the client secret */
    char identity_header[48];       /* of the App Service endpoint */
    struct skrfs_lab_signer client; /* self-signed, RSA-2048 */
    struct skrfs_pkey *federation;
    char issuer[160]; /* of federated tokens */
};

int skrfs_lab_directory_new(const char *authority, struct skrfs_lab_directory **ret_directory,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_lab_directory_free(struct skrfs_lab_directory *directory);
SKRFS_DEFINE_CLEANUP(struct skrfs_lab_directory, skrfs_lab_directory_free)

/* Appends a federated token as a cluster projects one into its pods. */
int skrfs_lab_federated_token(const struct skrfs_lab_directory *directory, int64_t now_s,
        struct skrfs_buf *out, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* Appends certificate and private key as PEM, as an application has them in one file. */
int skrfs_lab_client_pem(const struct skrfs_lab_directory *directory, struct skrfs_buf *out,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
