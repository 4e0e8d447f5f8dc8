/* libskrfs: attest, release and unwrap into secret memory, for a program that would rather link
 * than open a file. The calls do what the skrfs daemon does, in the caller's process: the network
 * code and the key share it, so prefer the mount where the two must be apart. Link with `pkg-config
 * --libs skrfs`.
 *
 * A client is thread safe. Strings given are copied. */
#ifndef SKRFS_SKRFS_H
#define SKRFS_SKRFS_H

#include <skrfs/base/error.h>
#include <skrfs/base/format.h>
#include <skrfs/base/secret.h>

#ifdef __cplusplus
extern "C" {
#endif

struct skrfs_client;

/* Opens a client with a configuration file as skrfs.conf(5) describes it (NULL:
 * /etc/skrfs/skrfs.conf): reads it whole, opens the TPM, finds the TEE. NO_TEE, CONFIG, SYSTEM. */
SKRFS_API int skrfs_client_new(const char *config_path, struct skrfs_client **ret_client,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
SKRFS_API void skrfs_client_free(struct skrfs_client *client);

/* The machine's attestation token: a NUL-terminated text that grants releases, so treat it as a
 * secret; free it with skrfs_token_free, which wipes. `timeout_ms` 0: the configured deadline. */
SKRFS_API int skrfs_client_attest(struct skrfs_client *client, unsigned timeout_ms,
        char **ret_token, struct skrfs_error *err) SKRFS_MUST_CHECK;
SKRFS_API void skrfs_token_free(char *token);

#define SKRFS_FORMAT_PLAIN (-2) /* raw octets of a symmetric key, DER (PKCS #8) of another */
/* Releases the key of section [key NAME] in `format` (-1: as configured), `version` NULL: as
 * configured. The bytes are read with skrfs_secret_data() and go with skrfs_secret_unref(). Errors
 * as in skrfs(8). */
SKRFS_API int skrfs_client_get(struct skrfs_client *client, const char *name, const char *version,
        int format, unsigned timeout_ms, struct skrfs_secret **ret_secret,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
