#include <skrfs/evidence/evidence.h>
#include <string.h>

static const char *const source_names[SKRFS_CERTS_SOURCES] = {
        [SKRFS_CERTS_CONTEXT] = "context",
        [SKRFS_CERTS_REPORT] = "report",
        [SKRFS_CERTS_FILE] = "file",
        [SKRFS_CERTS_THIM] = "thim",
        [SKRFS_CERTS_CACHE] = "cache",
        [SKRFS_CERTS_KDS] = "kds",
};

const char *skrfs_cert_source_name(enum skrfs_cert_source source) {
    return source_names[source];
}

bool skrfs_cert_source_parse(const char *name, size_t len, enum skrfs_cert_source *ret_source) {
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(source_names); i++)
        if (strlen(source_names[i]) == len && memcmp(source_names[i], name, len) == 0) {
            *ret_source = (enum skrfs_cert_source)i;
            return true;
        }
    return false;
}

void skrfs_evidence_init(struct skrfs_evidence *evidence) {
    *evidence = (struct skrfs_evidence){
            .kind = SKRFS_EVIDENCE_CVM,
            .hcl_report = SKRFS_BUF(SKRFS_HCL_MAX),
            .event_log = SKRFS_BUF(SKRFS_EVENT_LOG_MAX),
            .ak_cert = SKRFS_BUF(SKRFS_AK_CERT_MAX),
            .ak_public = SKRFS_BUF(SKRFS_EVIDENCE_BLOB_MAX),
            .quote = SKRFS_BUF(SKRFS_EVIDENCE_BLOB_MAX),
            .quote_signature = SKRFS_BUF(SKRFS_EVIDENCE_BLOB_MAX),
            .key_public = SKRFS_BUF(SKRFS_EVIDENCE_BLOB_MAX),
            .key_certify = SKRFS_BUF(SKRFS_EVIDENCE_BLOB_MAX),
            .key_certify_signature = SKRFS_BUF(SKRFS_EVIDENCE_BLOB_MAX),
            .report = SKRFS_BUF(SKRFS_HARDWARE_REPORT_MAX),
            .runtime_data = SKRFS_BUF(SKRFS_RUNTIME_DATA_MAX),
            .init_data = SKRFS_BUF(SKRFS_INIT_DATA_MAX),
    };
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(evidence->certificates); i++)
        evidence->certificates[i] = SKRFS_BUF(SKRFS_CERTIFICATES_MAX);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(evidence->endorsements); i++)
        evidence->endorsements[i] = SKRFS_BUF(SKRFS_ENDORSEMENT_MAX);
}

void skrfs_evidence_done(struct skrfs_evidence *evidence) {
    skrfs_buf_done(&evidence->hcl_report);
    skrfs_buf_done(&evidence->event_log);
    skrfs_buf_done(&evidence->ak_cert);
    skrfs_buf_done(&evidence->ak_public);
    skrfs_buf_done(&evidence->quote);
    skrfs_buf_done(&evidence->quote_signature);
    skrfs_buf_done(&evidence->key_public);
    skrfs_buf_done(&evidence->key_certify);
    skrfs_buf_done(&evidence->key_certify_signature);
    skrfs_buf_done(&evidence->report);
    skrfs_buf_done(&evidence->runtime_data);
    skrfs_buf_done(&evidence->init_data);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(evidence->certificates); i++)
        skrfs_buf_done(&evidence->certificates[i]);
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(evidence->endorsements); i++)
        skrfs_buf_done(&evidence->endorsements[i]);
    skrfs_wipe(evidence->nonce, sizeof(evidence->nonce));
}

void skrfs_sealed_token_init(struct skrfs_sealed_token *token) {
    *token = (struct skrfs_sealed_token){
            .clear = SKRFS_BUF(SKRFS_TOKEN_MAX),
            .inner_key = SKRFS_BUF(256),
            .iv = SKRFS_BUF(64),
            .tag = SKRFS_BUF(16),
            .cipher = SKRFS_BUF(SKRFS_TOKEN_MAX),
    };
}

void skrfs_sealed_token_done(struct skrfs_sealed_token *token) {
    skrfs_buf_done(&token->clear);
    skrfs_buf_done(&token->inner_key);
    skrfs_buf_done(&token->iv);
    skrfs_buf_done(&token->tag);
    skrfs_buf_done(&token->cipher);
}
