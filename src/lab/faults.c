#include "faults.h"

#include <skrfs/base/encode.h>
#include <string.h>

static const char *const places[SKRFS_LAB_PLACES] = {"imds-token", "thim", "tdquote", "attest",
        "release", "get", "create", "import", "update", "list", "versions", "rotate", "delete",
        "deleted", "recover", "purge", "login"};

static const char *const deeds[SKRFS_LAB_DEEDS] = {"", "reset", "half-body", "garbage", "oversize",
        "no-answer", "other-key", "other-version", "other-nonce", "other-enc", "other-kek",
        "other-signer", "bad-signature", "expired-leaf", "other-host", "short-cipher",
        "other-public", "wrong-inner-key", "bad-tag", "stale-vcek", "claims-challenge",
        "deny-claim", "deny-token", "wrong-kid", "other-kek-kid"};

const char *skrfs_lab_place_name(enum skrfs_lab_place place) {
    return places[place];
}

/* Index of a word in a list, -1 when it is not there. */
static int find(const char *const *list, size_t count, const char *word) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], word) == 0)
            return (int)i;
    return -1;
}

int skrfs_lab_want_number(const struct skrfs_json *json, const char *name, int64_t most,
        int64_t *value, struct skrfs_error *err) {
    if (!skrfs_json_get(json, name))
        return 0;
    if (skrfs_json_need_integer(json, name, value, err) < 0)
        return -1;
    if (*value < 0 || *value > most)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "%s is out of range", name);
    return 0;
}

int skrfs_lab_want_copy(const struct skrfs_json *json, const char *name, char *out, size_t size,
        struct skrfs_error *err) {
    const char *text = NULL;
    if (skrfs_json_want_string(json, name, &text, err) < 0)
        return -1;
    if (text)
        skrfs_text_clean(text, strlen(text), out, size);
    return 0;
}

int skrfs_lab_want_flag(
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

int skrfs_lab_known_members(const struct skrfs_json *json, const char *const *known, size_t count,
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

/* Some deeds are of one place, and would do nothing elsewhere. */
static int check_place(const struct skrfs_lab_fault *fault, struct skrfs_error *err) {
    bool vault = fault->at >= SKRFS_LAB_AT_RELEASE && fault->at <= SKRFS_LAB_AT_PURGE;
    bool of_release = fault->deed == SKRFS_LAB_DENY_CLAIM || fault->deed == SKRFS_LAB_DENY_TOKEN ||
                      fault->deed == SKRFS_LAB_WRONG_KID || fault->deed == SKRFS_LAB_OTHER_KEK_KID;
    if (of_release && fault->at != SKRFS_LAB_AT_RELEASE)
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "'%s' is of a release alone", deeds[fault->deed]);
    if (fault->deed == SKRFS_LAB_CLAIMS_CHALLENGE && !vault)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "only vaults make a claims challenge");
    if ((fault->deed == SKRFS_LAB_DENY_CLAIM) != (*fault->claim != '\0'))
        return skrfs_fail(
                err, SKRFS_CLASS_BAD_ANSWER, "\"deny-claim\" and \"claim\" belong together");
    return 0;
}

static int decode_words(
        const struct skrfs_json *json, struct skrfs_lab_fault *fault, struct skrfs_error *err) {
    const char *at = NULL;
    const char *deed = NULL;
    if (skrfs_json_need_string(json, "at", &at, err) < 0 ||
            skrfs_json_want_string(json, "do", &deed, err) < 0 ||
            skrfs_lab_want_copy(json, "claim", fault->claim, sizeof(fault->claim), err) < 0)
        return -1;
    int place = find(places, SKRFS_LAB_PLACES, at);
    int what = deed ? find(deeds, SKRFS_LAB_DEEDS, deed) : 0;
    if (place < 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "at '%s' there is no place for faults", at);
    if (what < 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "the lab cannot do '%s'", deed);
    fault->at = (enum skrfs_lab_place)place;
    fault->deed = (enum skrfs_lab_deed)what;
    return check_place(fault, err);
}

static int decode_delivery(const struct skrfs_json *json, struct skrfs_lab_delivery *delivery,
        struct skrfs_error *err) {
    int64_t ms = 0;
    if (skrfs_lab_want_number(json, "stall_at", INT32_MAX, &delivery->stall_at, err) < 0 ||
            skrfs_lab_want_number(json, "cut_at", INT32_MAX, &delivery->cut_at, err) < 0 ||
            skrfs_lab_want_number(json, "retry_after_ms", 86400000, &ms, err) < 0 ||
            skrfs_lab_want_flag(json, "retry_after_date", &delivery->retry_after_date, err) < 0)
        return -1;
    if (delivery->stall_at >= 0 && delivery->cut_at >= 0)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "an answer either stalls or is cut off");
    delivery->retry_after_ms = (unsigned)ms;
    return skrfs_lab_want_copy(
            json, "location", delivery->location, sizeof(delivery->location), err);
}

static int decode_numbers(
        const struct skrfs_json *json, struct skrfs_lab_fault *fault, struct skrfs_error *err) {
    int64_t status = 0;
    int64_t retry_after = 0;
    int64_t delay = 0;
    if ((skrfs_json_get(json, "times") &&
                skrfs_json_need_integer(json, "times", &fault->times, err) < 0) ||
            skrfs_lab_want_number(json, "status", 599, &status, err) < 0 ||
            skrfs_lab_want_number(json, "retry_after", 86400, &retry_after, err) < 0 ||
            skrfs_lab_want_number(json, "delay_ms", 600000, &delay, err) < 0)
        return -1;
    if (status != 0 && status < 200)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "status is out of range");
    fault->status = (unsigned)status;
    fault->retry_after_s = (unsigned)retry_after;
    fault->delay_ms = (unsigned)delay;
    return 0;
}

static int decode_fault(
        const struct skrfs_json *json, struct skrfs_lab_fault *ret_fault, struct skrfs_error *err) {
    static const char *const known[] = {"at", "times", "status", "code", "message", "retry_after",
            "retry_after_ms", "retry_after_date", "location", "delay_ms", "stall_at", "cut_at",
            "claim", "do"};
    struct skrfs_lab_fault fault = {.times = 1,
            .code = "Fault",
            .message = "told to fail",
            .delivery = {.stall_at = -1, .cut_at = -1}};
    if (skrfs_lab_known_members(json, known, SKRFS_ARRAY_LEN(known), err) < 0 ||
            decode_words(json, &fault, err) < 0 || decode_numbers(json, &fault, err) < 0 ||
            decode_delivery(json, &fault.delivery, err) < 0 ||
            skrfs_lab_want_copy(json, "code", fault.code, sizeof(fault.code), err) < 0 ||
            skrfs_lab_want_copy(json, "message", fault.message, sizeof(fault.message), err) < 0)
        return -1;
    *ret_fault = fault;
    return 0;
}

int skrfs_lab_fault_add(
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

void skrfs_lab_faults_clear(struct skrfs_lab *lab) {
    pthread_mutex_lock(&lab->lock);
    lab->fault_count = 0;
    pthread_mutex_unlock(&lab->lock);
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
    answer->delivery = fault.delivery;
    memcpy(answer->fault_claim, fault.claim, sizeof(answer->fault_claim));
    if (fault.status == 0)
        return true;
    (void)skrfs_lab_refuse(answer, fault.status, fault.code, "%s", fault.message);
    answer->fault_number = (unsigned)strtoul(fault.code, NULL, 10);
    answer->retry_after_s = fault.retry_after_s;
    return false;
}
