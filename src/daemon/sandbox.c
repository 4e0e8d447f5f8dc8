/* Filters from the lists of sandbox_calls.c. */
#include "sandbox.h"

#include <skrfs/base/log.h>
#include <string.h>
#include <sys/prctl.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static int add_rule(scmp_filter_ctx filter, uint32_t action, const struct sandbox_rule *rule) {
    const struct scmp_arg_cmp own = {0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0};

    if (rule->own_process)
        return seccomp_rule_add_array(filter, action, rule->call, 1, &own);
    return seccomp_rule_add_array(filter, action, rule->call, rule->count, rule->args);
}

static int add_list(scmp_filter_ctx filter, uint32_t action, const struct sandbox_list *list) {
    int result = 0;

    for (size_t i = 0; result == 0 && i < list->count; i++)
        result = add_rule(filter, action, &list->rules[i]);
    return result;
}

static int allow(scmp_filter_ctx filter, const struct sandbox_list *list) {
    return add_list(filter, SCMP_ACT_ALLOW, list);
}

/* One filter for all threads there are (TSYNC), by a tree, since every reply to a reader passes it.
 */
static scmp_filter_ctx filter_new(uint32_t otherwise, int *ret_result) {
    scmp_filter_ctx filter = seccomp_init(otherwise);

    *ret_result = -ENOMEM;
    if (!filter)
        return NULL;
    *ret_result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (*ret_result == 0)
        *ret_result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    /* i386's and x32's numbers: nothing here ever makes such a call. */
    if (*ret_result == 0)
        *ret_result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    return filter;
}

static int filter_load(scmp_filter_ctx filter, int result, struct skrfs_error *err) {
    if (result == 0)
        result = seccomp_load(filter);
    if (filter)
        seccomp_release(filter);
    return result == 0 ? 0 : skrfs_fail_errno(err, -result, "close the seccomp sandbox");
}

/* What a role may, and nothing else. */
static scmp_filter_ctx filter_of(enum skrfs_role role, int *ret_result) {
    scmp_filter_ctx filter = filter_new(SCMP_ACT_ERRNO(EPERM), ret_result);

    for (const struct sandbox_list *list = sandbox_lists(role);
            *ret_result == 0 && list && list->count; list++)
        *ret_result = allow(filter, list);
    if (*ret_result == 0)
        *ret_result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (*ret_result == 0 && SANITIZED)
        *ret_result = allow(filter, &sandbox_sanitizers);
    return filter;
}

static int allow_tee(scmp_filter_ctx filter, const struct skrfs_sandbox_tee *tee) {
    int result = tee->dir ? allow(filter, &sandbox_tee_folder) : 0;

    for (size_t i = 0; result == 0 && i < tee->ioctl_count; i++) {
        const struct scmp_arg_cmp number = {
                1, SCMP_CMP_MASKED_EQ, UINT32_MAX, (scmp_datum_t)tee->ioctls[i]};
        result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, &number);
    }
    return result;
}

int skrfs_sandbox_keeper(const struct skrfs_sandbox_tee *tee, struct skrfs_error *err) {
    const struct skrfs_landlock leave = {.tree = tee->dir};
    int result;

    if (skrfs_landlock_close(&leave, err) < 0)
        return -1;
    scmp_filter_ctx filter = filter_of(SKRFS_ROLE_KEEPER, &result);
    if (result == 0)
        result = allow_tee(filter, tee);
    return filter_load(filter, result, err);
}

int skrfs_sandbox_courier(const struct skrfs_sandbox_path *paths, size_t count,
        const uint16_t *ports, size_t port_count, struct skrfs_error *err) {
    const struct skrfs_landlock leave = {
            .ports = ports, .port_count = port_count, .readable = paths, .count = count};
    int result;

    if (skrfs_landlock_close(&leave, err) < 0)
        return -1;
    scmp_filter_ctx filter = filter_of(SKRFS_ROLE_COURIER, &result);
    return filter_load(filter, result, err);
}

int skrfs_sandbox_witness(struct skrfs_error *err) {
    int result;
    scmp_filter_ctx filter = filter_of(SKRFS_ROLE_WITNESS, &result);

    return filter_load(filter, result, err);
}

int skrfs_sandbox_witness_bus(struct skrfs_error *err) {
    int result;
    scmp_filter_ctx filter = filter_of(SKRFS_ROLE_WITNESS, &result);

    if (result == 0)
        result = allow(filter, &sandbox_witness_bus);
    return filter_load(filter, result, err);
}

int skrfs_sandbox_relay(const struct skrfs_sandbox_path *paths, size_t count, const uint16_t *ports,
        size_t port_count, struct skrfs_error *err) {
    const struct skrfs_landlock leave = {
            .ports = ports, .port_count = port_count, .readable = paths, .count = count};
    int result;

    if (skrfs_landlock_close(&leave, err) < 0)
        return -1;
    scmp_filter_ctx filter = filter_of(SKRFS_ROLE_RELAY, &result);
    return filter_load(filter, result, err);
}

int skrfs_sandbox_scribe(const char *folder, struct skrfs_error *err) {
    const struct skrfs_landlock leave = {.logs = folder};
    int result;

    if (skrfs_landlock_close(&leave, err) < 0)
        return -1;
    scmp_filter_ctx filter = filter_of(SKRFS_ROLE_SCRIBE, &result);
    if (result == 0 && folder)
        result = allow(filter, &sandbox_scribe_folder);
    return filter_load(filter, result, err);
}

int skrfs_sandbox_parent(struct skrfs_error *err) {
    int result;
    scmp_filter_ctx filter = filter_new(SCMP_ACT_ALLOW, &result);

    if (result == 0)
        result = add_list(filter, SCMP_ACT_ERRNO(EPERM), &sandbox_parent_denied);
    return filter_load(filter, result, err);
}

#define TOLD_MAX 128

struct told {
    const struct sandbox_rule *rules[TOLD_MAX];
    size_t count;
};

/* By name, and as in the lists among those of one name. */
static void take(struct told *told, const struct sandbox_list *list) {
    for (size_t i = 0; i < list->count && told->count < TOLD_MAX; i++) {
        size_t at = told->count++;
        for (; at > 0 && strcmp(told->rules[at - 1]->name, list->rules[i].name) > 0; at--)
            told->rules[at] = told->rules[at - 1];
        told->rules[at] = &list->rules[i];
    }
}

void skrfs_sandbox_tell(enum skrfs_role role, skrfs_sandbox_tell_fn *tell, void *context) {
    struct told told = {.count = 0};

    for (const struct sandbox_list *list = sandbox_lists(role); list && list->count; list++)
        take(&told, list);
    if (role == SKRFS_ROLE_KEEPER) {
        take(&told, &sandbox_tee_folder);
        take(&told, &sandbox_tee_device);
    }
    if (role == SKRFS_ROLE_WITNESS)
        take(&told, &sandbox_witness_bus);
    if (role == SKRFS_ROLE_SCRIBE)
        take(&told, &sandbox_scribe_folder);
    if (role == SKRFS_ROLE_COUNT)
        take(&told, &sandbox_parent_denied);
    for (size_t i = 0; i < told.count; i++)
        tell(context, told.rules[i]->name, told.rules[i]->when);
}
