/* The files with which the vaults' logins prove who they are. They are read anew at each login, in
 * the process that speaks to the network: that one, which is nobody and in a sandbox, is let read
 * their folders, and joins the groups to which they are open. */
#include <skrfs/base/log.h>
#include <skrfs/base/secret.h>
#include <skrfs/daemon/process.h>
#include <string.h>
#include <sys/stat.h>

/* Of a login with a certificate: its PEM file while it is read (azure/assertion.c). */
#define KEY_ROOM SKRFS_SECRET_MAX

bool skrfs_credential_open_to(const struct stat *status, bool *ret_group) {
    *ret_group = false;
    if (status->st_mode & S_IROTH)
        return true;
    /* Root's own group would open more than this file. */
    *ret_group = (status->st_mode & S_IRGRP) && status->st_gid != 0;
    return *ret_group;
}

static const char *file_of(const struct skrfs_cloud_vault *vault) {
    switch (vault->identity) {
    case SKRFS_IDENTITY_WORKLOAD:
        return vault->token_file;
    case SKRFS_IDENTITY_SECRET:
    case SKRFS_IDENTITY_CERTIFICATE:
        return vault->identity_id;
    default:
        return NULL;
    }
}

static void join(struct skrfs_credentials *credentials, gid_t group) {
    for (size_t i = 0; i < credentials->group_count; i++)
        if (credentials->groups[i] == group)
            return;
    credentials->groups[credentials->group_count++] = group;
}

/* The folder, so that a file put in the other's place can be read too. */
static int allow_folder(
        struct skrfs_credentials *credentials, const char *file, struct skrfs_error *err) {
    const char *slash = strrchr(file, '/');
    size_t len = slash ? (size_t)(slash - file) : 0;
    for (size_t i = 0; len && i < credentials->count; i++)
        if (strlen(credentials->folders[i]) == len &&
                strncmp(credentials->folders[i], file, len) == 0)
            return 0;
    /* Of a file right below the root, the file alone. */
    char *folder = strndup(file, len ? len : strlen(file));
    if (!folder)
        return skrfs_fail_memory(err);
    credentials->folders[credentials->count++] = folder;
    return 0;
}

static bool is_own_group(gid_t group) {
    return group == getegid() || group_member(group);
}

/* By this process's user without any capability, as which it logs in. */
static bool is_open_to_self(const struct stat *status) {
    if (status->st_uid == geteuid())
        return status->st_mode & S_IRUSR;
    return status->st_mode & (is_own_group(status->st_gid) ? S_IRGRP : S_IROTH);
}

static void judge_for_nobody(struct skrfs_credentials *credentials, const char *vault,
        const char *file, const struct stat *status) {
    bool group = false;
    if (!skrfs_credential_open_to(status, &group))
        skrfs_log_warning("[vault %s] %s is open to its owner alone, and who logs in is not root: "
                          "give the file a group of its own (not root's) and mode 0640",
                vault, file);
    if (group)
        join(credentials, status->st_gid);
}

/* As root the process becomes nobody, who may read little. */
static void judge(struct skrfs_credentials *credentials, const struct skrfs_cloud_vault *vault,
        const char *file) {
    struct stat status;
    if (stat(file, &status) < 0)
        return; /* one that is not there yet is told of at the login */
    if (geteuid() == 0)
        judge_for_nobody(credentials, vault->name, file, &status);
    else if (!is_open_to_self(&status))
        skrfs_log_warning("[vault %s] %s is not open to the user who logs in, uid %u: give the "
                          "file the group %u and mode 0640",
                vault->name, file, geteuid(), getegid());
}

/* Azure Arc makes a new file for each login, in a folder that its own group may enter. */
static int find_arc(struct skrfs_credentials *credentials, const struct skrfs_login *login,
        struct skrfs_error *err) {
    struct stat status;
    const char *folder = login->arc_dir ? login->arc_dir : SKRFS_ARC_DIR;
    if (login->managed != SKRFS_MANAGED_ARC)
        return 0;
    if (geteuid() == 0 && stat(folder, &status) == 0 && status.st_gid != 0 &&
            (status.st_mode & S_IXGRP))
        join(credentials, status.st_gid);
    credentials->folders[credentials->count] = strdup(folder);
    return credentials->folders[credentials->count++] ? 0 : skrfs_fail_memory(err);
}

static int find(struct skrfs_credentials *credentials, const struct skrfs_network *network,
        size_t vault_count, struct skrfs_error *err) {
    for (size_t i = 0; i < vault_count && i < SKRFS_CONF_VAULTS_MAX; i++) {
        const struct skrfs_cloud_vault *vault = &network->vaults[i];
        const char *file = file_of(vault);
        if (!file)
            continue;
        if (allow_folder(credentials, file, err) < 0)
            return -1;
        judge(credentials, vault, file);
        if (vault->identity == SKRFS_IDENTITY_CERTIFICATE)
            credentials->secret += KEY_ROOM;
    }
    return find_arc(credentials, &network->login, err);
}

int skrfs_credentials_find(const struct skrfs_network *network, size_t vault_count,
        struct skrfs_credentials *ret_credentials, struct skrfs_error *err) {
    struct skrfs_credentials credentials = {.count = 0};
    if (find(&credentials, network, vault_count, err) < 0) {
        skrfs_credentials_done(&credentials);
        return -1;
    }
    *ret_credentials = credentials;
    return 0;
}

void skrfs_credentials_done(struct skrfs_credentials *credentials) {
    for (size_t i = 0; i < credentials->count; i++)
        free(credentials->folders[i]);
    credentials->count = 0;
}
