#include "files.h"

#include "hardware.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <skrfs/base/file.h>
#include <skrfs/tpm/tpm.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MARKER "skrfs-lab"

static void join(char *out, size_t size, const char *dir, const char *name) {
    (void)snprintf(out, size, "%s/%s", dir, name);
}

int skrfs_lab_dir_resolve(const char *dir, char *out, size_t size, struct skrfs_error *err) {
    char here[PATH_MAX];
    bool absolute = dir[0] == '/';
    if (!*dir)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "the lab's folder has no name");
    if (!absolute && !getcwd(here, sizeof(here)))
        return skrfs_fail_errno(err, errno, "find the working folder");
    int len = snprintf(out, size, "%s%s%s", absolute ? "" : here, absolute ? "" : "/", dir);
    /* Names of files in it are put behind. */
    if (len < 0 || (size_t)len >= size || len > PATH_MAX - 64)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "the lab's folder has too long a path");
    while (len > 1 && out[len - 1] == '/')
        out[--len] = '\0';
    return 0;
}

bool skrfs_lab_dir_is_lab(const char *dir) {
    char path[PATH_MAX];
    struct stat st;
    join(path, sizeof(path), dir, MARKER);
    return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int is_empty(const char *dir, bool *ret_empty, struct skrfs_error *err) {
    DIR *open = opendir(dir);
    if (!open)
        return skrfs_fail_errno(err, errno, "read %s", dir);
    bool empty = true;
    for (const struct dirent *entry = readdir(open); entry; entry = readdir(open))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            empty = false;
    closedir(open);
    *ret_empty = empty;
    return 0;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *walk) {
    (void)st;
    (void)kind;
    (void)walk;
    return remove(path);
}

/* Never follows links, never leaves the file system. */
static int remove_tree(const char *dir, struct skrfs_error *err) {
    if (nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT)
        return skrfs_fail_errno(err, errno, "remove %s", dir);
    return 0;
}

int skrfs_lab_dir_check_unmounted(const char *dir, struct skrfs_error *err) {
    char path[PATH_MAX];
    struct stat above;
    struct stat mount;
    join(path, sizeof(path), dir, "mnt");
    if (stat(dir, &above) < 0)
        return 0;
    /* A mount whose server is gone cannot be looked at, and is there all the same. */
    bool gone = lstat(path, &mount) < 0;
    if (gone ? errno != ENOENT : mount.st_dev != above.st_dev)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "%s is mounted: unmount it first", path);
    return 0;
}

int skrfs_lab_dir_remove(const char *dir, struct skrfs_error *err) {
    if (!skrfs_lab_dir_is_lab(dir))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "%s is no lab's folder: it is left alone", dir);
    if (skrfs_lab_dir_check_unmounted(dir, err) < 0)
        return -1;
    return remove_tree(dir, err);
}

static int write_text(
        const char *dir, const char *name, const char *text, struct skrfs_error *err) {
    char path[PATH_MAX];
    join(path, sizeof(path), dir, name);
    return skrfs_file_write(path, text, strlen(text), 0600, err);
}

int skrfs_lab_dir_make(const char *dir, struct skrfs_error *err) {
    bool empty = true;
    if (skrfs_lab_dir_is_lab(dir) && skrfs_lab_dir_remove(dir, err) < 0)
        return -1;
    if (mkdir(dir, 0700) < 0) {
        if (errno != EEXIST)
            return skrfs_fail_errno(err, errno, "make the lab's folder %s", dir);
        if (is_empty(dir, &empty, err) < 0)
            return -1;
        if (!empty)
            return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                    "%s is neither empty nor a lab's folder: give another", dir);
        if (chmod(dir, 0700) < 0)
            return skrfs_fail_errno(err, errno, "close %s to others", dir);
    }
    return write_text(
            dir, MARKER, "This folder belongs to 'skrfs lab'; 'skrfs lab down' removes it.\n", err);
}

int skrfs_lab_dir_lock(const char *dir, int *ret_fd, pid_t *ret_pid, struct skrfs_error *err) {
    char path[PATH_MAX];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    join(path, sizeof(path), dir, "lock");
    skrfs_autoclose int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return skrfs_fail_errno(err, errno, "open %s", path);
    *ret_pid = 0;
    if (fcntl(fd, F_SETLK, &lock) == 0) {
        *ret_fd = skrfs_take_fd(&fd);
        return 0;
    }
    /* The kernel says who holds it: no file can be out of date or lie about that. */
    if (fcntl(fd, F_GETLK, &lock) < 0)
        return skrfs_fail_errno(err, errno, "look at %s", path);
    *ret_fd = -1;
    *ret_pid = lock.l_type == F_UNLCK ? 0 : lock.l_pid;
    return 0;
}

/* A TPM that is at the default place needs no name; a borrowed one's boot log is not the lab's. */
static void tpm_text(
        const char *dir, const struct skrfs_lab_machine *machine, char *out, size_t size) {
    bool named = strcmp(machine->tcti, SKRFS_TPM_DEFAULT_TCTI) != 0;
    (void)snprintf(out, size, "%s%s%sevent-log = %s%s", named ? "tcti = " : "",
            named ? machine->tcti : "", named ? "\n" : "", machine->borrowed ? "none" : dir,
            machine->borrowed ? "" : "/event-log");
}

/* The configuration with which skrfs uses this lab. */
static int conf_text(const char *dir, const struct skrfs_lab *lab,
        const struct skrfs_lab_machine *machine, struct skrfs_buf *out, struct skrfs_error *err) {
    char tpm[PATH_MAX + 256];
    tpm_text(dir, machine, tpm, sizeof(tpm));
    return skrfs_buf_printf(out, err,
            "; The lab of %s: keys, certificates and TPM of this machine alone, for trying and\n"
            "; testing. Not for production.\n"
            "[attestation]\nurl = %s\n\n"
            "[vault vault]\nurl = %s\nresource = %s\n\n"
            "[vault hsm]\nurl = %s\nresource = %s\n\n"
            "[network]\nca-file = %s/ca.pem\n\n"
            "[imds]\nurl = %s\n\n"
            "[tpm]\n%s\n\n"
            "[lab]\ndir = %s\n\n"
            "[mount]\npath = %s/mnt\n\n"
            "; Keys go here or into skrfs.conf.d/*.conf:\n"
            ";\n"
            "; [key disk-data]\n"
            "; vault = vault\n"
            "; format = pem\n",
            dir, lab->maa_url, lab->vaults[0].url, lab->vaults[0].resource, lab->vaults[1].url,
            lab->vaults[1].resource, dir, lab->imds_url, tpm, dir, dir);
}

/* Where an application finds what it logs in with. */
static int describe_login(const char *dir, const struct skrfs_lab *lab, struct skrfs_json *json,
        struct skrfs_error *err) {
    static const struct {
        const char *name, *file;
    } files[] = {{"client-secret-file", "client-secret"},
            {"client-certificate-file", "client-certificate.pem"},
            {"federated-token-file", "federated-token"},
            {"identity-header-file", "identity-header"}, {"arc-dir", "arc"}, {"ca", "ca.pem"}};
    char path[PATH_MAX];
    struct skrfs_json *value = NULL;
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(files); i++) {
        join(path, sizeof(path), dir, files[i].file);
        if (skrfs_json_pack(&value, err, "s", path) < 0 ||
                skrfs_json_set(json, files[i].name, value, err) < 0)
            return -1;
    }
    const char *const texts[][2] = {{"authority", lab->authority}, {"tenant", SKRFS_LAB_TENANT},
            {"client", SKRFS_LAB_CLIENT}, {"federated-issuer", lab->directory->issuer},
            {"federated-subject", SKRFS_LAB_FEDERATED_SUBJECT}};
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(texts); i++)
        if (skrfs_json_pack(&value, err, "s", texts[i][1]) < 0 ||
                skrfs_json_set(json, texts[i][0], value, err) < 0)
            return -1;
    return 0;
}

static int describe(const char *dir, const struct skrfs_lab *lab,
        const struct skrfs_lab_machine *machine, struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF((size_t)32 * 1024);
    skrfs_autojson *json = NULL;
    char app_service[SKRFS_LAB_URL_MAX + 32];
    char arc[SKRFS_LAB_URL_MAX + 64];
    (void)snprintf(app_service, sizeof(app_service), "%s/msi/token", lab->imds_url);
    (void)snprintf(arc, sizeof(arc), "%s/arc/metadata/identity/oauth2/token", lab->imds_url);
    if (skrfs_json_pack(&json, err, "{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:i}", "tee",
                lab->tdx ? "tdx" : "snp", "imds", lab->imds_url, "app-service", app_service, "arc",
                arc, "attestation", lab->maa_url, "vault", lab->vaults[0].url, "hsm",
                lab->vaults[1].url, "tcti", machine->tcti, "pid", (int)getpid(), "swtpm-pid",
                (int)machine->swtpm) < 0 ||
            describe_login(dir, lab, json, err) < 0 ||
            skrfs_json_print(json, true, &text, err) < 0 ||
            skrfs_buf_append_text(&text, "\n", err) < 0)
        return -1;
    return write_text(dir, "lab.json", skrfs_buf_text(&text), err);
}

int skrfs_lab_dir_renew(const char *dir, struct skrfs_lab *lab, struct skrfs_error *err) {
    skrfs_autobuf token = SKRFS_BUF(SKRFS_LAB_TOKEN_MAX);
    if (skrfs_lab_federated_token(lab->directory, skrfs_lab_wall_s(lab), &token, err) < 0)
        return -1;
    return write_text(dir, "federated-token", skrfs_buf_text(&token), err);
}

static int write_credentials(const char *dir, struct skrfs_lab *lab, struct skrfs_error *err) {
    skrfs_autobuf pem = SKRFS_BUF(SKRFS_PEM_MAX);
    if (skrfs_lab_client_pem(lab->directory, &pem, err) < 0 ||
            write_text(dir, "client-certificate.pem", skrfs_buf_text(&pem), err) < 0 ||
            write_text(dir, "client-secret", lab->directory->secret, err) < 0 ||
            write_text(dir, "identity-header", lab->directory->identity_header, err) < 0)
        return -1;
    return skrfs_lab_dir_renew(dir, lab, err);
}

static int write_pids(
        const char *dir, const struct skrfs_lab_machine *machine, struct skrfs_error *err) {
    char text[24];
    (void)snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (write_text(dir, "pid", text, err) < 0)
        return -1;
    (void)snprintf(text, sizeof(text), "%d\n", (int)machine->swtpm);
    return write_text(dir, "swtpm.pid", text, err);
}

static int make_folders(const char *dir, struct skrfs_error *err) {
    static const char *const names[] = {"mnt", "skrfs.conf.d", "arc"};
    char path[PATH_MAX];
    for (size_t i = 0; i < SKRFS_ARRAY_LEN(names); i++) {
        join(path, sizeof(path), dir, names[i]);
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return skrfs_fail_errno(err, errno, "make %s", path);
    }
    return 0;
}

int skrfs_lab_dir_fill(const char *dir, struct skrfs_lab *lab,
        const struct skrfs_lab_machine *machine, struct skrfs_error *err) {
    skrfs_autobuf conf = SKRFS_BUF((size_t)64 * 1024);
    skrfs_autobuf ca = SKRFS_BUF(SKRFS_PEM_MAX);
    if (conf_text(dir, lab, machine, &conf, err) < 0 ||
            skrfs_chain_pem(lab->pki->root.chain, &ca, err) < 0 || make_folders(dir, err) < 0 ||
            write_text(dir, "ca.pem", skrfs_buf_text(&ca), err) < 0 ||
            write_text(dir, "skrfs.conf", skrfs_buf_text(&conf), err) < 0 ||
            write_credentials(dir, lab, err) < 0 || write_pids(dir, machine, err) < 0 ||
            skrfs_lab_hardware_save(dir, lab->pki, err) < 0)
        return -1;
    return describe(dir, lab, machine, err);
}
