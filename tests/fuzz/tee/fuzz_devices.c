/* The files and devices by which a guest or enclave gets its report, with what the host says in
 * them: configfs-tsm, /dev/sev-guest and 5.15's /dev/sev, Gramine's folder, and the files of a
 * security context. The input's first line chooses: t d g for tsm, a device, Gramine; then s t x
 * for the processor (SNP, TD, SGX); then l for the older device, b for debug allowed, c for a
 * security context, i and f for files of initial data and certificates. The parts behind it
 * (script.h) answer what is read, in this order: "!N" fails with errno N; in one that begins with
 * '@' the report data that was asked for is put where the report has it.
 *
 * leaks are not looked for: the wrapping key was made with OpenSSL's generator. */
#include "../../../src/tee/internal.h"

#include "../script.h"

#include <fcntl.h>
#include <skrfs/base/clock.h>
#include <skrfs/base/file.h>
#include <stdarg.h>
#include <sys/ioctl.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int __real_openat64(int dir, const char *path, int flags, ...);
int __wrap_openat64(int dir, const char *path, int flags, ...);
int __wrap___openat64_2(int dir, const char *path, int flags);
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_mkdirat(int dir, const char *path, mode_t mode);
int __wrap_unlinkat(int dir, const char *path, int flags);
int __wrap_ioctl(int fd, unsigned long request, ...);
ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);
int __wrap_skrfs_fd_read_all(int fd, struct skrfs_buf *out, struct skrfs_error *err);
int __wrap_skrfs_fd_write(int fd, const void *data, size_t len, struct skrfs_error *err);
int __wrap_skrfs_file_read(const char *path, struct skrfs_buf *out, struct skrfs_error *err);
bool __wrap_skrfs_sleep_until(uint64_t when_ns, uint64_t deadline_ns);
int __real_skrfs_pkey_new_rsa(unsigned bits, struct skrfs_pkey **ret_key, struct skrfs_error *err);
int __wrap_skrfs_pkey_new_rsa(unsigned bits, struct skrfs_pkey **ret_key, struct skrfs_error *err);

static struct script answers;
static uint8_t asked[64];
static size_t asked_at; /* where a report has it */
static struct skrfs_secret *made;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    struct skrfs_error err;
    skrfs_autopkey *key = NULL;
    (void)argc;
    (void)argv;
    if (__real_skrfs_pkey_new_rsa(2048, &key, &err) < 0 || skrfs_pkey_pkcs8(key, &made, &err) < 0)
        abort();
    return 0;
}

int __wrap_skrfs_pkey_new_rsa(unsigned bits, struct skrfs_pkey **ret_key, struct skrfs_error *err) {
    (void)bits;
    return skrfs_pkey_from_pkcs8(skrfs_secret_data(made), skrfs_secret_len(made), ret_key, err);
}

static int null_device(void) {
    return __real_open64("/dev/null", O_RDWR | O_CLOEXEC);
}

int __wrap_openat64(int dir, const char *path, int flags, ...) {
    return strcmp(path, ".") == 0 ? __real_openat64(dir, path, flags) : null_device();
}

int __wrap___openat64_2(int dir, const char *path, int flags) {
    return __wrap_openat64(dir, path, flags);
}

int __wrap_open64(const char *path, int flags, ...) {
    bool real = strncmp(path, "/tmp", 4) == 0 || strncmp(path, "/nonexistent", 12) == 0;
    return real ? __real_open64(path, flags) : null_device();
}

int __wrap_mkdirat(int dir, const char *path, mode_t mode) {
    (void)dir;
    (void)path;
    (void)mode;
    return 0;
}

int __wrap_unlinkat(int dir, const char *path, int flags) {
    (void)dir;
    (void)path;
    (void)flags;
    return 0;
}

bool __wrap_skrfs_sleep_until(uint64_t when_ns, uint64_t deadline_ns) {
    return when_ns < deadline_ns;
}

static void note(const void *data, size_t len) {
    if (len == sizeof(asked))
        memcpy(asked, data, sizeof(asked));
}

ssize_t __wrap_write(int fd, const void *data, size_t len) {
    note(data, len);
    return __real_write(fd, data, len);
}

int __wrap_skrfs_fd_write(int fd, const void *data, size_t len, struct skrfs_error *err) {
    (void)fd;
    (void)err;
    note(data, len);
    return 0;
}

/* The next part as what is read, or its errno. */
static int next_answer(struct skrfs_bytes *ret_part) {
    *ret_part = script_next(&answers);
    const char *text = (const char *)ret_part->data;
    if (ret_part->len < 2 || text[0] != '!')
        return 0;
    int errnum = 0;
    for (size_t i = 1; i < ret_part->len && text[i] >= '0' && text[i] <= '9' && i < 5; i++)
        errnum = errnum * 10 + (text[i] - '0');
    return errnum;
}

static void put_asked(uint8_t *report, size_t len) {
    if (len >= asked_at + sizeof(asked))
        memcpy(report + asked_at, asked, sizeof(asked));
}

static int read_part(struct skrfs_buf *out, struct skrfs_error *err) {
    struct skrfs_bytes part;
    int errnum = next_answer(&part);
    if (errnum)
        return skrfs_fail_errno(err, errnum, "read it");
    bool whole = part.len == 0 || part.data[0] != '@';
    if (part.len > 0 && skrfs_buf_append(out, part.data + !whole, part.len - !whole, err) < 0)
        return -1;
    if (!whole)
        put_asked(out->data, out->len);
    return 0;
}

int __wrap_skrfs_fd_read_all(int fd, struct skrfs_buf *out, struct skrfs_error *err) {
    (void)fd;
    return read_part(out, err);
}

int __wrap_skrfs_file_read(const char *path, struct skrfs_buf *out, struct skrfs_error *err) {
    (void)path;
    return read_part(out, err);
}

/* Fills `size` octets at `to` with the next part. */
static int fill(uint8_t *to, size_t size, size_t report_at) {
    struct skrfs_bytes part;
    int errnum = next_answer(&part);
    if (errnum) {
        errno = errnum;
        return -1;
    }
    bool mark = part.len > 0 && part.data[0] == '@';
    size_t len = part.len - mark < size ? part.len - mark : size;
    if (len)
        memcpy(to, part.data + mark, len);
    if (mark && size > report_at)
        put_asked(to + report_at, size - report_at);
    return 0;
}

/* Of the older device: request, response and error lie elsewhere, and there are no certificates. */
static int legacy_ioctl(uint8_t *arguments) {
    uint64_t asking = 0, response = 0;
    memcpy(&asking, arguments + 8, sizeof(asking));
    memcpy(&response, arguments + 24, sizeof(response));
    memcpy(asked, (const uint8_t *)(uintptr_t)asking, sizeof(asked));
    struct skrfs_bytes code = script_next(&answers);
    if (code.len)
        memcpy(arguments + 32, code.data, code.len < 4 ? code.len : 4);
    return fill((uint8_t *)(uintptr_t)response, 1280, 32);
}

/* Request and response by pointers, the error behind them; an extended request of 112 octets has
 * the pages for certificates at 96. */
static int guest_ioctl(uint8_t *arguments, bool extended) {
    uint64_t words[4], table = 0;
    memcpy(words, arguments, sizeof(words));
    const uint8_t *asking = (const uint8_t *)(uintptr_t)words[1];
    memcpy(asked, asking, sizeof(asked));
    struct skrfs_bytes code = script_next(&answers);
    if (code.len)
        memcpy(arguments + 24, code.data, code.len < 8 ? code.len : 8);
    if (fill((uint8_t *)(uintptr_t)words[2], 4000, 32) < 0)
        return -1;
    if (extended)
        memcpy(&table, asking + 96, sizeof(table));
    return table ? fill((uint8_t *)(uintptr_t)table, 0x4000, 0x4000) : 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...) {
    va_list list;
    va_start(list, request);
    uint8_t *arguments = va_arg(list, uint8_t *);
    va_end(list);
    (void)fd;
    return _IOC_SIZE(request) == 40 ? legacy_ioctl(arguments)
                                    : guest_ioctl(arguments, _IOC_NR(request) == 2);
}

static bool has(struct skrfs_bytes line, char letter) {
    return line.len && memchr(line.data, letter, line.len);
}

static int open_tee(struct skrfs_bytes line, struct skrfs_tee **ret_tee, struct skrfs_error *err) {
    struct skrfs_tee_options options = {.tsm = has(line, 't') ? "/tmp" : "/nonexistent/tsm",
            .device = has(line, 'd') ? (has(line, 'l') ? "/dev/sev" : "/dev/sev-guest") : NULL,
            .attestation = "/dev/attestation",
            .context = has(line, 'c') ? "/tmp" : "none",
            .init_data_file = has(line, 'i') ? "/init" : NULL,
            .certificates_file = has(line, 'f') ? "/certificates" : NULL,
            .allow_debug = has(line, 'b')};
    char kind = line.len > 1 ? (char)line.data[1] : 's';
    asked_at = kind == 's' ? 0x50 : kind == 'x' ? 48 + 320 : 48 + 520;
    if (kind == 'x')
        return skrfs_sgx_open(&options, ret_tee, err);
    return kind == 's' ? skrfs_snp_open(&options, ret_tee, err)
                       : skrfs_tdx_open(&options, ret_tee, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct skrfs_error err;
    struct skrfs_trace trace;
    skrfs_autoevidence evidence;
    SKRFS_CLEANUP(skrfs_tee_key_done) struct skrfs_tee_key key = {.rsa = NULL};
    SKRFS_CLEANUP(skrfs_tee_close_p) struct skrfs_tee *tee = NULL;
    answers = (struct script){data, data + size};
    struct skrfs_bytes line = script_next(&answers);
    skrfs_evidence_init(&evidence);
    skrfs_trace_start(&trace);
    if (open_tee(line, &tee, &err) < 0)
        return 0;
    /* Evidence that is handed out is over the key that it is for. */
    if (tee->ops->collect(tee, "00", false, &trace, &evidence, &key, &err) == 0 &&
            (evidence.runtime_data.len == 0 || evidence.report.len < asked_at + sizeof(asked) ||
                    memcmp(evidence.report.data + asked_at, asked, sizeof(asked)) != 0))
        abort();
    return 0;
}
