/* The lab's own interface, for tests: counters, faults, settings. Described in skrfs-lab(1). */
#include "faults.h"

#include <string.h>

#define SKEW_MAX_S (INT64_C(100) * 365 * 86400)

static int change_settings(
        struct skrfs_lab *lab, const struct skrfs_json *json, struct skrfs_error *err) {
    static const char *const known[] = {"token_life_s", "access_life_s", "clock_skew_s", "throttle",
            "release_role", "identity", "compliance", "reset"};
    bool reset = false;
    if (skrfs_lab_known_members(json, known, SKRFS_ARRAY_LEN(known), err) < 0 ||
            skrfs_lab_want_flag(json, "reset", &reset, err) < 0)
        return -1;
    struct skrfs_lab_settings settings = reset ? lab->first : skrfs_lab_settings_get(lab);
    if (skrfs_lab_want_number(json, "token_life_s", INT32_MAX, &settings.token_life_s, err) < 0 ||
            skrfs_lab_want_number(json, "access_life_s", INT32_MAX, &settings.access_life_s, err) <
                    0 ||
            (skrfs_json_get(json, "clock_skew_s") && skrfs_json_need_integer(json, "clock_skew_s",
                                                             &settings.clock_skew_s, err) < 0) ||
            skrfs_lab_want_flag(json, "throttle", &settings.throttle, err) < 0 ||
            skrfs_lab_want_flag(json, "release_role", &settings.release_role, err) < 0 ||
            skrfs_lab_want_flag(json, "identity", &settings.identity, err) < 0 ||
            skrfs_lab_want_copy(
                    json, "compliance", settings.compliance, sizeof(settings.compliance), err) < 0)
        return -1;
    if (settings.clock_skew_s < -SKEW_MAX_S || settings.clock_skew_s > SKEW_MAX_S)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "clock_skew_s is out of range");
    pthread_mutex_lock(&lab->lock);
    lab->settings = settings;
    if (reset)
        lab->claims_wanted_s = 0;
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
                skrfs_json_set(json, skrfs_lab_place_name((enum skrfs_lab_place)i), value, err) < 0)
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
        skrfs_lab_faults_clear(lab);
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
        rc = faults ? skrfs_lab_fault_add(lab, json, &err) : change_settings(lab, json, &err);
    reply_done(answer, rc, &err);
}

struct skrfs_lab_settings skrfs_lab_settings_get(struct skrfs_lab *lab) {
    pthread_mutex_lock(&lab->lock);
    struct skrfs_lab_settings settings = lab->settings;
    pthread_mutex_unlock(&lab->lock);
    return settings;
}
