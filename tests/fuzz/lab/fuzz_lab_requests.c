/* Requests to the lab's services, one after the other, to a lab without keys. Each is
 *
 *     SERVICE METHOD PATH QUERY          (i m v h l, or a Host header; a query of "-" is none)
 *     Name: value                        headers, then an empty line
 *     body
 *
 * In header values and bodies these stand for what a client would have: @vault@, @hsm@ and @maa@
 * for access tokens, @attested@ for an attestation token, @federated@ for a federated one,
 * @evidence@ for a body that the attestation service takes, @secret@ and @header@ for the
 * application's and the App Service endpoint's secret. Each request is answered.
 *
 * leaks are not looked for: the keys were made with OpenSSL's generator. */
#include "directory.h"
#include "faults.h"
#include "jwt.h"
#include "maa.h"
#include "state.h"

#include "../script.h"

#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <stdio.h>
#include <strings.h>

int __real_skrfs_pkey_new_rsa(unsigned bits, struct skrfs_pkey **ret_key, struct skrfs_error *err);
int __wrap_skrfs_pkey_new_rsa(unsigned bits, struct skrfs_pkey **ret_key, struct skrfs_error *err);
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX ((size_t)256 * 1024)

static struct skrfs_lab *lab;

/* What a mark stands for. */
static struct mark {
    const char *mark;
    struct skrfs_buf text;
} marks[] = {{"@vault@", SKRFS_BUF(TEXT_MAX)}, {"@hsm@", SKRFS_BUF(TEXT_MAX)},
        {"@maa@", SKRFS_BUF(TEXT_MAX)}, {"@attested@", SKRFS_BUF(TEXT_MAX)},
        {"@evidence@", SKRFS_BUF(TEXT_MAX)}, {"@secret@", SKRFS_BUF(TEXT_MAX)},
        {"@header@", SKRFS_BUF(TEXT_MAX)}, {"@federated@", SKRFS_BUF(TEXT_MAX)}};

/* Making RSA keys takes most of the time: each after the first ones is a copy of one. */
static struct skrfs_secret *made;

int __wrap_skrfs_pkey_new_rsa(unsigned bits, struct skrfs_pkey **ret_key, struct skrfs_error *err) {
    if (!made)
        return __real_skrfs_pkey_new_rsa(bits, ret_key, err);
    return skrfs_pkey_from_pkcs8(skrfs_secret_data(made), skrfs_secret_len(made), ret_key, err);
}

static void check(int result) {
    if (result < 0)
        abort();
}

static void make_attested(struct skrfs_buf *out) {
    struct skrfs_error err;
    struct skrfs_public public;
    skrfs_autopkey *key = NULL;
    skrfs_autojson *header = NULL, *claims = NULL;
    struct skrfs_json *jwk = NULL, *text = NULL;
    int64_t now = skrfs_wall_s();
    check(skrfs_pkey_new_rsa(2048, &key, &err));
    check(skrfs_pkey_public(key, &public, &err));
    check(skrfs_pkey_pkcs8(key, &made, &err));
    check(skrfs_lab_jwk(&public, "RSA", false, &jwk, &err));
    check(skrfs_json_pack(&text, &err, "s", "TpmEphemeralEncryptionKey"));
    check(skrfs_json_set(jwk, "kid", text, &err));
    text = NULL;
    check(skrfs_json_pack(&text, &err, "[s]", "encrypt"));
    check(skrfs_json_set(jwk, "key_ops", text, &err));
    check(skrfs_json_pack(&header, &err, "{s:s, s:s}", "alg", "RS256", "typ", "JWT"));
    check(skrfs_json_pack(&claims, &err, "{s:s, s:I, s:I, s:s, s:{s:[o]}}", "iss", lab->maa_url,
            "nbf", now - 60, "exp", now + 86400, "x-ms-attestation-type", "sevsnpvm",
            "x-ms-runtime", "keys", jwk));
    check(skrfs_lab_jwt_sign(lab->pki->maa.key, header, claims, out, &err));
}

static void put_base64(struct skrfs_buf *out, const void *data, size_t len) {
    struct skrfs_error err;
    check(skrfs_base64_encode(SKRFS_BASE64URL, data, len, out, &err));
}

static void make_evidence(struct skrfs_buf *out) {
    static const char runtime[] = "{\"keys\":[]}";
    struct skrfs_error err;
    struct skrfs_lab_snp_wish wish = {.policy = SKRFS_LAB_SNP_POLICY};
    uint8_t report[SKRFS_LAB_SNP_REPORT_LEN];
    skrfs_autobuf inner = SKRFS_BUF(TEXT_MAX), pem = SKRFS_BUF(TEXT_MAX);
    check(skrfs_hash(SKRFS_SHA256, runtime, sizeof(runtime) - 1, wish.report_data, &err));
    check(skrfs_lab_make_snp_report(lab->pki, &wish, report, &err));
    check(skrfs_chain_pem(lab->pki->vcek.chain, &pem, &err));
    check(skrfs_buf_append_text(&inner, "{\"SnpReport\":\"", &err));
    put_base64(&inner, report, sizeof(report));
    check(skrfs_buf_append_text(&inner, "\",\"VcekCertChain\":\"", &err));
    put_base64(&inner, pem.data, pem.len);
    check(skrfs_buf_append_text(&inner, "\"}", &err));
    check(skrfs_buf_append_text(out, "{\"report\":\"", &err));
    put_base64(out, inner.data, inner.len);
    check(skrfs_buf_append_text(
            out, "\",\"runtimeData\":{\"dataType\":\"JSON\",\"data\":\"", &err));
    put_base64(out, runtime, sizeof(runtime) - 1);
    check(skrfs_buf_append_text(out, "\"}}", &err));
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static const char *const resources[] = {
            "https://vault.azure.net", "https://managedhsm.azure.net", "https://attest.azure.net"};
    const struct skrfs_lab_ports ports = {1, 2};
    struct skrfs_error err;
    (void)argc;
    (void)argv;
    check(skrfs_crypto_setup(&err));
    check(skrfs_lab_new(&ports, false, false, &lab, &err));
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(resources); i++) {
        check(skrfs_buf_append_text(&marks[i].text, "Bearer ", &err));
        check(skrfs_lab_access_token(lab, resources[i], NULL, &marks[i].text, &err));
    }
    make_attested(&marks[3].text);
    make_evidence(&marks[4].text);
    check(skrfs_buf_append_text(&marks[5].text, lab->directory->secret, &err));
    check(skrfs_buf_append_text(&marks[6].text, lab->directory->identity_header, &err));
    check(skrfs_lab_federated_token(lab->directory, skrfs_wall_s(), &marks[7].text, &err));
    return 0;
}

static const struct mark *mark_at(const char *text, size_t left) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(marks); i++)
        if (strlen(marks[i].mark) <= left &&
                memcmp(text, marks[i].mark, strlen(marks[i].mark)) == 0)
            return &marks[i];
    return NULL;
}

/* With its marks replaced; what does not fit is left out. */
static void replace_marks(struct skrfs_bytes part, struct skrfs_buf *out) {
    struct skrfs_error ignored;
    for (size_t i = 0; i < part.len;) {
        const struct mark *mark = mark_at((const char *)part.data + i, part.len - i);
        if (mark)
            (void)!skrfs_buf_append(out, mark->text.data, mark->text.len, &ignored);
        else
            (void)!skrfs_buf_append(out, part.data + i, 1, &ignored);
        i += mark ? strlen(mark->mark) : 1;
    }
}

struct call {
    char *headers, *query;
    char found[4][8192];
    unsigned next;
};

/* "name<joint>value" in a list. */
static const char *find(
        struct call *call, const char *list, const char *ends, char joint, const char *name) {
    size_t len = strlen(name);
    while (list && *list) {
        size_t entry = strcspn(list, ends);
        if (entry > len && list[len] == joint && strncasecmp(list, name, len) == 0) {
            char *out = call->found[call->next++ % 4];
            const char *value = list + len + 1;
            value += strspn(value, " ");
            (void)snprintf(out, sizeof(call->found[0]), "%.*s", (int)(list + entry - value), value);
            return out;
        }
        list += entry + (list[entry] != '\0');
    }
    return NULL;
}

static const char *header_of(const void *context, const char *name) {
    struct call *call = (struct call *)(uintptr_t)context;
    return find(call, call->headers, "\n", ':', name);
}

static const char *query_of(const void *context, const char *name) {
    struct call *call = (struct call *)(uintptr_t)context;
    return find(call, call->query, "&", '=', name);
}

static enum skrfs_lab_service service_of(const char *word) {
    static const char letters[] = "imvhl";
    const char *at = word && *word ? strchr(letters, *word) : NULL;
    return at && !word[1] ? (enum skrfs_lab_service)(at - letters) : skrfs_lab_service_of(word);
}

/* Headers and body behind the first line; both end with NUL. */
static void serve(char *head, struct skrfs_bytes body) {
    struct skrfs_lab_answer answer;
    struct call call = {.headers = strchr(head, '\n')};
    char *rest = NULL;
    if (call.headers)
        *call.headers++ = '\0';
    struct skrfs_lab_request request = {.service = service_of(strtok_r(head, " ", &rest)),
            .method = strtok_r(NULL, " ", &rest),
            .path = strtok_r(NULL, " ", &rest),
            .body = body,
            .header = header_of,
            .query = query_of,
            .context = &call};
    call.query = strtok_r(NULL, " ", &rest);
    if (!request.path || !request.method || strlen(request.method) > 20)
        return;
    skrfs_lab_answer_init(&answer, request.service);
    skrfs_lab_serve(lab, &request, &answer);
    if (answer.status < 200 || answer.status > 599)
        abort();
    skrfs_lab_answer_done(&answer);
}

static void take(struct skrfs_bytes part) {
    struct skrfs_error ignored;
    const uint8_t *blank = part.len ? memmem(part.data, part.len, "\n\n", 2) : NULL;
    size_t head_len = blank ? (size_t)(blank - part.data) : part.len;
    skrfs_autobuf head = SKRFS_BUF(TEXT_MAX), body = SKRFS_BUF(TEXT_MAX * 4);
    replace_marks((struct skrfs_bytes){part.data, head_len}, &head);
    if (blank)
        replace_marks((struct skrfs_bytes){blank + 2, part.len - head_len - 2}, &body);
    if (skrfs_buf_append(&head, "", 1, &ignored) == 0)
        serve((char *)head.data, skrfs_buf_bytes(&body));
}

/* As it was made. */
static void begin(void) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(lab->vaults); i++) {
        skrfs_lab_vault_done(&lab->vaults[i]);
        lab->vaults[i].keys = NULL;
        lab->vaults[i].key_count = lab->vaults[i].key_room = 0;
        memset(lab->vaults[i].recent_ns, 0, sizeof(lab->vaults[i].recent_ns));
    }
    skrfs_lab_faults_clear(lab);
    lab->settings = lab->first;
    lab->claims_wanted_s = 0;
    lab->arc_key[0] = lab->arc_path[0] = '\0';
    memset(lab->counters, 0, sizeof(lab->counters));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct script script = {data, data + size};
    begin();
    for (unsigned i = 0; i < 12 && script.at < script.end; i++)
        take(script_next(&script));
    return 0;
}
