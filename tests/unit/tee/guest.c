#include "guest.h"

#include <fcntl.h>
#include <skrfs/base/file.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

struct guest guest;

/* Descriptors that stand for attributes: the model's handle + 1. */
enum { DESCRIPTORS = 1024 };
static int handles[DESCRIPTORS];
static off_t offsets[DESCRIPTORS];

static int answer(int result) {
    if (result >= 0)
        return result;
    errno = -result;
    return -1;
}

static bool is_tsm(int dir) {
    struct stat about, wanted;
    return *guest.tsm && syscall(SYS_fstat, dir, &about) == 0 && stat(guest.tsm, &wanted) == 0 &&
           about.st_ino == wanted.st_ino && about.st_dev == wanted.st_dev;
}

static bool is_attribute(int fd) {
    return fd >= 0 && fd < DESCRIPTORS && handles[fd] > 0;
}

/* The program's own definitions come before those of the C library. */
int mkdirat(int dir, const char *path, mode_t mode) {
    if (!is_tsm(dir))
        return (int)syscall(SYS_mkdirat, dir, path, mode);
    return answer(tsm_mkdir(path));
}

int unlinkat(int dir, const char *path, int flags) {
    if (!is_tsm(dir) || !tsm_exists(path))
        return (int)syscall(SYS_unlinkat, dir, path, flags);
    return answer(flags & AT_REMOVEDIR ? tsm_rmdir(path) : -EPERM);
}

static int open_attribute(const char *path, int flags) {
    char folder[256];
    const char *slash = strchr(path, '/');
    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
    int handle = tsm_open(folder, slash + 1, flags);
    if (handle < 0)
        return answer(handle);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
    assert_in_range(fd, 0, DESCRIPTORS - 1);
    handles[fd] = handle + 1;
    offsets[fd] = 0;
    return fd;
}

int openat64(int dir, const char *path, int flags, ...);
int openat64(int dir, const char *path, int flags, ...) {
    if (strchr(path, '/') && path[0] != '/' && is_tsm(dir))
        return open_attribute(path, flags);
    return (int)syscall(SYS_openat, dir, path, flags, 0);
}

/* Gramine makes the quote when it is opened, over what was written last, whoever wrote it. */
static int open_quote(void) {
    struct skrfs_error err = {0};
    char path[128];
    uint8_t report_data[64] = {0};
    skrfs_autobuf written = SKRFS_BUF(64), quote = SKRFS_BUF(8192);
    if (guest.quote_errnum)
        return answer(-guest.quote_errnum);
    snprintf(path, sizeof(path), "%s/user_report_data", guest.attestation);
    assert_ok(skrfs_file_read(path, &written, &err), err);
    memcpy(report_data, written.data, written.len);
    guest_sgx_quote(report_data, &quote);
    guest.quotes++;
    int fd = memfd_create("quote", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, quote.data, quote.len, 0), quote.len);
    return fd;
}

int open64(const char *path, int flags, ...);
int open64(const char *path, int flags, ...) {
    size_t len = strlen(guest.attestation);
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (len > 0 && strncmp(path, guest.attestation, len) == 0 && strcmp(path + len, "/quote") == 0)
        return open_quote();
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int close(int fd) {
    if (is_attribute(fd)) {
        tsm_close(handles[fd] - 1);
        handles[fd] = 0;
    }
    return (int)syscall(SYS_close, fd);
}

ssize_t read(int fd, void *data, size_t len) {
    if (!is_attribute(fd))
        return syscall(SYS_read, fd, data, len);
    ssize_t got = tsm_read(handles[fd] - 1, data, len, offsets[fd]);
    if (got < 0)
        return answer((int)got);
    offsets[fd] += got;
    return got;
}

ssize_t write(int fd, const void *data, size_t len) {
    if (!is_attribute(fd))
        return syscall(SYS_write, fd, data, len);
    return answer((int)tsm_write(handles[fd] - 1, data, len));
}

int ioctl(int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if ((request & 0xff00) == 'S' << 8)
        return answer(sev_ioctl(request, argument));
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

static void put(uint8_t *at, size_t len, uint64_t value) {
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

void guest_snp_report(const uint8_t report_data[64], struct skrfs_buf *out) {
    struct skrfs_error err = {0};
    uint8_t report[1184] = {0};
    put(report, 4, 3);
    put(report + 0x08, 8, UINT64_C(0x30000) | (uint64_t)guest.debug << 19);
    put(report + 0x34, 4, 1);
    memcpy(report + 0x50, report_data, 64);
    memcpy(report + 0xC0, guest.host_data, 32);
    report[0x188] = 0x19;
    report[0x189] = 1;
    assert_ok(skrfs_buf_append(out, report, sizeof(report) - guest.cut, &err), err);
}

/* Version 4, with octets behind its declared end. */
void guest_td_quote(const uint8_t report_data[64], struct skrfs_buf *out) {
    struct skrfs_error err = {0};
    enum {
        BODY = 48,
        SIGNED = BODY + 584,
        AUTH = SIGNED + 4,
        QE = AUTH + 128,
        CERTS = QE + 6 + 450
    };
    uint8_t quote[CERTS + 6 + 16 + 70] = {0};
    put(quote, 2, 4);
    put(quote + 2, 2, 2);
    put(quote + 4, 4, 0x81);
    put(quote + BODY + 120, 8, guest.debug);
    memcpy(quote + BODY + 520, report_data, 64);
    put(quote + SIGNED, 4, CERTS + 6 + 16 - AUTH);
    put(quote + QE, 2, 6);
    put(quote + QE + 2, 4, CERTS + 6 + 16 - QE - 6);
    put(quote + CERTS, 2, 5);
    put(quote + CERTS + 2, 4, 16);
    assert_ok(skrfs_buf_append(out, quote, sizeof(quote), &err), err);
}

/* Version 3, with octets behind its declared end. */
void guest_sgx_quote(const uint8_t report_data[64], struct skrfs_buf *out) {
    struct skrfs_error err = {0};
    enum { BODY = 48, SIGNED = BODY + 384, AUTH = SIGNED + 4, QE = AUTH + 128, CERTS = QE + 450 };
    uint8_t quote[CERTS + 6 + 16 + 70] = {0};
    put(quote, 2, 3);
    put(quote + 2, 2, 2);
    put(quote + BODY + 48, 8, guest.debug ? 7 : 5);
    memcpy(quote + BODY + 320, report_data, 64);
    put(quote + SIGNED, 4, CERTS + 6 + 16 - AUTH);
    put(quote + CERTS, 2, 5);
    put(quote + CERTS + 2, 4, 16);
    assert_ok(skrfs_buf_append(out, quote, sizeof(quote), &err), err);
}

static int answer_tsm(void *context, const uint8_t report_data[64], unsigned privlevel,
        struct skrfs_buf *report, struct skrfs_buf *table) {
    struct skrfs_error err = {0};
    const char *provider = context;
    (void)privlevel;
    if (strcmp(provider, "tdx_guest") == 0) {
        guest_td_quote(report_data, report);
        return 0;
    }
    guest_snp_report(report_data, report);
    assert_ok(skrfs_buf_append_text(table, "a table", &err), err);
    return 0;
}

static uint32_t answer_sev(
        void *context, const uint8_t report_data[64], uint32_t vmpl, struct skrfs_buf *report) {
    (void)context;
    if (vmpl != 0)
        return 0x16;
    guest_snp_report(report_data, report);
    return 0;
}

static void make_path(char *out, size_t size, const char *name) {
    snprintf(out, size, "%s/%s", guest.dir, name);
}

int guest_setup(void **state) {
    (void)state;
    guest = (struct guest){.dir = "/tmp/skrfs-guest-XXXXXX"};
    tsm_reset();
    sev_settings = (struct sev_settings){.firmware = answer_sev};
    sev_counts = (struct sev_counts){0};
    struct skrfs_error err;
    return mkdtemp(guest.dir) && skrfs_crypto_setup(&err) == 0 ? 0 : -1;
}

/* Whatever happened: no folder of ours is left, and no request was unclean. */
int guest_teardown(void **state) {
    struct tsm_settings settings;
    struct tsm_counts counts;
    char command[128];
    (void)state;
    tsm_get(&settings, &counts);
    tsm_reset();
    unsetenv("UVM_SECURITY_CONTEXT_DIR");
    unsetenv("UVM_HOST_AMD_CERTIFICATE");
    unsetenv("UVM_REFERENCE_INFO");
    snprintf(command, sizeof(command), "rm -r %s", guest.dir);
    if (system(command) != 0)
        return -1;
    return counts.folders == 0 && counts.most <= 1 && sev_counts.most <= 1 && !sev_counts.unclean
                   ? 0
                   : -1;
}

void guest_add_tsm(const char *provider) {
    make_path(guest.tsm, sizeof(guest.tsm), "tsm");
    assert_int_equal(mkdir(guest.tsm, 0700), 0);
    const struct tsm_settings settings = {
            .provider = provider, .firmware = answer_tsm, .context = (void *)(uintptr_t)provider};
    tsm_set(&settings);
}

void guest_write(const char *name, const void *data, size_t len) {
    struct skrfs_error err = {0};
    char path[128];
    make_path(path, sizeof(path), name);
    assert_ok(skrfs_file_write(path, data, len, 0600, &err), err);
}

void guest_add_gramine(const char *type) {
    make_path(guest.attestation, sizeof(guest.attestation), "attestation");
    assert_int_equal(mkdir(guest.attestation, 0700), 0);
    guest_write("attestation/attestation_type", type, strlen(type));
    guest_write("attestation/user_report_data", "", 0);
}

void guest_add_device(void) {
    make_path(guest.device, sizeof(guest.device), "sev-guest");
    guest_write("sev-guest", "", 0);
}

void guest_add_legacy(enum sev_driver driver) {
    make_path(guest.device, sizeof(guest.device), "sev");
    guest_write("sev", "", 0);
    sev_settings.driver = driver;
}

struct skrfs_tee_options guest_options(const char *kind) {
    return (struct skrfs_tee_options){.kind = kind,
            .tsm = *guest.tsm ? guest.tsm : "/nonexistent/tsm",
            .device = *guest.device ? guest.device : "/nonexistent/sev-guest",
            .attestation = *guest.attestation ? guest.attestation : "/nonexistent/attestation",
            .context = "none",
            .event_log = "none"};
}

struct skrfs_tee *guest_open(const char *kind) {
    struct skrfs_error err = {0};
    struct skrfs_tee *tee = NULL;
    const struct skrfs_tee_options options = guest_options(kind);
    assert_ok(skrfs_tee_open(&options, &tee, &err), err);
    assert_string_equal(tee->ops->name, kind);
    return tee;
}

int guest_collect(struct skrfs_tee *tee, bool fresh, struct skrfs_evidence *evidence,
        struct skrfs_tee_key *key, struct skrfs_error *err) {
    return tee->ops->collect(tee, NONCE, fresh, NULL, evidence, key, err);
}

void guest_collect_fails(struct skrfs_tee *tee, enum skrfs_class kind, const char *why) {
    struct skrfs_error err = {0};
    struct skrfs_evidence evidence;
    struct skrfs_tee_key key;
    assert_fails(guest_collect(tee, true, &evidence, &key, &err), err, kind, why);
}

void guest_collect_ok(struct skrfs_tee *tee) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_tee_key_done) struct skrfs_tee_key key = {.rsa = NULL};
    skrfs_autoevidence evidence;
    skrfs_evidence_init(&evidence);
    assert_ok(guest_collect(tee, true, &evidence, &key, &err), err);
}
