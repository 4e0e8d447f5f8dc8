#include <skrfs/evidence/evidence.h>

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
    };
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
    skrfs_wipe(evidence->nonce, sizeof(evidence->nonce));
}

void skrfs_sealed_token_init(struct skrfs_sealed_token *token) {
    *token = (struct skrfs_sealed_token){
            .inner_key = SKRFS_BUF(256),
            .iv = SKRFS_BUF(64),
            .tag = SKRFS_BUF(16),
            .cipher = SKRFS_BUF(SKRFS_TOKEN_MAX),
    };
}

void skrfs_sealed_token_done(struct skrfs_sealed_token *token) {
    skrfs_buf_done(&token->inner_key);
    skrfs_buf_done(&token->iv);
    skrfs_buf_done(&token->tag);
    skrfs_buf_done(&token->cipher);
}
