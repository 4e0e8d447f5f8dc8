/* Keys as Mystikos has them declared: the array "Secret" of its config.json, as in
 * github.com/deislabs/mystikos, doc/design/secret-provisioning.md:
 *
 *     {"Secret": [{"ID": "disk-data", "SrsAddress": "https://contoso.managedhsm.azure.net",
 *                  "SrsApiVersion": "7.4", "LocalPath": "/run/keys/disk-data",
 *                  "ClientLib": "libmhsm_ssr.so", "Verbose": 0}]}
 *
 * or the array alone. ID, SrsAddress and LocalPath are needed; the client's library is skrfs itself
 * here. Other members beside "Secret" are Mystikos's own and are not looked at. */
#ifndef SKRFS_CLIENT_MYSTIKOS_H
#define SKRFS_CLIENT_MYSTIKOS_H

#include <skrfs/base/buf.h>
#include <skrfs/conf/conf.h>

#define SKRFS_MYSTIKOS_MAX ((size_t)1024 * 1024)
#define SKRFS_MYSTIKOS_SECRETS 256

struct skrfs_mystikos_secret {
    char *id;      /* the key's name: letters, digits, '-' */
    char *address; /* https://host[:port] */
    char *path;    /* absolute, of plain names: no empty one, no "." and ".." */
    bool verbose;
};
struct skrfs_mystikos {
    struct skrfs_mystikos_secret *secrets;
    size_t count;
    bool client_lib; /* one names a library, which is not used */
};

/* Reads such a text; `name` is for messages. CONFIG, "name:line:column: what is wrong". Thread
 * safe. */
int skrfs_mystikos_parse(const char *name, const char *text, size_t len,
        struct skrfs_mystikos *ret_mystikos, struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_mystikos_done(struct skrfs_mystikos *mystikos);
#define skrfs_automystikos SKRFS_CLEANUP(skrfs_mystikos_done) struct skrfs_mystikos

/* Who Mystikos's environment says to log in as: CLIENT_ID, CLIENT_SECRET (only whether it is set),
 * APP_ID (the tenant) and MHSM_AAD_URL (the authority). */
struct skrfs_mystikos_login {
    const char *client, *tenant, *authority; /* NULL: not set */
    bool secret;
};
/* Puts the secrets in the place of the configuration's keys: key i is called "secret-I" and has
 * mode 0640. A vault of the configuration with the same address is used as it is
 * configured; others are added. With a client and a secret all of them are asked as that client.
 * CONFIG. */
int skrfs_mystikos_apply(const struct skrfs_mystikos *mystikos,
        const struct skrfs_mystikos_login *login, struct skrfs_conf *conf,
        struct skrfs_error *err) SKRFS_MUST_CHECK;

#endif
