/* Gramine's /dev/attestation as a FUSE tree: attestation_tree MOUNTPOINT LAB [TYPE]
 *
 * Its quotes are the lab's, over the report data that was written last, whoever wrote it. .control
 * takes "fail 1" (no quote, as without AESM), "debug 1", "delay_ms N"; and tells in JSON. */
#include "tree.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { KEY_LEN = 16, KEYS = 16, NAME_LEN = 64, DATA_LEN = 64 };

/* What a handle of the quote holds: it is made when it is opened. */
struct opened {
    struct skrfs_buf quote;
};

static struct skrfs_lab_hardware *hardware;
static struct skrfs_lab_guest_facts facts;
static const char *type = "dcap";
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint8_t report_data[DATA_LEN];
static struct {
    char name[NAME_LEN];
    uint8_t key[KEY_LEN];
} keys[KEYS] = {{.name = "default"}};
static unsigned quotes, asking, most;
static long failing, delay_ms;

static bool has_attestation(void) {
    return strcmp(type, "none") != 0;
}

static const char *const files[] = {"attestation_type", "user_report_data", "quote", NULL};

static bool is_file(const char *path) {
    if (strcmp(path, TREE_CONTROL) == 0)
        return true;
    for (size_t i = 0; files[i]; i++)
        if (strcmp(path + 1, files[i]) == 0)
            return i == 0 || has_attestation();
    return false;
}

/* The key of "/keys/NAME": -1 when the path is none. A new name has a place of its own. */
static int find_key(const char *path, bool make) {
    if (strncmp(path, "/keys/", 6) != 0 || strlen(path + 6) >= NAME_LEN)
        return -1;
    for (int i = 0; i < KEYS; i++) {
        if (!*keys[i].name && make)
            snprintf(keys[i].name, NAME_LEN, "%s", path + 6);
        if (strcmp(keys[i].name, path + 6) == 0)
            return i;
    }
    return -1;
}

static int tree_getattr(const char *path, struct stat *about, struct fuse_file_info *file) {
    (void)file;
    if (strcmp(path, "/") == 0 || strcmp(path, "/keys") == 0)
        return tree_describe(about, true, 0755);
    if (!is_file(path) && find_key(path, false) < 0)
        return -ENOENT;
    tree_describe(about, false, 0600);
    if (!is_file(path))
        about->st_size = KEY_LEN;
    return 0;
}

static int tree_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
        struct fuse_file_info *file, enum fuse_readdir_flags flags) {
    (void)offset;
    (void)file;
    (void)flags;
    if (strcmp(path, "/keys") == 0) {
        for (int i = 0; i < KEYS && *keys[i].name; i++)
            fill(buffer, keys[i].name, NULL, 0, 0);
        return 0;
    }
    fill(buffer, "keys", NULL, 0, 0);
    for (size_t i = 0; files[i] && (i == 0 || has_attestation()); i++)
        fill(buffer, files[i], NULL, 0, 0);
    return 0;
}

static int tree_create(const char *path, mode_t mode, struct fuse_file_info *file) {
    (void)mode;
    file->fh = 0;
    return find_key(path, true) >= 0 ? 0 : -EACCES;
}

/* Any failure to get a quote is EACCES. */
static int make_quote(struct fuse_file_info *file) {
    uint8_t data[DATA_LEN];
    struct skrfs_error err;
    struct opened *opened = calloc(1, sizeof(*opened));
    if (!opened)
        return -ENOMEM;
    pthread_mutex_lock(&lock);
    memcpy(data, report_data, sizeof(data));
    struct skrfs_lab_guest_facts now = facts;
    bool fail = failing;
    struct timespec delay = {delay_ms / 1000, delay_ms % 1000 * 1000000};
    quotes++;
    if (++asking > most)
        most = asking;
    pthread_mutex_unlock(&lock);
    nanosleep(&delay, NULL);
    opened->quote = SKRFS_BUF(8192);
    int result = fail ? -1 : skrfs_lab_sgx_quote(hardware, data, &now, &opened->quote, &err);
    pthread_mutex_lock(&lock);
    asking--;
    pthread_mutex_unlock(&lock);
    if (result == 0) {
        file->fh = (uint64_t)(uintptr_t)opened;
        return 0;
    }
    free(opened);
    return -EACCES;
}

/* Keys are written from secret memory, of whose pages the kernel lends none: they are copied, as by
 * Gramine. */
static int tree_open(const char *path, struct fuse_file_info *file) {
    file->fh = 0;
    file->direct_io = find_key(path, false) < 0;
    return strcmp(path, "/quote") == 0 ? make_quote(file) : 0;
}

static int tree_truncate(const char *path, off_t size, struct fuse_file_info *file) {
    (void)path;
    (void)size;
    (void)file;
    return 0;
}

static int tell(char *out, size_t len, off_t offset) {
    char text[96];
    int text_len = snprintf(text, sizeof(text), "{\"calls\": %u, \"most\": %u}\n", quotes, most);
    return tree_copy(text, (size_t)text_len, out, len, offset);
}

static int tree_read(
        const char *path, char *out, size_t len, off_t offset, struct fuse_file_info *file) {
    const struct opened *opened = (const struct opened *)(uintptr_t)file->fh;
    int key = find_key(path, false);
    if (opened)
        return tree_copy((const char *)opened->quote.data, opened->quote.len, out, len, offset);
    if (key >= 0)
        return tree_copy((const char *)keys[key].key, KEY_LEN, out, len, offset);
    if (strcmp(path, "/attestation_type") == 0)
        return tree_copy(type, strlen(type), out, len, offset);
    if (strcmp(path, "/user_report_data") == 0)
        return tree_copy((const char *)report_data, DATA_LEN, out, len, offset);
    return tell(out, len, offset);
}

static int control(const char *text, size_t len) {
    char word[32];
    long number;
    if (tree_parse(text, len, word, &number) < 0)
        return -EINVAL;
    if (strcmp(word, "fail") == 0)
        failing = number;
    else if (strcmp(word, "delay_ms") == 0)
        delay_ms = number;
    else if (strcmp(word, "debug") == 0)
        facts.debug = number;
    else
        return -EINVAL;
    return (int)len;
}

static int write_locked(const char *path, const char *data, size_t len) {
    int key = find_key(path, false);
    if (key >= 0) {
        if (len != KEY_LEN)
            return -EACCES;
        memcpy(keys[key].key, data, KEY_LEN);
        return (int)len;
    }
    if (strcmp(path, TREE_CONTROL) == 0)
        return control(data, len);
    if (strcmp(path, "/user_report_data") != 0)
        return -EACCES;
    memset(report_data, 0, DATA_LEN);
    memcpy(report_data, data, len < DATA_LEN ? len : DATA_LEN);
    return (int)len;
}

static int tree_write(
        const char *path, const char *data, size_t len, off_t offset, struct fuse_file_info *file) {
    (void)offset;
    (void)file;
    pthread_mutex_lock(&lock);
    int result = write_locked(path, data, len);
    pthread_mutex_unlock(&lock);
    return result;
}

static int tree_release(const char *path, struct fuse_file_info *file) {
    struct opened *opened = (struct opened *)(uintptr_t)file->fh;
    (void)path;
    if (opened) {
        skrfs_buf_done(&opened->quote);
        free(opened);
    }
    return 0;
}

static const struct fuse_operations operations = {
        .init = tree_init,
        .getattr = tree_getattr,
        .readdir = tree_readdir,
        .create = tree_create,
        .open = tree_open,
        .truncate = tree_truncate,
        .read = tree_read,
        .write = tree_write,
        .release = tree_release,
};

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s MOUNTPOINT LAB [TYPE]\n", argv[0]);
        return 2;
    }
    hardware = tree_hardware(argv[2]);
    if (argc > 3)
        type = argv[3];
    int result = tree_serve(argv[1], &operations);
    skrfs_lab_hardware_free(hardware);
    return result;
}
