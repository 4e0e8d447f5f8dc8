/* The lab's own interface, for tests: counters, faults, settings. Described at the top of lab.h. */
#include "state.h"

#include <skrfs/base/encode.h>
#include <string.h>

static const char *const places[SKRFS_LAB_PLACES] = {"imds-token", "thim", "tdquote", "attest",
        "release", "get", "create", "import", "update", "list", "versions", "rotate"};

static const char *const deeds[SKRFS_LAB_DEEDS] = {"", "reset", "half-body", "garbage", "oversize",
        "no-answer", "other-key", "other-version", "other-nonce", "other-enc", "other-kek",
        "other-signer", "bad-signature", "expired-leaf", "other-host", "short-cipher",
        "other-public", "wrong-inner-key", "bad-tag", "stale-vcek"};

/* Index of a word in a list, -1 when it is not there. */
static int find(const char *const *list, size_t count, const char *word) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], word) == 0)
            return (int)i;
    return -1;
}

static int want_number(const struct skrfs_json *json, const char *name, int64_t most,
        int64_t *value, struct skrfs_error *err) {
    if (!skrfs_json_get(json, name))
        return 0;
    if (skrfs_json_need_integer(json, name, value, err) < 0)
        return -1;
    if (*value < 0 || *value > most)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "%s is out of range", name);
    return 0;
}

static int want_copy(const struct skrfs_json *json, const char *name, char *out, size_t size,
        struct skrfs_error *err) {
    const char *text = NULL;
    if (skrfs_json_want_string(json, name, &text, err) < 0)
        return -1;
    if (text)
        skrfs_text_clean(text, strlen(text), out, size);
    return 0;
}

/* A misspelt member would do nothing, and a test that relies on it would pass. */
static int check_members(const struct skrfs_json *json, const char *const *known, size_t count,
        struct skrfs_error *err) {
    void *iterator = NULL;
    const char *name = NULL;
    const struct skrfs_json *value = NULL;
    if (skrfs_json_kind(json) != SKRFS_JSON_OBJECT)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "not an object");
    while (skrfs_json_next(json, &iterator, &name, &value))
        if (find(known, count, name) < 0)
            return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "there is no '%s' to set", name);
    return 0;
}

static int decode_words(
        const struct skrfs_json *json, struct skrfs_lab_fault *fault, struct skrfs_error *err) {
    const char *at = NULL;
    const char *deed = NULL;
    if (skrfs_json_need_string(json, "at", &at, err) < 0 ||
            skrfs_json_want_string(json, "do", &deed, err) < 0)
        return -1;
    int place = find(places, SKRFS_LAB_PLACES, at);
    int what = deed ? find(deeds, SKRFS_LAB_DEEDS, deed) : 0;
    if (place < 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "at '%s' there is no place for faults", at);
    if (what < 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the lab cannot do '%s'", deed);
    fault->at = (enum skrfs_lab_place)place;
    fault->deed = (enum skrfs_lab_deed)what;
    return 0;
}

static int decode_fault(
        const struct skrfs_json *json, struct skrfs_lab_fault *ret_fault, struct skrfs_error *err) {
    static const char *const known[] = {
            "at", "times", "status", "code", "message", "retry_after", "delay_ms", "do"};
    struct skrfs_lab_fault fault = {.times = 1, .code = "Fault", .message = "told to fail"};
    int64_t status = 0;
    int64_t retry_after = 0;
    int64_t delay = 0;
    if (check_members(json, known, SKRFS_ARRAY_LEN(known), err) < 0 ||
            decode_words(json, &fault, err) < 0 ||
            (skrfs_json_get(json, "times") &&
                    skrfs_json_need_integer(json, "times", &fault.times, err) < 0) ||
            want_number(json, "status", 599, &status, err) < 0 ||
            want_number(json, "retry_after", 86400, &retry_after, err) < 0 ||
            want_number(json, "delay_ms", 600000, &delay, err) < 0 ||
            want_copy(json, "code", fault.code, sizeof(fault.code), err) < 0 ||
            want_copy(json, "message", fault.message, sizeof(fault.message), err) < 0)
        return -1;
    if (status != 0 && status < 200)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "status is out of range");
    fault.status = (unsigned)status;
    fault.retry_after_s = (unsigned)retry_after;
    fault.delay_ms = (unsigned)delay;
    *ret_fault = fault;
    return 0;
}

static int add_fault(
        struct skrfs_lab *lab, const struct skrfs_json *json, struct skrfs_error *err) {
    struct skrfs_lab_fault fault;
    if (decode_fault(json, &fault, err) < 0)
        return -1;
    pthread_mutex_lock(&lab->lock);
    bool room = lab->fault_count < SKRFS_LAB_FAULTS_MAX;
    if (room)
        lab->faults[lab->fault_count++] = fault;
    pthread_mutex_unlock(&lab->lock);
    return room ? 0 : skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "too many faults wait already");
}

static int want_flag(
        const struct skrfs_json *json, const char *name, bool *value, struct skrfs_error *err) {
    const struct skrfs_json *flag = skrfs_json_get(json, name);
    if (!flag)
        return 0;
    enum skrfs_json_kind kind = skrfs_json_kind(flag);
    if (kind != SKRFS_JSON_TRUE && kind != SKRFS_JSON_FALSE)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "%s is neither true nor false", name);
    *value = kind == SKRFS_JSON_TRUE;
    return 0;
}

static int change_settings(
        struct skrfs_lab *lab, const struct skrfs_json *json, struct skrfs_error *err) {
    static const char *const known[] = {"token_life_s", "access_life_s", "throttle", "release_role",
            "identity", "compliance", "reset"};
    bool reset = false;
    if (check_members(json, known, SKRFS_ARRAY_LEN(known), err) < 0 ||
            want_flag(json, "reset", &reset, err) < 0)
        return -1;
    struct skrfs_lab_settings settings = reset ? lab->first : skrfs_lab_settings_get(lab);
    if (want_number(json, "token_life_s", INT32_MAX, &settings.token_life_s, err) < 0 ||
            want_number(json, "access_life_s", INT32_MAX, &settings.access_life_s, err) < 0 ||
            want_flag(json, "throttle", &settings.throttle, err) < 0 ||
            want_flag(json, "release_role", &settings.release_role, err) < 0 ||
            want_flag(json, "identity", &settings.identity, err) < 0 ||
            want_copy(json, "compliance", settings.compliance, sizeof(settings.compliance), err) <
                    0)
        return -1;
    pthread_mutex_lock(&lab->lock);
    lab->settings = settings;
    pthread_mutex_unlock(&lab->lock);
    return 0;
}

static int counters_json(
        struct skrfs_lab *lab, struct skrfs_json **ret_json, struct skrfs_error *err) {
    skrfs_autojson *json = NULL;
    if (skrfs_json_pack(&json, err, "{}") < 0)
        return -1;
    for (size_t i = 0; i < SKRFS_LAB_PLACES; i++) {
        struct skrfs_json *value = NULL;
        pthread_mutex_lock(&lab->lock);
        int64_t count = (int64_t)lab->counters[i];
        pthread_mutex_unlock(&lab->lock);
        if (skrfs_json_pack(&value, err, "I", count) < 0 ||
                skrfs_json_set(json, places[i], value, err) < 0)
            return -1;
    }
    *ret_json = skrfs_take(json);
    return 0;
}

static void reply_done(struct skrfs_lab_answer *answer, int rc, const struct skrfs_error *failed) {
    struct skrfs_error err;
    struct skrfs_json *json = NULL;
    if (rc < 0)
        (void)skrfs_lab_refuse(answer, 400, "invalid_request", "%s", failed->message);
    else if (skrfs_json_pack(&json, &err, "{s:b}", "done", 1) < 0)
        (void)skrfs_lab_broken(answer, &err);
    else
        (void)skrfs_lab_reply(answer, json);
}

static void reply_counters(struct skrfs_lab *lab, struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    struct skrfs_json *json = NULL;
    if (counters_json(lab, &json, &err) < 0)
        (void)skrfs_lab_broken(answer, &err);
    else
        (void)skrfs_lab_reply(answer, json);
}

void skrfs_lab_control(struct skrfs_lab *lab, const struct skrfs_lab_request *request,
        struct skrfs_lab_answer *answer) {
    struct skrfs_error err;
    skrfs_autojson *json = NULL;
    const char *what = request->path + strlen("/lab/");
    bool faults = strcmp(what, "faults") == 0;
    bool get = strcmp(request->method, "GET") == 0;
    if (get && strcmp(what, "counters") == 0) {
        reply_counters(lab, answer);
        return;
    }
    if (faults && strcmp(request->method, "DELETE") == 0) {
        pthread_mutex_lock(&lab->lock);
        lab->fault_count = 0;
        pthread_mutex_unlock(&lab->lock);
        reply_done(answer, 0, &err);
        return;
    }
    if (strcmp(request->method, "POST") != 0 || (!faults && strcmp(what, "settings") != 0)) {
        (void)skrfs_lab_refuse(answer, 404, "not_found", "the lab has no such interface");
        return;
    }
    int rc = skrfs_json_parse(
            (const char *)request->body.data, request->body.len, (size_t)64 * 1024, &json, &err);
    if (rc == 0)
        rc = faults ? add_fault(lab, json, &err) : change_settings(lab, json, &err);
    reply_done(answer, rc, &err);
}

struct skrfs_lab_settings skrfs_lab_settings_get(struct skrfs_lab *lab) {
    pthread_mutex_lock(&lab->lock);
    struct skrfs_lab_settings settings = lab->settings;
    pthread_mutex_unlock(&lab->lock);
    return settings;
}

/* Takes the oldest fault that waits at this place. */
static bool take_fault(
        struct skrfs_lab *lab, enum skrfs_lab_place at, struct skrfs_lab_fault *ret_fault) {
    for (size_t i = 0; i < lab->fault_count; i++) {
        struct skrfs_lab_fault *fault = &lab->faults[i];
        if (fault->at != at)
            continue;
        *ret_fault = *fault;
        if (fault->times > 0 && --fault->times == 0) {
            lab->fault_count--;
            memmove(fault, fault + 1, (lab->fault_count - i) * sizeof(*fault));
        }
        return true;
    }
    return false;
}

bool skrfs_lab_enter(
        struct skrfs_lab *lab, enum skrfs_lab_place at, struct skrfs_lab_answer *answer) {
    struct skrfs_lab_fault fault = {0};
    pthread_mutex_lock(&lab->lock);
    lab->counters[at]++;
    bool taken = take_fault(lab, at, &fault);
    pthread_mutex_unlock(&lab->lock);
    if (!taken)
        return true;
    answer->delay_ms = fault.delay_ms;
    answer->deed = fault.deed;
    if (fault.status == 0)
        return true;
    (void)skrfs_lab_refuse(answer, fault.status, fault.code, "%s", fault.message);
    answer->retry_after_s = fault.retry_after_s;
    return false;
}
