#include "room.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#define RECORD_FIRST ((size_t)4096)
#define RECORD_MAX ((size_t)4 * 1024 * 1024) /* a group with very many members */

static bool parse_id(const char *text, uint32_t *ret_id) {
    if (!conf_is_word(text, "0123456789", 10))
        return false;
    unsigned long long id = strtoull(text, NULL, 10);
    /* The last number means "none" to the kernel. */
    if (id >= UINT32_MAX)
        return false;
    *ret_id = (uint32_t)id;
    return true;
}

static bool look_up_user(const char *name, uid_t *ret_uid) {
    for (size_t size = RECORD_FIRST; size <= RECORD_MAX; size *= 4) {
        struct passwd record;
        struct passwd *found = NULL;
        skrfs_autofree char *space = malloc(size);
        int errnum = space ? getpwnam_r(name, &record, space, size, &found) : ENOMEM;
        if (found)
            *ret_uid = record.pw_uid;
        if (errnum != ERANGE)
            return found != NULL;
    }
    return false;
}

static bool look_up_group(const char *name, gid_t *ret_gid) {
    for (size_t size = RECORD_FIRST; size <= RECORD_MAX; size *= 4) {
        struct group record;
        struct group *found = NULL;
        skrfs_autofree char *space = malloc(size);
        int errnum = space ? getgrnam_r(name, &record, space, size, &found) : ENOMEM;
        if (found)
            *ret_gid = record.gr_gid;
        if (errnum != ERANGE)
            return found != NULL;
    }
    return false;
}

/* Thousands of keys have the same owner: the last name found is not looked up again. */
static bool find_user(void *context, const char *name, uid_t *ret_uid) {
    struct names_memo *memo = context;
    if (parse_id(name, ret_uid))
        return true;
    if (memo && memo->user[0] && strcmp(memo->user, name) == 0) {
        *ret_uid = memo->uid;
        return true;
    }
    if (!look_up_user(name, ret_uid))
        return false;
    if (memo && strlen(name) < sizeof(memo->user)) {
        snprintf(memo->user, sizeof(memo->user), "%s", name);
        memo->uid = *ret_uid;
    }
    return true;
}

static bool find_group(void *context, const char *name, gid_t *ret_gid) {
    struct names_memo *memo = context;
    if (parse_id(name, ret_gid))
        return true;
    if (memo && memo->group[0] && strcmp(memo->group, name) == 0) {
        *ret_gid = memo->gid;
        return true;
    }
    if (!look_up_group(name, ret_gid))
        return false;
    if (memo && strlen(name) < sizeof(memo->group)) {
        snprintf(memo->group, sizeof(memo->group), "%s", name);
        memo->gid = *ret_gid;
    }
    return true;
}

void names_use(struct skrfs_names *names, struct names_memo *memo) {
    *memo = (struct names_memo){0};
    *names = (struct skrfs_names){.user = find_user, .group = find_group, .context = memo};
}

void skrfs_conf_names(struct skrfs_names *ret_names) {
    *ret_names = (struct skrfs_names){.user = find_user, .group = find_group};
}
