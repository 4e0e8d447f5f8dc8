/* Who reads what, noted for a while on an operator's wish, so that rules can be written from it. */
#include "internal.h"

#include <skrfs/base/cleanup.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <skrfs/base/log.h>
#include <skrfs/json/json.h>
#include <stdio.h>
#include <string.h>

#define LEARN_LONGEST_S (7U * 24 * 3600)
#define REASON_MAX 512

/* Callers alike of one key. Texts are "" where nothing is known. */
struct observation {
    size_t key;
    bool refused;
    uid_t uid;
    gid_t gid;
    unsigned known;
    bool host;
    uint8_t sha256[32];
    bool opened; /* false: it read by a descriptor that another opened */
    int64_t first_s, last_s;
    char *exe, *unit, *container, *verity, *label, *reason;
};

static void observation_free(struct observation *observation) {
    free(observation->exe);
    free(observation->unit);
    free(observation->container);
    free(observation->verity);
    free(observation->label);
    free(observation->reason);
    free(observation);
}

SKRFS_DEFINE_CLEANUP(struct observation, observation_free)

static void forget(struct learning *learning) {
    for (size_t i = 0; i < learning->count; i++)
        observation_free(learning->seen[i]);
    learning->count = 0;
    learning->lost = 0;
    learning->began_s = 0;
}

void learn_end(struct skrfs_fs *fs) {
    atomic_store(&fs->learning.until_ns, 0);
    forget(&fs->learning);
}

bool learn_is_on(struct skrfs_fs *fs) {
    return skrfs_now_ns() < atomic_load(&fs->learning.until_ns);
}

static bool on_host(const struct skrfs_caller *caller) {
    bool host = caller->known & SKRFS_FACT_NAMESPACES;
    for (size_t i = 0; host && i < SKRFS_NS_COUNT; i++)
        host = caller->spaces[i].host;
    return host;
}

static const char *text_if(
        const struct skrfs_caller *caller, enum skrfs_fact fact, const char *text) {
    return caller->known & fact ? text : "";
}

static int observation_fill(struct observation *made, const struct skrfs_caller *caller,
        const struct skrfs_error *err) {
    made->exe = strdup(text_if(caller, SKRFS_FACT_EXE, caller->exe));
    made->unit = strdup(text_if(caller, SKRFS_FACT_CGROUP, caller->unit));
    made->container = strdup(text_if(caller, SKRFS_FACT_CGROUP, caller->container));
    made->verity = strdup(text_if(caller, SKRFS_FACT_VERITY, caller->verity));
    made->label = strdup(text_if(caller, SKRFS_FACT_LABEL, caller->label));
    made->reason = strndup(err ? err->message : caller->lack, REASON_MAX);
    if (caller->known & SKRFS_FACT_SHA256)
        memcpy(made->sha256, caller->sha256, sizeof made->sha256);
    return made->exe && made->unit && made->container && made->verity && made->label && made->reason
                   ? 0
                   : -1;
}

static struct observation *observation_new(
        size_t key, const struct skrfs_caller *caller, const struct skrfs_error *err) {
    SKRFS_CLEANUP(observation_free_p) struct observation *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    *made = (struct observation){.key = key,
            .refused = err != NULL,
            .uid = caller->uid,
            .gid = caller->gid,
            .known = caller->known,
            .host = on_host(caller),
            .first_s = skrfs_wall_s()};
    return observation_fill(made, caller, err) ? NULL : skrfs_take(made);
}

/* A long digest is known later than the rest: a caller without it is one like those with it. */
static bool same_digest(const struct observation *one, const struct observation *other) {
    return !(one->known & other->known & SKRFS_FACT_SHA256) ||
           !memcmp(one->sha256, other->sha256, sizeof one->sha256);
}

static bool is_alike(const struct observation *one, const struct observation *other) {
    const unsigned told = SKRFS_FACT_EXE | SKRFS_FACT_CGROUP | SKRFS_FACT_NAMESPACES;
    return one->key == other->key && one->refused == other->refused && one->uid == other->uid &&
           (one->known & told) == (other->known & told) && one->host == other->host &&
           !strcmp(one->exe, other->exe) && !strcmp(one->unit, other->unit) &&
           !strcmp(one->container, other->container) && same_digest(one, other);
}

static struct observation *find(const struct learning *learning, const struct observation *wanted) {
    for (size_t i = 0; i < learning->count; i++)
        if (is_alike(learning->seen[i], wanted))
            return learning->seen[i];
    return NULL;
}

/* The entry that stands for `observation`, which is taken over; NULL when there is no room. */
static struct observation *settle(struct learning *learning, struct observation *observation) {
    struct observation *known = find(learning, observation);
    if (known) {
        if (observation->known & ~known->known & SKRFS_FACT_SHA256) {
            memcpy(known->sha256, observation->sha256, sizeof known->sha256);
            known->known |= SKRFS_FACT_SHA256;
        }
        observation_free(observation);
        return known;
    }
    if (learning->count == FS_LEARN_MAX) {
        learning->lost++;
        observation_free(observation);
        return NULL;
    }
    learning->seen[learning->count++] = observation;
    return observation;
}

void learn_note(struct skrfs_fs *fs, const struct node *node, const struct skrfs_caller *caller,
        bool reads, const struct skrfs_error *err) {
    if (!learn_is_on(fs))
        return;
    struct observation *made = observation_new(node->key, caller, err);
    pthread_mutex_lock(&fs->learning.lock);
    struct observation *entry = made ? settle(&fs->learning, made) : NULL;
    if (!made)
        fs->learning.lost++;
    if (entry) {
        entry->opened |= !reads;
        entry->last_s = skrfs_wall_s();
    }
    pthread_mutex_unlock(&fs->learning.lock);
}

int learn_ioctl(struct skrfs_fs *fs, fuse_req_t req, const struct node *node, const void *in,
        size_t in_size) {
    const struct fuse_ctx *ctx = fuse_req_ctx(req);
    struct skrfs_caller caller = {.uid = ctx->uid, .gid = ctx->gid, .pid = ctx->pid};
    struct skrfs_error err;
    uint32_t seconds;
    char who[512];
    if (node->kind != NODE_STATUS_JSON || in_size != sizeof seconds)
        return ENOTTY;
    /* Not who opened it: the descriptor may have been handed on. */
    if (status_may(fs, node, ctx->uid, &err)) {
        audit_denied(fs, node, &caller, "learn", &err);
        return EACCES;
    }
    memcpy(&seconds, in, sizeof seconds);
    if (seconds > LEARN_LONGEST_S)
        return EINVAL;
    skrfs_caller_print(&caller, who, sizeof who);
    pthread_mutex_lock(&fs->learning.lock);
    if (seconds) {
        forget(&fs->learning);
        fs->learning.began_s = skrfs_wall_s();
    }
    atomic_store(&fs->learning.until_ns, seconds ? skrfs_now_ns() + seconds * SKRFS_SECOND_NS : 0);
    pthread_mutex_unlock(&fs->learning.lock);
    if (seconds)
        skrfs_log_info("notes who reads what for %u s, as wished by %s", seconds, who);
    else
        skrfs_log_info("notes no longer who reads what, as wished by %s", who);
    return 0;
}

/* A text that JSON cannot hold is told as unknown. */
static int set_text(struct skrfs_json *object, const char *name, const char *text, bool known,
        struct skrfs_error *err) {
    struct skrfs_json *value = NULL;
    if (known && skrfs_json_pack(&value, err, "s", text) && err->kind != SKRFS_CLASS_BAD_ANSWER)
        return -1;
    if (!value && skrfs_json_pack(&value, err, "n"))
        return -1;
    return skrfs_json_set(object, name, value, err);
}

static int set_digest(
        struct skrfs_json *object, const struct observation *seen, struct skrfs_error *err) {
    char text[2 * sizeof seen->sha256 + 1] = "";
    skrfs_hex_encode(seen->sha256, sizeof seen->sha256, text);
    return set_text(object, "sha256", text, seen->known & SKRFS_FACT_SHA256, err);
}

static int set_facts(
        struct skrfs_json *object, const struct observation *seen, struct skrfs_error *err) {
    bool grouped = seen->known & SKRFS_FACT_CGROUP;
    if (set_text(object, "exe", seen->exe, seen->known & SKRFS_FACT_EXE, err) ||
            set_digest(object, seen, err) ||
            set_text(object, "verity", seen->verity, seen->known & SKRFS_FACT_VERITY, err) ||
            set_text(object, "unit", seen->unit, grouped, err) ||
            set_text(object, "container", seen->container, grouped, err) ||
            set_text(object, "label", seen->label, seen->known & SKRFS_FACT_LABEL, err))
        return -1;
    struct skrfs_json *host = NULL;
    if (skrfs_json_pack(&host, err, seen->known & SKRFS_FACT_NAMESPACES ? "b" : "n", seen->host))
        return -1;
    return skrfs_json_set(object, "host", host, err);
}

static int append_observation(const struct skrfs_fs *fs, const struct observation *seen,
        struct skrfs_json *array, struct skrfs_error *err) {
    char first[24], last[24], reason[REASON_MAX + 1];
    skrfs_autojson *object = NULL;
    skrfs_format_time(seen->first_s, first, sizeof first);
    skrfs_format_time(seen->last_s, last, sizeof last);
    skrfs_text_clean(seen->reason, strlen(seen->reason), reason, sizeof reason);
    if (skrfs_json_pack(&object, err, "{s:s, s:b, s:b, s:I, s:I, s:s, s:s, s:s}", "key",
                fs->options.keys[seen->key].file, "refused", seen->refused, "opened", seen->opened,
                "uid", (int64_t)seen->uid, "gid", (int64_t)seen->gid, "first", first, "last", last,
                "why", reason) ||
            set_facts(object, seen, err))
        return -1;
    return skrfs_json_append(array, skrfs_take(object), err);
}

static int print(struct skrfs_fs *fs, struct skrfs_buf *out, struct skrfs_error *err) {
    const struct learning *learning = &fs->learning;
    char began[24] = "";
    skrfs_autojson *array = NULL, *root = NULL;
    if (skrfs_json_new_array(&array, err))
        return -1;
    for (size_t i = 0; i < learning->count; i++)
        if (append_observation(fs, learning->seen[i], array, err))
            return -1;
    if (learning->began_s)
        skrfs_format_time(learning->began_s, began, sizeof began);
    uint64_t left = skrfs_until_ns(atomic_load(&learning->until_ns));
    if (skrfs_json_pack(&root, err, "{s:b, s:s, s:I, s:I, s:o}", "learning", left != 0, "began",
                began, "left_s", (int64_t)((left + SKRFS_SECOND_NS - 1) / SKRFS_SECOND_NS), "lost",
                (int64_t)learning->lost, "seen", skrfs_take(array)) ||
            skrfs_json_print(root, true, out, err))
        return -1;
    return skrfs_buf_append_text(out, "\n", err);
}

/* Once the time is over, what was noted is told once and then forgotten. */
int learn_print(struct skrfs_fs *fs, struct skrfs_buf *out, struct skrfs_error *err) {
    pthread_mutex_lock(&fs->learning.lock);
    bool over = !learn_is_on(fs);
    int rc = print(fs, out, err);
    if (rc == 0 && over)
        forget(&fs->learning);
    pthread_mutex_unlock(&fs->learning.lock);
    return rc;
}
