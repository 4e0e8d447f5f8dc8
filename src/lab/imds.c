/* The instance metadata service: tokens for managed identities, VCEK certificates, TD quotes. */
#include "hardware.h"
#include "jwt.h"
#include "managed.h"

#include <skrfs/base/encode.h>
#include <stdio.h>
#include <string.h>

int skrfs_lab_thim_json(const struct skrfs_lab_pki *pki, bool stale, struct skrfs_json **ret_json,
        struct skrfs_error *err) {
    const struct skrfs_lab_tcb *tcb = stale ? &pki->stale : &pki->reported;
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    char tcbm[17];
    if (skrfs_chain_pem(stale ? pki->stale_vcek : pki->vcek.chain, &pem, err) < 0)
        return -1;
    const char *end = strstr(skrfs_buf_text(&pem), "-----END CERTIFICATE-----\n");
    if (!end)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "the VCEK chain has no PEM");
    end += strlen("-----END CERTIFICATE-----\n");
    (void)snprintf(tcbm, sizeof(tcbm), "%02x%02x00000000%02x%02x", tcb->microcode, tcb->snp,
            tcb->tee, tcb->bootloader);
    return skrfs_json_pack(ret_json, err, "{s:s%,s:s,s:s,s:s}", "vcekCert", skrfs_buf_text(&pem),
            (size_t)(end - skrfs_buf_text(&pem)), "tcbm", tcbm, "certificateChain", end,
            "cacheControl", "86400");
}

static void thim(struct skrfs_lab *lab, struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    struct skrfs_json *json = NULL;
    if (lab->tdx) {
        (void)skrfs_lab_refuse(answer, 404, "not_found", "This is no AMD machine");
        return;
    }
    if (skrfs_lab_thim_json(lab->pki, answer->deed == SKRFS_LAB_STALE_VCEK, &json, &err) < 0)
        (void)skrfs_lab_broken(answer, &err);
    else
        (void)skrfs_lab_reply(answer, json);
}

static int quote(struct skrfs_lab *lab, struct skrfs_bytes body, struct skrfs_json **ret_json,
        struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    skrfs_autobuf report = SKRFS_BUF((size_t)4096);
    skrfs_autobuf made = SKRFS_BUF((size_t)64 * 1024);
    struct skrfs_json *text = NULL;
    if (skrfs_json_parse((const char *)body.data, body.len, (size_t)16 * 1024, &json, err) < 0 ||
            skrfs_json_need_base64(json, "report", SKRFS_BASE64_ANY, &report, err) < 0 ||
            skrfs_lab_quote_td(lab->pki, skrfs_buf_bytes(&report), &made, err) < 0 ||
            skrfs_lab_base64_json(SKRFS_BASE64URL, skrfs_buf_bytes(&made), &text, err) < 0)
        return -1;
    return skrfs_json_pack(ret_json, err, "{s:o}", "quote", text);
}

static void td_quote(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    struct skrfs_json *json = NULL;
    if (!lab->tdx)
        (void)skrfs_lab_refuse(answer, 404, "not_found", "This is no Intel TDX machine");
    else if (quote(lab, request->body, &json, &err) < 0)
        (void)skrfs_lab_refuse(answer, 400, "invalid_request", "%s", err.message);
    else
        (void)skrfs_lab_reply(answer, json);
}

/* A path with or without a slash at the end: some clients put one before the query. */
static bool same_path(const char *path, const char *wanted) {
    size_t len = strlen(wanted);
    return strncmp(path, wanted, len) == 0 && (!path[len] || strcmp(path + len, "/") == 0);
}

static void thim_checked(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer) {
    if (skrfs_lab_metadata_check(request, answer) == 0)
        thim(lab, answer);
}

void skrfs_lab_imds(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer) {
    static const struct {
        const char *method, *path;
        enum skrfs_lab_place at;
        void (*act)(
                struct skrfs_lab *, const struct skrfs_lab_request *, struct skrfs_lab_answer *);
    } routes[] = {
            {"GET", "/metadata/identity/oauth2/token", SKRFS_LAB_AT_IMDS_TOKEN,
                    skrfs_lab_imds_token},
            {"GET", "/msi/token", SKRFS_LAB_AT_IMDS_TOKEN, skrfs_lab_app_service_token},
            {"GET", "/arc/metadata/identity/oauth2/token", SKRFS_LAB_AT_IMDS_TOKEN,
                    skrfs_lab_arc_token},
            {"GET", "/metadata/THIM/amd/certification", SKRFS_LAB_AT_THIM, thim_checked},
            /* The quote service is not under /metadata and asks for no header. */
            {"POST", "/acc/tdquote", SKRFS_LAB_AT_TDQUOTE, td_quote},
    };
    size_t i = 0;
    while (i < SKRFS_ARRAY_LEN(routes) && !same_path(request->path, routes[i].path))
        i++;
    if (i == SKRFS_ARRAY_LEN(routes))
        (void)skrfs_lab_refuse(answer, 404, "not_found", "Resource not found");
    else if (strcmp(routes[i].method, request->method) != 0)
        (void)skrfs_lab_refuse(answer, 405, "method_not_allowed", "Method not allowed");
    else if (skrfs_lab_enter(lab, routes[i].at, answer))
        routes[i].act(lab, request, answer);
}
