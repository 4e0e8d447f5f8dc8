/* Everything that is asked of Azure, with answers of the fuzzer's: tokens, certificates,
 * attestation, keys. The input's first line chooses, by one character each: what is done (acilops
 * r), the identity (0-6), where managed identities are asked for (0-2), the kind of evidence (1-4),
 * the source of certificates (0-5, or all), and flags: 1 the tenant is known, 2 do it twice. Then
 * the evidence (a report; of a release the attestation token), and the answers (network.h).
 *
 * What was sent up as a failure is for people: it may hold no secret and no control character. */
#include "../../../src/azure/login.h"
#include "network.h"

#include <fcntl.h>
#include <limits.h>
#include <skrfs/crypto/encoding.h>
#include <skrfs/crypto/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define SECRET "hunter2-hunter2"
#define KNOWN_TENANT "72f988bf-86f1-41af-91ab-2d7cd011db47"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* leaks are not looked for: the client certificate's key was made with OpenSSL's generator */
static char arc[] = "/tmp/skrfs-fuzz-arc-XXXXXX", certificate[64], federated[64];
static struct skrfs_secret *jwk;

static const char *const arc_keys[][2] = {
        {"good.key", SECRET "\n"}, {"empty.key", "\n"}, {"odd.key", "a b"}};

static void write_file(const char *name, const char *text) {
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", arc, name);
    skrfs_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        abort();
}

static void remove_files(void) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(arc_keys); i++) {
        char path[PATH_MAX];
        (void)snprintf(path, sizeof(path), "%s/%s", arc, arc_keys[i][0]);
        (void)unlink(path);
    }
    (void)rmdir(arc);
}

/* A file in memory, by its path; it stays open. */
static void keep(struct skrfs_bytes text, char *ret_path, size_t size) {
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, text.data, text.len) != (ssize_t)text.len)
        abort();
    (void)snprintf(ret_path, size, "/proc/self/fd/%d", fd);
}

static void make_certificate(void) {
    struct skrfs_error err;
    skrfs_autopkey *key = NULL;
    skrfs_autochain *chain = NULL;
    skrfs_autosecret *plain = NULL;
    skrfs_autosecret *text = NULL;
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    if (skrfs_pkey_new_rsa(2048, &key, &err) < 0)
        abort();
    const struct skrfs_cert_spec spec = {
            .common_name = "client", .subject_key = key, .issuer_key = key, .days = 30};
    if (skrfs_cert_issue(&spec, &chain, &err) < 0 || skrfs_chain_pem(chain, &pem, &err) < 0 ||
            skrfs_pkey_pkcs8(key, &plain, &err) < 0 ||
            skrfs_key_encode(plain, SKRFS_KEY_RSA, SKRFS_FORMAT_PEM, NULL, &text, &err) < 0 ||
            skrfs_key_encode(plain, SKRFS_KEY_RSA, SKRFS_FORMAT_JWK, NULL, &jwk, &err) < 0 ||
            skrfs_buf_append(&pem, skrfs_secret_data(text), skrfs_secret_len(text), &err) < 0)
        abort();
    keep(skrfs_buf_bytes(&pem), certificate, sizeof(certificate));
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static const char token[] = "a.b." SECRET "\n";
    (void)argc;
    (void)argv;
    if (!mkdtemp(arc))
        abort();
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(arc_keys); i++)
        write_file(arc_keys[i][0], arc_keys[i][1]);
    (void)atexit(remove_files);
    keep((struct skrfs_bytes){(const uint8_t *)token, strlen(token)}, federated, sizeof(federated));
    make_certificate();
    return 0;
}

struct choice {
    char op;
    unsigned identity, managed, kind, source, flags;
};

static unsigned digit(struct skrfs_bytes line, size_t at, unsigned limit) {
    unsigned value = at < line.len ? line.data[at] : 0;
    return value >= '0' && value < '0' + limit ? value - '0' : 0;
}

static struct choice choose(struct skrfs_bytes line) {
    return (struct choice){.op = line.len ? (char)line.data[0] : '\0',
            .identity = digit(line, 1, 7),
            .managed = digit(line, 2, 3),
            .kind = digit(line, 3, 5),
            .source = line.len > 4 ? line.data[4] - (unsigned)'0' : SKRFS_CERTS_SOURCES,
            .flags = digit(line, 5, 4)};
}

static void put(struct skrfs_buf *buf, struct skrfs_bytes bytes) {
    struct skrfs_error ignored;
    (void)!skrfs_buf_append(buf, bytes.data, bytes.len, &ignored);
}

static void make_evidence(
        const struct choice *choice, struct skrfs_bytes report, struct skrfs_evidence *evidence) {
    static const struct skrfs_bytes text = {(const uint8_t *)"{\"keys\":[]}", 11};
    skrfs_evidence_init(evidence);
    evidence->kind = (enum skrfs_evidence_kind)choice->kind;
    (void)snprintf(evidence->nonce, sizeof(evidence->nonce), "%064d", 7);
    struct skrfs_buf *const small[] = {&evidence->event_log, &evidence->ak_cert,
            &evidence->ak_public, &evidence->quote, &evidence->quote_signature,
            &evidence->key_public, &evidence->key_certify, &evidence->runtime_data};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(small); i++)
        put(small[i], text);
    put(choice->kind == SKRFS_EVIDENCE_CVM ? &evidence->hcl_report : &evidence->report, report);
    if (choice->flags & 2)
        put(&evidence->endorsements[1], text);
}

static int attest(struct skrfs_cloud *cloud, const struct choice *choice, struct skrfs_bytes report,
        struct skrfs_error *err) {
    skrfs_autoevidence evidence;
    skrfs_autosealed sealed;
    struct skrfs_trace trace;
    skrfs_trace_start(&trace);
    skrfs_sealed_token_init(&sealed);
    make_evidence(choice, report, &evidence);
    return skrfs_cloud_attest(
            cloud, &evidence, skrfs_now_ns() + 3600 * SKRFS_SECOND_NS, &trace, &sealed, err);
}

static int count_key(void *context, const char *kid, bool enabled, struct skrfs_error *err) {
    (void)enabled;
    (void)err;
    *(size_t *)context += strlen(kid);
    return 0;
}

static int release(struct skrfs_cloud *cloud, struct skrfs_bytes given, uint64_t until,
        struct skrfs_error *err) {
    static const char token[] =
            "e30.eyJ4LW1zLWF0dGVzdGF0aW9uLXR5cGUiOiJzZXZzbnB2bSIsImlzcyI6Imh0dHBzOi8vYSJ9.c2ln";
    const struct skrfs_release_ask ask = {.name = "disk-data",
            .nonce = "n",
            .token = given.len ? given
                               : (struct skrfs_bytes){(const uint8_t *)token, strlen(token)}};
    struct skrfs_trace trace;
    skrfs_autobuf jws = SKRFS_BUF(SKRFS_JWS_MAX);
    skrfs_trace_start(&trace);
    return skrfs_cloud_release(cloud, &ask, until, &trace, &jws, err);
}

static int act(struct skrfs_cloud *cloud, const struct choice *choice, struct skrfs_bytes report,
        struct skrfs_error *err) {
    static const struct skrfs_bytes policy = {(const uint8_t *)"{}", 2};
    const struct skrfs_key_wish rsa = {
            .name = "disk-data", .kty = "RSA-HSM", .size = 2048, .policy = policy};
    const struct skrfs_key_wish ec = {.name = "disk-data",
            .kty = "EC-HSM",
            .curve = "P-256",
            .policy = policy,
            .immutable = true};
    const struct skrfs_key_wish wish = choice->managed ? ec : rsa;
    skrfs_autovaultkey key = {0};
    uint64_t until = skrfs_now_ns() + 3600 * SKRFS_SECOND_NS;
    size_t told = 0;
    switch (choice->op) {
    case 'a':
        return attest(cloud, choice, report, err);
    case 's':
        return skrfs_cloud_key_show(cloud, 0, "disk-data", NULL, until, &key, err);
    case 'c':
        return skrfs_cloud_key_create(cloud, 0, &wish, until, &key, err);
    case 'i':
        return skrfs_cloud_key_import(cloud, 0, &wish, jwk, until, &key, err);
    case 'o':
        return skrfs_cloud_key_rotate(cloud, 0, "disk-data", until, &key, err);
    case 'p':
        return skrfs_cloud_key_policy(cloud, 0, "disk-data", policy, true, until, &key, err);
    case 'l':
        return skrfs_cloud_key_list(cloud, 0, until, count_key, &told, err);
    default:
        return release(cloud, report, until, err);
    }
}

static bool told; /* the input itself tells the secret */

static void check(const struct skrfs_error *err) {
    if ((!told && strstr(err->message, SECRET)) || !memchr(err->message, 0, sizeof(err->message)))
        abort();
    for (const char *at = err->message; *at; at++)
        if (*at < ' ' || *at > '~')
            abort();
}

static void run(const struct choice *choice, struct skrfs_bytes report) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_cloud_free_p) struct skrfs_cloud *cloud = NULL;
    const enum skrfs_cert_source source = (enum skrfs_cert_source)choice->source;
    struct skrfs_cloud_vault vault = {.name = "prod",
            .url = choice->flags & 2 ? "https://prod.managedhsm.azure.net"
                                     : "https://prod.vault.azure.net",
            .identity = (enum skrfs_identity_kind)choice->identity,
            .tenant = choice->flags & 1 ? KNOWN_TENANT : NULL,
            .client = "an-application",
            .token_file = federated};
    if (choice->identity == SKRFS_IDENTITY_CERTIFICATE)
        vault.identity_id = certificate;
    else if (choice->identity == SKRFS_IDENTITY_SECRET && choice->flags & 2)
        vault.identity_id = federated;
    else if (choice->identity == SKRFS_IDENTITY_SECRET)
        vault.secret = SECRET;
    else
        vault.identity_id = "of-somebody";
    const struct skrfs_cloud_options options = {.attestation_url = "https://a.weu.attest.azure.net",
            .vaults = &vault,
            .vault_count = 1,
            .certificates = {source},
            .certificate_count = source < SKRFS_CERTS_SOURCES,
            .login = {.managed = (enum skrfs_managed)choice->managed,
                    .endpoint = "http://127.0.0.1:40342/token",
                    .header = SECRET,
                    .arc_dir = arc}};
    if (skrfs_cloud_new(&options, &cloud, &err) < 0)
        abort();
    for (unsigned i = 0; i <= choice->flags >> 1; i++)
        if (act(cloud, choice, report, &err) < 0)
            check(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct script script = {data, data + size};
    const struct choice choice = choose(script_next(&script));
    struct skrfs_bytes report = script_next(&script);
    told = size && memmem(data, size, SECRET, strlen(SECRET));
    network_begin(&script, arc);
    run(&choice, report);
    return 0;
}
