/* The TD quote of a TD report, made by the host's quoting enclave behind the metadata service. */
#include "internal.h"

int skrfs_tdquote_answer(struct skrfs_bytes body, struct skrfs_bytes report,
        struct skrfs_buf *quote, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    skrfs_autobuf bytes = SKRFS_BUF(SKRFS_TD_QUOTE_MAX);
    struct skrfs_td_quote parsed;
    uint8_t report_data[64];
    if (skrfs_json_parse((const char *)body.data, body.len, 2 * SKRFS_TD_QUOTE_MAX, &json, err) <
                    0 ||
            skrfs_json_need_base64(json, "quote", SKRFS_BASE64_ANY, &bytes, err) < 0 ||
            skrfs_td_report_data(report, report_data, err) < 0 ||
            skrfs_td_quote_parse(skrfs_buf_bytes(&bytes), &parsed, err) < 0)
        return -1;
    if (!skrfs_equal(parsed.report_data, report_data, sizeof(report_data)))
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the quote is of another report");
    return skrfs_buf_append(quote, bytes.data, bytes.len, err);
}

static int build(struct skrfs_bytes report, struct skrfs_buf *out, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(SMALL_ANSWER_MAX);
    skrfs_autojson *json = NULL;
    if (skrfs_base64_encode(SKRFS_BASE64URL, report.data, report.len, &text, err) < 0 ||
            skrfs_json_pack(&json, err, "{s:s}", "report", skrfs_buf_text(&text)) < 0)
        return -1;
    return skrfs_json_print(json, false, out, err);
}

static int fetch(struct skrfs_cloud *cloud, struct skrfs_bytes report, uint64_t deadline_ns,
        struct skrfs_buf *ret_quote, struct skrfs_error *err) {
    const struct skrfs_http_retry retry = skrfs_retry(RETRY_HOST);
    skrfs_autobuf url = SKRFS_BUF(URL_MAX), body = SKRFS_BUF(SMALL_ANSWER_MAX);
    if (skrfs_buf_printf(&url, err, "%s/acc/tdquote", cloud->imds) < 0 ||
            build(report, &body, err) < 0)
        return -1;
    const struct skrfs_http_request request = {
            .method = "POST",
            .url = skrfs_buf_text(&url),
            .headers = {"Content-Type: application/json"},
            .body = skrfs_buf_bytes(&body),
            .answer_max = 2 * SKRFS_TD_QUOTE_MAX,
            .deadline_ns = deadline_ns,
            .plain = true,
    };
    skrfs_autoanswer answer = {0};
    if (skrfs_http_send(cloud->http, &request, &retry, &answer, err) < 0)
        return skrfs_wrap(err, "the host makes no TD quote");
    if (answer.status != 200)
        return skrfs_refusal_fail(&answer,
                answer.status == 400 ? SKRFS_CLASS_REJECTED : SKRFS_CLASS_UNAVAILABLE, err,
                "the host makes no TD quote");
    if (skrfs_tdquote_answer(skrfs_buf_bytes(&answer.body), report, ret_quote, err) < 0)
        return skrfs_wrap(err, "the host's TD quote");
    return 0;
}

int skrfs_tdquote_get(struct skrfs_cloud *cloud, struct skrfs_bytes report, uint64_t deadline_ns,
        struct skrfs_trace *trace, struct skrfs_buf *ret_quote, struct skrfs_error *err) {
    size_t step = skrfs_trace_begin(trace, "get the TD quote");
    if (fetch(cloud, report, deadline_ns, ret_quote, err) < 0)
        return skrfs_trace_failed(trace, step, err);
    skrfs_trace_end(trace, step, "%zu octets", ret_quote->len);
    return 0;
}
