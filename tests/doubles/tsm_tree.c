/* configfs-tsm as a FUSE tree: tsm_tree MOUNTPOINT LAB PROVIDER [FLOOR]
 *
 * The tree is .../tsm/report; its reports are the lab's. .control takes "delay_ms N", "busy N",
 * "fail ERRNO", "stale 1", "lose 1", "meddle 1", "debug 1", and tells in JSON what was seen. */
#include "tree.h"
#include "tsm_model.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct skrfs_lab_hardware *hardware;
static struct skrfs_lab_guest_facts facts;

static int make_report(void *context, const uint8_t report_data[64], unsigned privlevel,
        struct skrfs_buf *report, struct skrfs_buf *table) {
    const char *provider = context;
    struct skrfs_lab_guest_facts now = facts;
    struct skrfs_error err;
    int result;
    now.vmpl = privlevel;
    if (strcmp(provider, "tdx_guest") == 0)
        result = skrfs_lab_td_quote(hardware, report_data, &now, report, &err);
    else
        result = skrfs_lab_snp_report(hardware, report_data, &now, report, &err) < 0
                         ? -1
                         : skrfs_lab_snp_table(hardware, table, &err);
    if (result < 0)
        fprintf(stderr, "%s\n", err.message);
    return result < 0 ? -EIO : 0;
}

static int control(const char *text, size_t len) {
    struct tsm_settings settings;
    struct tsm_counts counts;
    char word[32];
    long number;
    if (tree_parse(text, len, word, &number) < 0)
        return -EINVAL;
    tsm_get(&settings, &counts);
    if (strcmp(word, "delay_ms") == 0)
        settings.delay_ms = (unsigned)number;
    else if (strcmp(word, "busy") == 0)
        settings.busy = (unsigned)number;
    else if (strcmp(word, "fail") == 0)
        settings.fail = (int)number;
    else if (strcmp(word, "stale") == 0)
        settings.stale = number;
    else if (strcmp(word, "lose") == 0)
        settings.lose = number;
    else if (strcmp(word, "meddle") == 0)
        settings.meddle = number;
    else if (strcmp(word, "debug") == 0)
        facts.debug = number;
    else
        return -EINVAL;
    tsm_set(&settings);
    return (int)len;
}

static int tell(char *out, size_t len, off_t offset) {
    struct tsm_settings settings;
    struct tsm_counts counts;
    char text[256];
    tsm_get(&settings, &counts);
    int text_len = snprintf(text, sizeof(text),
            "{\"calls\": %u, \"most\": %u, \"folders\": %u, \"made\": %u, \"privlevel\": %u}\n",
            counts.calls, counts.most, counts.folders, counts.made, counts.privlevel);
    return tree_copy(text, (size_t)text_len, out, len, offset);
}

/* "/folder/attribute" taken apart; the attribute is NULL for "/folder". */
static void split(const char *path, char folder[256], const char **ret_attribute) {
    const char *slash = strchr(path + 1, '/');
    int len = slash ? (int)(slash - path - 1) : (int)strlen(path + 1);
    snprintf(folder, 256, "%.*s", len, path + 1);
    *ret_attribute = slash ? slash + 1 : NULL;
}

static int tree_getattr(const char *path, struct stat *about, struct fuse_file_info *file) {
    char folder[256];
    const char *attribute, *name;
    (void)file;
    if (strcmp(path, "/") == 0)
        return tree_describe(about, true, 0755);
    if (strcmp(path, TREE_CONTROL) == 0)
        return tree_describe(about, false, 0600);
    split(path, folder, &attribute);
    if (!tsm_exists(folder))
        return -ENOENT;
    if (!attribute)
        return tree_describe(about, true, 0755);
    for (unsigned i = 0; (name = tsm_attribute_name(i)); i++)
        if (strcmp(name, attribute) == 0)
            return tree_describe(about, false, 0600);
    return -ENOENT;
}

static int tree_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
        struct fuse_file_info *file, enum fuse_readdir_flags flags) {
    char folder[256];
    const char *name;
    (void)offset;
    (void)file;
    (void)flags;
    fill(buffer, ".", NULL, 0, 0);
    fill(buffer, "..", NULL, 0, 0);
    if (strcmp(path, "/") == 0) {
        for (unsigned i = 0; tsm_folder_name(i, folder, sizeof(folder)); i++)
            fill(buffer, folder, NULL, 0, 0);
        return 0;
    }
    for (unsigned i = 0; (name = tsm_attribute_name(i)); i++)
        fill(buffer, name, NULL, 0, 0);
    return 0;
}

static int tree_mkdir(const char *path, mode_t mode) {
    (void)mode;
    return strchr(path + 1, '/') ? -EPERM : tsm_mkdir(path + 1);
}

static int tree_rmdir(const char *path) {
    return strchr(path + 1, '/') ? -ENOTDIR : tsm_rmdir(path + 1);
}

/* Not recursively: what is in a folder goes with it. */
static int tree_unlink(const char *path) {
    (void)path;
    return -EPERM;
}

static int tree_open(const char *path, struct fuse_file_info *file) {
    char folder[256];
    const char *attribute;
    file->fh = UINT64_MAX;
    file->direct_io = 1;
    if (strcmp(path, TREE_CONTROL) == 0)
        return 0;
    split(path, folder, &attribute);
    int handle = tsm_open(folder, attribute ? attribute : "", file->flags);
    if (handle < 0)
        return handle;
    file->fh = (uint64_t)handle;
    return 0;
}

static int tree_truncate(const char *path, off_t size, struct fuse_file_info *file) {
    (void)size;
    (void)file;
    return strcmp(path, TREE_CONTROL) == 0 ? 0 : -EPERM;
}

static int tree_read(
        const char *path, char *out, size_t len, off_t offset, struct fuse_file_info *file) {
    (void)path;
    if (file->fh == UINT64_MAX)
        return tell(out, len, offset);
    return (int)tsm_read((int)file->fh, out, len, offset);
}

static int tree_write(
        const char *path, const char *data, size_t len, off_t offset, struct fuse_file_info *file) {
    (void)path;
    (void)offset;
    if (file->fh == UINT64_MAX)
        return control(data, len);
    return (int)tsm_write((int)file->fh, data, len);
}

static int tree_flush(const char *path, struct fuse_file_info *file) {
    (void)path;
    if (file->fh != UINT64_MAX)
        tsm_flush((int)file->fh);
    return 0;
}

static int tree_release(const char *path, struct fuse_file_info *file) {
    (void)path;
    if (file->fh != UINT64_MAX)
        tsm_close((int)file->fh);
    return 0;
}

static const struct fuse_operations operations = {
        .init = tree_init,
        .getattr = tree_getattr,
        .readdir = tree_readdir,
        .mkdir = tree_mkdir,
        .rmdir = tree_rmdir,
        .unlink = tree_unlink,
        .open = tree_open,
        .truncate = tree_truncate,
        .read = tree_read,
        .write = tree_write,
        .flush = tree_flush,
        .release = tree_release,
};

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: %s MOUNTPOINT LAB PROVIDER [FLOOR]\n", argv[0]);
        return 2;
    }
    hardware = tree_hardware(argv[2]);
    const struct tsm_settings settings = {.provider = strcmp(argv[3], "none") == 0 ? NULL : argv[3],
            .floor = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 0,
            .firmware = make_report,
            .context = argv[3]};
    tsm_set(&settings);
    int result = tree_serve(argv[1], &operations);
    skrfs_lab_hardware_free(hardware);
    return result;
}
