#include "calls.h"

#include "support.h"
#include <strings.h>

/* Finds "name=value" in a list; copies of values live until the next call. */
static const char *find(const char *list, char separator, const char *name) {
    static char values[8][4096];
    static unsigned next;
    size_t name_len = strlen(name);
    for (const char *entry = list; entry && *entry;) {
        const char *end = strchr(entry, separator);
        size_t len = end ? (size_t)(end - entry) : strlen(entry);
        if (len > name_len && entry[name_len] == '=' && strncasecmp(entry, name, name_len) == 0) {
            char *value = values[next++ % 8];
            snprintf(value, sizeof(values[0]), "%.*s", (int)(len - name_len - 1),
                    entry + name_len + 1);
            return value;
        }
        entry = end ? end + 1 : NULL;
    }
    return NULL;
}

static const char *header_of(const void *context, const char *name) {
    return find(((const struct call *)context)->headers, '\n', name);
}

static const char *query_of(const void *context, const char *name) {
    return find(((const struct call *)context)->query, '&', name);
}

void call_lab(struct skrfs_lab *lab, const struct call *call, struct skrfs_lab_answer *answer) {
    struct skrfs_lab_request request = {.service = call->service,
            .method = call->method,
            .path = call->path,
            .body = {(const uint8_t *)(call->body ? call->body : ""),
                    call->body ? strlen(call->body) : 0},
            .header = header_of,
            .query = query_of,
            .context = call};
    skrfs_lab_answer_init(answer, call->service);
    skrfs_lab_serve(lab, &request, answer);
}

unsigned call_json(struct skrfs_lab *lab, const struct call *call, struct skrfs_json **ret_json) {
    struct skrfs_lab_answer answer;
    struct skrfs_error err;
    call_lab(lab, call, &answer);
    if (ret_json && skrfs_json_parse(skrfs_buf_text(&answer.body), answer.body.len, answer.body.max,
                            ret_json, &err) < 0)
        *ret_json = NULL;
    unsigned status = answer.status;
    skrfs_lab_answer_done(&answer);
    return status;
}

const char *bearer(struct skrfs_lab *lab, enum skrfs_lab_service service) {
    static char text[4096];
    skrfs_autobuf token = SKRFS_BUF(4000);
    struct skrfs_error err;
    const char *resource =
            service == SKRFS_LAB_HSM ? "https://managedhsm.azure.net" : "https://vault.azure.net";
    assert_ok(skrfs_lab_access_token(lab, resource, NULL, &token, &err), err);
    snprintf(text, sizeof(text), "Authorization=Bearer %s", skrfs_buf_text(&token));
    return text;
}

void run_rows(struct skrfs_lab *lab, const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct skrfs_lab_answer answer;
        struct call call = {rows[i].service, rows[i].method, rows[i].path, rows[i].query,
                rows[i].headers, rows[i].body};
        if (call.headers && strcmp(call.headers, "bearer") == 0)
            call.headers = bearer(lab, call.service);
        call_lab(lab, &call, &answer);
        if (answer.status != rows[i].status ||
                !strstr(skrfs_buf_text(&answer.body), rows[i].said)) {
            print_error("row %zu, %s %s: %u %s\n", i, call.method, call.path, answer.status,
                    skrfs_buf_text(&answer.body));
            fail();
        }
        skrfs_lab_answer_done(&answer);
    }
}

const char *text_at(const struct skrfs_json *json, const char *outer, const char *name) {
    const char *text =
            skrfs_json_string(skrfs_json_get(outer ? skrfs_json_get(json, outer) : json, name));
    return text ? text : "";
}
