/* The witness's end. */
#include "units.h"
#include "witness.h"

#include <linux/capability.h>
#include <poll.h>
#include <skrfs/base/log.h>
#include <skrfs/caller/caller.h>
#include <skrfs/daemon/process.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void testify(struct skrfs_describer *describer, const struct witness_question *question,
        struct witness_testimony *ret_testimony) {
    struct skrfs_caller caller = {.uid = question->uid, .gid = question->gid, .pid = question->pid};

    skrfs_describe(describer, question->facts, &caller);
    memset(ret_testimony, 0, sizeof(*ret_testimony));
    ret_testimony->number = question->number;
    ret_testimony->known = caller.known;
    ret_testimony->group_count = (uint32_t)caller.group_count;
    memcpy(ret_testimony->groups, caller.groups, sizeof(caller.groups));
    memcpy(ret_testimony->exe, caller.exe, sizeof(caller.exe));
    memcpy(ret_testimony->sha256, caller.sha256, sizeof(caller.sha256));
    memcpy(ret_testimony->verity, caller.verity, sizeof(caller.verity));
    memcpy(ret_testimony->cgroup, caller.cgroup, sizeof(caller.cgroup));
    memcpy(ret_testimony->label, caller.label, sizeof(caller.label));
    memcpy(ret_testimony->lack, caller.lack, sizeof(caller.lack));
    for (size_t i = 0; i < SKRFS_NS_COUNT; i++) {
        ret_testimony->spaces[i] = caller.spaces[i].inode;
        ret_testimony->hosts |= (uint32_t)caller.spaces[i].host << i;
    }
}

static void tell_unit(struct units *units, const struct witness_question *question,
        struct witness_testimony *ret_testimony) {
    struct skrfs_error err;
    bool active = false;

    memset(ret_testimony, 0, sizeof(*ret_testimony));
    ret_testimony->number = question->number;
    if (!units)
        (void)skrfs_fail(&err, SKRFS_CLASS_UNAVAILABLE, "no key of this mount asks for a unit");
    else if (!memchr(question->unit, 0, sizeof(question->unit)))
        (void)skrfs_fail(&err, SKRFS_CLASS_UNAVAILABLE, "its name has no end");
    else if (units_ask(units, question->unit, &active, &err) == 0)
        ret_testimony->state = active ? WITNESS_ACTIVE : WITNESS_INACTIVE;
    if (ret_testimony->state == WITNESS_UNKNOWN)
        (void)snprintf(ret_testimony->lack, sizeof(ret_testimony->lack), "%.*s",
                (int)sizeof(ret_testimony->lack) - 1, err.message);
}

/* Executables too long to be read while somebody waits are read while nobody does. */
static void work_until_asked(int fd, struct skrfs_describer *describer) {
    struct pollfd asked = {.fd = fd, .events = POLLIN};

    while (poll(&asked, 1, 0) == 0 && skrfs_describer_work(describer))
        ;
}

int skrfs_witness_serve(
        int fd, struct skrfs_describer *describer, struct units *units, struct skrfs_error *err) {
    struct witness_question question;
    struct witness_testimony testimony;

    for (;;) {
        work_until_asked(fd, describer);
        ssize_t len = recv(fd, &question, sizeof(question), MSG_TRUNC);
        if (len == 0 || (len < 0 && errno == ECONNRESET))
            return 0;
        if (len < 0 && errno == EINTR)
            continue;
        if (len != (ssize_t)sizeof(question) ||
                (question.kind != WITNESS_CALLER && question.kind != WITNESS_UNIT))
            return skrfs_fail_errno(err, len < 0 ? errno : EBADMSG, "receive a question");
        if (question.kind == WITNESS_UNIT)
            tell_unit(units, &question, &testimony);
        else
            testify(describer, &question, &testimony);
        if (send(fd, &testimony, sizeof(testimony), MSG_NOSIGNAL) < 0)
            return errno == EPIPE ? 0 : skrfs_fail_errno(err, errno, "send a testimony");
    }
}

static size_t list_paths(const struct skrfs_rules *rules, const char **out) {
    size_t count = 0;

    for (size_t i = 0; i < rules->count; i++)
        for (size_t k = 0; k < rules->rules[i].count; k++) {
            const struct skrfs_condition *condition = &rules->rules[i].conditions[k];
            if (condition->kind != SKRFS_CONDITION_EXE)
                continue;
            if (out)
                out[count] = condition->text;
            count++;
        }
    return count;
}

static size_t list_all_paths(const struct skrfs_conf *conf, const char **out) {
    size_t count = 0;

    for (size_t i = 0; i < conf->key_count; i++) {
        const struct skrfs_guard *guard = &conf->keys[i].guard;
        count += list_paths(&guard->allow, out ? out + count : NULL);
        count += list_paths(&guard->deny, out ? out + count : NULL);
    }
    return count;
}

static int make_describer(const struct skrfs_child *child, struct skrfs_describer **ret_describer,
        struct skrfs_error *err) {
    size_t count = list_all_paths(child->conf, NULL);
    skrfs_autofree const char **paths = calloc(count + 1, sizeof(*paths));

    if (!paths)
        return skrfs_fail_memory(err);
    (void)list_all_paths(child->conf, paths);
    return skrfs_describer_new(paths, count, child->host, ret_describer, err);
}

/* The bus is a door: it is there only when a key wants it, and opened before the sandbox closes. */
static int close_in(
        const struct skrfs_child *child, struct units **ret_units, struct skrfs_error *err) {
    bool wanted = false;

    for (size_t i = 0; i < child->conf->key_count; i++)
        wanted |= child->conf->keys[i].limits.until_unit != NULL;
    if (!wanted)
        return skrfs_sandbox_witness(err);
    return units_new(ret_units, err) < 0 ? -1 : skrfs_sandbox_witness_bus(err);
}

/* Another user's executable is seen with CAP_SYS_PTRACE alone (proc(5)), and its digest made with
 * CAP_DAC_READ_SEARCH where it is not for all to read; a user's own mount does without. */
int skrfs_witness_main(const struct skrfs_child *child) {
    const uint64_t keep = UINT64_C(1) << CAP_SYS_PTRACE | UINT64_C(1) << CAP_DAC_READ_SEARCH;
    SKRFS_CLEANUP(skrfs_describer_free_p) struct skrfs_describer *describer = NULL;
    SKRFS_CLEANUP(units_free_p) struct units *units = NULL;
    struct skrfs_error err;

    skrfs_log_set_name("witness");
    skrfs_fs_handover_free(child->handover);
    if (skrfs_process_harden("skrfs-witness", keep, &err) < 0 ||
            make_describer(child, &describer, &err) < 0 || close_in(child, &units, &err) < 0)
        return skrfs_notice_failed(child, SKRFS_ROLE_WITNESS, &err);
    close(child->notices);
    if (skrfs_witness_serve(child->witness, describer, units, &err) < 0) {
        skrfs_log_error("%s", err.message);
        return 1;
    }
    return 0;
}
