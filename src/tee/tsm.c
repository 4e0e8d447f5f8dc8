/* configfs-tsm, Linux 6.7 and later: Documentation/ABI/testing/configfs-tsm-report,
 * drivers/virt/coco/tsm.c. Folders and files are reached from a descriptor that is open before a
 * sandbox closes. */
#include "internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/encode.h>
#include <skrfs/base/file.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define TSM_FOLDER "/sys/kernel/config/tsm/report"
#define NAME_PREFIX "skrfs-"
#define TEXT_MAX 64

enum { ATTEMPTS = 5, PAUSE_MS = 200 };

struct tsm {
    struct skrfs_source base;
    const char *path;        /* borrowed */
    unsigned long namespace; /* of process ids, that of this process */
    int dir;
};

struct folder {
    int dir;
    char name[128];
    unsigned writes; /* of ours: each raises the generation by one */
};

/* The names of ours say whose they are, so that what a dead one left can be told from what a living
 * one needs, also where another container sees the same folders. */
static unsigned long own_namespace(void) {
    struct stat about;
    return stat("/proc/self/ns/pid", &about) == 0 ? (unsigned long)about.st_ino : 0;
}

static int folder_make(const struct tsm *tsm, struct folder *folder, struct skrfs_error *err) {
    uint64_t number;
    if (skrfs_random(&number, sizeof(number), err) < 0)
        return -1;
    *folder = (struct folder){.dir = tsm->dir};
    snprintf(folder->name, sizeof(folder->name), NAME_PREFIX "%lu-%ld-%016llx", tsm->namespace,
            (long)getpid(), (unsigned long long)number);
    if (mkdirat(tsm->dir, folder->name, 0700) == 0)
        return 0;
    folder->dir = -1;
    if (errno == ENXIO)
        return skrfs_fail(err, SKRFS_CLASS_NO_TEE, "the kernel has no provider of reports");
    return skrfs_fail_errno(err, errno, "a folder cannot be made (is skrfs root?)");
}

/* rmdir alone: what is in such a folder goes with it. */
static void folder_remove(struct folder *folder) {
    if (folder->dir >= 0)
        (void)unlinkat(folder->dir, folder->name, AT_REMOVEDIR);
    folder->dir = -1;
}
#define autofolder SKRFS_CLEANUP(folder_remove) struct folder

static bool is_leftover(const char *name, unsigned long namespace) {
    unsigned long theirs;
    long pid;
    if (sscanf(name, NAME_PREFIX "%lu-%ld-", &theirs, &pid) != 2 || pid <= 0)
        return false;
    return namespace != 0 && theirs == namespace && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

static void remove_leftovers(const struct tsm *tsm) {
    skrfs_autoclose int again = openat(tsm->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = again < 0 ? NULL : fdopendir(again);
    if (!listing)
        return;
    (void)skrfs_take_fd(&again); /* the listing's */
    for (struct dirent *entry = readdir(listing); entry; entry = readdir(listing))
        if (is_leftover(entry->d_name, tsm->namespace))
            (void)unlinkat(tsm->dir, entry->d_name, AT_REMOVEDIR);
    closedir(listing);
}

/* A descriptor of an attribute is for reading or for writing, not both (ETXTBSY). */
static int attribute_open(const struct folder *folder, const char *attribute, int flags) {
    char path[sizeof(folder->name) + 32];
    snprintf(path, sizeof(path), "%s/%s", folder->name, attribute);
    return openat(folder->dir, path, flags | O_CLOEXEC | O_NOCTTY);
}

static int attribute_read(const struct folder *folder, const char *attribute, struct skrfs_buf *out,
        struct skrfs_error *err) {
    skrfs_autoclose int fd = attribute_open(folder, attribute, O_RDONLY);
    if (fd < 0)
        return skrfs_fail_errno(err, errno, "%s cannot be opened", attribute);
    if (skrfs_fd_read_all(fd, out, err) < 0)
        return skrfs_wrap(err, "%s", attribute);
    return 0;
}

/* One write; the attributes of octets are taken by the kernel at close, which throws the result
 * away (fs/configfs/file.c). */
static int attribute_write(struct folder *folder, const char *attribute, const void *data,
        size_t len, struct skrfs_error *err) {
    int fd = attribute_open(folder, attribute, O_WRONLY);
    if (fd < 0)
        return skrfs_fail_errno(err, errno, "%s cannot be opened", attribute);
    ssize_t put = write(fd, data, len);
    int errnum = put < 0 ? errno : 0;
    if (close(fd) < 0 && errnum == 0)
        errnum = errno;
    folder->writes++;
    if (errnum)
        return skrfs_fail_errno(err, errnum, "%s cannot be written", attribute);
    if ((size_t)put != len)
        return skrfs_fail(
                err, SKRFS_CLASS_SYSTEM, "%s took %zd of %zu octets", attribute, put, len);
    return 0;
}

static int read_text(const struct folder *folder, const char *attribute, char out[TEXT_MAX],
        struct skrfs_error *err) {
    skrfs_autobuf text = SKRFS_BUF(TEXT_MAX - 1);
    if (attribute_read(folder, attribute, &text, err) < 0)
        return -1;
    skrfs_text_clean(skrfs_buf_text(&text), strcspn(skrfs_buf_text(&text), "\n"), out, TEXT_MAX);
    return 0;
}

static int read_number(const struct folder *folder, const char *attribute,
        unsigned long *ret_number, struct skrfs_error *err) {
    char text[TEXT_MAX], *end;
    if (read_text(folder, attribute, text, err) < 0)
        return -1;
    errno = 0;
    *ret_number = strtoul(text, &end, 10);
    if (errno || end == text || *end)
        return skrfs_fail(err, SKRFS_CLASS_BAD_ANSWER, "%s is '%s', no number", attribute, text);
    return 0;
}

/* A guest below VMPL 0 gets no report of VMPL 0, which is the default (SVSM). */
static int set_privlevel(struct folder *folder, struct skrfs_error *err) {
    unsigned long floor;
    char text[24];
    struct skrfs_error why;
    if (read_number(folder, "privlevel_floor", &floor, &why) < 0) {
        if (why.errnum == ENOENT) /* TDX has no such levels */
            return 0;
        *err = why;
        return -1;
    }
    if (floor == 0)
        return 0;
    int len = snprintf(text, sizeof(text), "%lu", floor);
    return attribute_write(folder, "privlevel", text, (size_t)len, err);
}

static int check_generation(
        const struct folder *folder, unsigned long before, struct skrfs_error *err) {
    unsigned long now;
    if (read_number(folder, "generation", &now, err) < 0)
        return -1;
    if (now == before + folder->writes)
        return 0;
    if (now < before + folder->writes)
        return skrfs_fail(err, SKRFS_CLASS_SYSTEM,
                "the kernel did not take what was written (generation %lu, not %lu)", now,
                before + folder->writes);
    skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "somebody else writes into the same folder");
    return skrfs_fail_retryable(err, 0);
}

/* The certificate table; absent without certificates, and other processors have none. */
static int read_certificates(
        const struct folder *folder, struct skrfs_evidence *evidence, struct skrfs_error *err) {
    struct skrfs_buf *out = &evidence->certificates[SKRFS_CERTS_REPORT];
    if (attribute_read(folder, "auxblob", out, err) == 0 || err->errnum == ENOENT)
        return 0;
    return -1;
}

static int exchange(struct folder *folder, const uint8_t report_data[64],
        struct skrfs_evidence *evidence, struct skrfs_error *err) {
    unsigned long before;
    if (read_number(folder, "generation", &before, err) < 0 || set_privlevel(folder, err) < 0 ||
            attribute_write(folder, "inblob", report_data, 64, err) < 0 ||
            check_generation(folder, before, err) < 0 ||
            attribute_read(folder, "outblob", &evidence->report, err) < 0 ||
            read_certificates(folder, evidence, err) < 0)
        return -1;
    return check_generation(folder, before, err);
}

static int later(struct skrfs_error *err, const char *why, uint64_t after_ns) {
    skrfs_fail(err, SKRFS_CLASS_UNAVAILABLE, "%s", why);
    return skrfs_fail_retryable(err, after_ns ? skrfs_now_ns() + after_ns : 0);
}

/* What an errno of these attributes means. */
static int explain(struct skrfs_error *err) {
    switch (err->errnum) {
    case EBUSY:
        return later(err, "the hardware is busy with another report", 0);
    case ETIMEDOUT:
        /* The kernel gives a TD's quote 30 s, and refuses others while it is on its way. */
        return later(
                err, "the host's quoting service did not answer in time", 10 * SKRFS_SECOND_NS);
    case EFAULT:
    case ENXIO:
        err->kind = SKRFS_CLASS_NO_TEE;
        return -1;
    case ENOTTY:
        return skrfs_wrap(err,
                "the kernel wiped its key to the firmware after an earlier error; only a restart "
                "of the guest gives it back");
    case EINVAL:
        return skrfs_wrap(
                err, "the kernel refused the request (64 octets of data, or the privilege level)");
    case EFBIG:
        return skrfs_wrap(err, "the report is larger than this kernel takes");
    case EIO:
        return skrfs_wrap(err, "the firmware refused; see the kernel's log");
    default:
        return -1;
    }
}

static int ask_once(struct tsm *tsm, const uint8_t report_data[64], struct skrfs_evidence *evidence,
        struct skrfs_error *err) {
    autofolder folder = {.dir = -1};
    skrfs_buf_truncate(&evidence->report, 0);
    skrfs_buf_truncate(&evidence->certificates[SKRFS_CERTS_REPORT], 0);
    if (folder_make(tsm, &folder, err) < 0 || exchange(&folder, report_data, evidence, err) < 0)
        return explain(err);
    return 0;
}

static int tsm_ask(struct skrfs_source *source, const uint8_t report_data[64],
        struct skrfs_evidence *evidence, struct skrfs_error *err) {
    struct tsm *tsm = (struct tsm *)source;
    uint64_t pause_ns = PAUSE_MS * SKRFS_MILLISECOND_NS;
    for (unsigned i = 1; ask_once(tsm, report_data, evidence, err) < 0; i++) {
        if (!err->retryable || err->not_before_ns)
            return skrfs_wrap(err, "%s", tsm->path);
        if (i == ATTEMPTS) {
            skrfs_fail_retryable(err, skrfs_now_ns() + 2 * SKRFS_SECOND_NS);
            return skrfs_wrap(err, "%s", tsm->path);
        }
        (void)skrfs_sleep_until(skrfs_now_ns() + pause_ns, SKRFS_NEVER_NS);
        pause_ns *= 2;
    }
    return 0;
}

static void tsm_close(struct skrfs_source *source) {
    struct tsm *tsm = (struct tsm *)source;
    skrfs_close_p(&tsm->dir);
    free(tsm);
}

static const struct skrfs_source_ops tsm_ops = {
        .name = "configfs-tsm", .ask = tsm_ask, .close = tsm_close};

static int open_folder(const char *path, int *ret_dir, struct skrfs_error *err) {
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 && (errno == ENOENT || errno == ENOTDIR))
        return skrfs_fail(err, SKRFS_CLASS_NO_TEE,
                "%s is not there (Linux 6.7 has it where configfs is mounted)", path);
    if (dir < 0)
        return skrfs_fail_errno(err, errno, "%s cannot be opened", path);
    *ret_dir = dir;
    return 0;
}

static int find_provider(struct tsm *tsm, const char *wanted, struct skrfs_error *err) {
    autofolder folder = {.dir = -1};
    char provider[TEXT_MAX];
    remove_leftovers(tsm);
    if (folder_make(tsm, &folder, err) < 0 || read_text(&folder, "provider", provider, err) < 0)
        return skrfs_wrap(err, "%s", tsm->path);
    if (strcmp(provider, wanted) != 0)
        return skrfs_fail(err, SKRFS_CLASS_NO_TEE, "%s: its provider is %s, not %s", tsm->path,
                provider, wanted);
    return 0;
}

int skrfs_tsm_open(const struct skrfs_tee_options *options, const char *provider,
        struct skrfs_source **ret_source, struct skrfs_error *err) {
    const char *path = options->tsm ? options->tsm : TSM_FOLDER;
    struct tsm *tsm = calloc(1, sizeof(*tsm));
    if (!tsm)
        return skrfs_fail_memory(err);
    tsm->base = (struct skrfs_source){.ops = &tsm_ops, .dir = path};
    tsm->path = path;
    tsm->namespace = own_namespace();
    tsm->dir = -1;
    if (open_folder(path, &tsm->dir, err) < 0 || find_provider(tsm, provider, err) < 0) {
        skrfs_tee_look_failed(options, path, err);
        tsm_close(&tsm->base);
        return -1;
    }
    skrfs_tee_look(options, path, true, "its provider is %s", provider);
    *ret_source = &tsm->base;
    return 0;
}
