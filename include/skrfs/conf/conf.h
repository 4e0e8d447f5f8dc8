/* The configuration: INI files, checked whole, into one immutable value. See skrfs.conf(5).
 *
 *     [attestation]                       needed when there is a key
 *     url = https://NAME.REGION.attest.azure.net
 *     [vault NAME]
 *     url = https://NAME.vault.azure.net  host and port, no path
 *     identity = system                   or client-id:, object-id:, resource-id:, workload,
 *                                         secret-file:PATH, certificate-file:PATH
 *     tenant =, client =                  of the last three; [login]'s by default
 *     resource = https://vault.azure.net  needed for hosts outside the known clouds
 *     [key FILE]                          up to 100 letters, digits, '.', '_', '-'; no '.' in front
 *     vault = NAME                        may be left out when there is one
 *     name =, version =                   in the vault: FILE, and the current one
 *     format = pem                        the names of base/format.h
 *     enc = RSA_AES_KEY_WRAP_256          or RSA_AES_KEY_WRAP_384, CKM_RSA_AES_KEY_WRAP
 *     owner =, group =                    names or numbers
 *     mode = 0400                         read bits only
 *     allow =, deny =                     rules of access/access.h; indented lines continue them
 *     hide = no                           from whoever may not open it
 *     hours = mon-fri 08:00-18:00         (UTC), outside of which nobody reads it
 *     reads = N, until = TIME, DURATION or unit:NAME; of access/limits.h
 *     refresh = 1h
 *     stale = 0
 *     [network] ca-file, proxy, connect-timeout, deadline
 *     [imds] url
 *     [login] cloud = public, china, usgov; authority =, tenant =, client =, token-file =,
 *             managed = auto, imds, app-service, arc; arc-dir =
 *     [tee] kind = auto, azure-cvm, snp, tdx, sgx; tsm =, device =, attestation =, context =,
 *           certificates = context report file thim cache kds, certificates-file =, cache-url =,
 *           kds-url =, init-data =, allow-debug = no
 *     [tpm] tcti, event-log
 *     [mount] path, allow-other
 *     [audit] journal = auto, yes, no; file =, required = no, max-size = 0, keep = 8
 *     [lab] dir
 *
 * Comments begin with ';' or '#' in front of a line, or with a ';' behind a blank. Names begin in
 * the first column. Text is UTF-8. A section, and a name in it, is there once a file. A drop-in may
 * add sections, and may open one again to set more names or to set one anew: the later file wins.
 */
#ifndef SKRFS_CONF_CONF_H
#define SKRFS_CONF_CONF_H

#include <skrfs/access/limits.h>
#include <skrfs/base/cleanup.h>
#include <skrfs/base/format.h>

#define SKRFS_CONF_PATH "/etc/skrfs/skrfs.conf"
#define SKRFS_CONF_MAX ((size_t)8 * 1024 * 1024)
#define SKRFS_CONF_KEYS_MAX 100000
#define SKRFS_CONF_VAULTS_MAX 64

struct skrfs_conf_vault {
    char *name;
    char *url; /* https, no trailing slash */
    char *host;
    char *identity;        /* "system" by default */
    char *resource;        /* NULL: from the host's suffix */
    char *tenant, *client; /* NULL: those of [login] */
    char *secret_variable; /* the environment variable that holds the client secret; NULL: none. Not
                              set by a file */
    bool managed_hsm;      /* the host is a Managed HSM's, by its suffix or its resource */
};

struct skrfs_conf_key {
    char *file;               /* the section's name: keys/<file> */
    size_t vault;             /* index */
    char *name;               /* in the vault; the file's name by default */
    char *version;            /* NULL: the current one */
    enum skrfs_format format; /* pem by default */
    char *enc;                /* "RSA_AES_KEY_WRAP_256" by default */
    struct skrfs_guard guard; /* owner and group: of who reads the configuration; mode 0400 */
    bool hide;                /* who may not open it does not find it */
    struct skrfs_limits limits;
    uint64_t refresh_ns; /* 1h by default */
    uint64_t stale_ns;   /* 0 by default */
};

enum skrfs_conf_journal { SKRFS_CONF_JOURNAL_AUTO, SKRFS_CONF_JOURNAL_YES, SKRFS_CONF_JOURNAL_NO };

struct skrfs_conf {
    uid_t owner; /* whose mount it is: of who reads the configuration */
    gid_t group;
    char *attestation_url;
    struct skrfs_conf_vault *vaults;
    size_t vault_count;
    struct skrfs_conf_key *keys;
    size_t key_count;
    char *ca_file, *proxy;       /* NULL: the system's store; none */
    uint64_t connect_timeout_ns; /* 5s; 1s to 1h */
    uint64_t deadline_ns;        /* 30s: longest wait of one open; 1s to 1h */
    char *imds_url;              /* NULL: the real one */
    struct {
        char *cloud;                        /* "public" by default */
        char *authority;                    /* NULL: the cloud's */
        char *tenant, *client, *token_file; /* NULL: not set */
        char *managed;                      /* "auto" by default */
        char *arc_dir;                      /* NULL: the agent's own */
    } login;
    struct {
        char *kind; /* "auto" by default */
        char *tsm, *device, *attestation, *context, *certificates_file, *init_data; /* or NULL */
        char *certificates;        /* names in order; NULL: all */
        char *cache_url, *kds_url; /* or NULL */
        bool allow_debug;
    } tee;
    struct {
        enum skrfs_conf_journal journal;
        char *file;        /* NULL: none */
        bool required;     /* what cannot be recorded is refused */
        uint64_t max_size; /* octets after which the file is put aside; 0: never */
        unsigned keep;     /* files put aside that are kept */
    } audit;
    char *tcti;       /* NULL: device:/dev/tpmrm0 */
    char *event_log;  /* NULL: the kernel's; "none": sent without one */
    char *mount_path; /* NULL: given on the command line */
    bool allow_other; /* true by default for root */
    char *lab_dir; /* [lab] dir: set by `skrfs lab up` alone; every status says that it is a lab */
    char *source;  /* path that was read, for messages */
    char digest[65]; /* SHA-256, hexadecimal, of all that was read, one file behind the other */
};

/* Reads `path` (NULL: SKRFS_CONF_PATH) and, beside it, `<path>.d/` drop-ins (*.conf in order of
 * name). A wrong configuration is refused whole: CONFIG, "file:line:column: what, and what was
 * probably meant"; the first wrong place is reported. So is a file that is not there or that
 * everybody may write. SYSTEM when it cannot be read. Thread safe as far as getpwnam_r and
 * getgrnam_r are. */
int skrfs_conf_load(
        const char *path, struct skrfs_conf **ret_conf, struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The same for a mount of another user than the calling process's: keys without `owner` or `group`
 * are this user's and group's, and `allow-other` is by default what it is for this user. */
int skrfs_conf_load_for(const char *path, uid_t owner, gid_t group, struct skrfs_conf **ret_conf,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The same from text already read; `name` is used in messages. For tests and fuzzing. */
int skrfs_conf_parse(const char *name, const char *text, size_t len, struct skrfs_conf **ret_conf,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
/* The same, and where all of it stands. */
struct skrfs_conf_map;
int skrfs_conf_load_mapped(const char *path, struct skrfs_conf **ret_conf,
        struct skrfs_conf_map **ret_map, struct skrfs_error *err) SKRFS_MUST_CHECK;
int skrfs_conf_parse_mapped(const char *name, const char *text, size_t len,
        struct skrfs_conf **ret_conf, struct skrfs_conf_map **ret_map,
        struct skrfs_error *err) SKRFS_MUST_CHECK;
void skrfs_conf_map_free(struct skrfs_conf_map *map);
SKRFS_DEFINE_CLEANUP(struct skrfs_conf_map, skrfs_conf_map_free)
/* Lines and columns from 1; `file` is the map's. */
struct skrfs_conf_place {
    const char *file;
    unsigned line, column;
};
/* Where [key KEY] begins or, with a `name`, its value of that name at `offset` octets into the text
 * (continued lines counted as joined by one blank). False when it is not set. */
bool skrfs_conf_where(const struct skrfs_conf_map *map, const char *key, const char *name,
        size_t offset, struct skrfs_conf_place *ret_place);

/* Names of users and groups as the configuration's own are looked up: in the system's database,
 * numbers too. */
void skrfs_conf_names(struct skrfs_names *ret_names);

void skrfs_conf_free(struct skrfs_conf *conf);
SKRFS_DEFINE_CLEANUP(struct skrfs_conf, skrfs_conf_free)

#endif
