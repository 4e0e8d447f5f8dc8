/* LD_PRELOADed, makes a file named sev-guest or sev below SKRFS_DOUBLE_SEV an SEV-SNP guest's
 * device, with reports of the lab in SKRFS_DOUBLE_LAB. The folder's file "settings", read when the
 * device is opened, has lines "word number": driver (0 sev-guest, 1 a 5.15 guest's, 2 a host's),
 * wiped, fail, firmware_error, vmm_error, delay_ms, debug, table (0: the host has no certificates).
 * Each request is told by one octet written to the file of the device, whose length then counts
 * them. */
/* Both names of open(2) are wanted, and not one as the other. */
#undef _FILE_OFFSET_BITS

#include "sev_model.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <skrfs/lab/hardware.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#define EXPORTED __attribute__((visibility("default")))

static struct skrfs_lab_hardware *hardware;
static struct skrfs_lab_guest_facts facts;
static struct skrfs_buf table = {.max = 16384};
static int device = -1;

static uint32_t make_report(
        void *context, const uint8_t report_data[64], uint32_t vmpl, struct skrfs_buf *report) {
    struct skrfs_lab_guest_facts now = facts;
    struct skrfs_error err;
    (void)context;
    now.vmpl = vmpl;
    return skrfs_lab_snp_report(hardware, report_data, &now, report, &err) < 0 ? 1 : 0;
}

static void set(const char *word, long number) {
    if (strcmp(word, "driver") == 0)
        sev_settings.driver = (enum sev_driver)number;
    else if (strcmp(word, "wiped") == 0)
        sev_settings.wiped = number;
    else if (strcmp(word, "fail") == 0)
        sev_settings.fail = (int)number;
    else if (strcmp(word, "firmware_error") == 0)
        sev_settings.fail_code |= (uint64_t)number;
    else if (strcmp(word, "vmm_error") == 0)
        sev_settings.fail_code |= (uint64_t)number << 32;
    else if (strcmp(word, "delay_ms") == 0)
        sev_settings.delay_ms = (unsigned)number;
    else if (strcmp(word, "debug") == 0)
        facts.debug = number;
    else if (strcmp(word, "table") == 0 && number == 0)
        sev_settings.table.len = 0;
}

static void read_settings(const char *folder) {
    char path[512], word[32];
    long number;
    snprintf(path, sizeof(path), "%s/settings", folder);
    FILE *file = fopen(path, "re");
    while (file && fscanf(file, "%31s %ld", word, &number) == 2)
        set(word, number);
    if (file)
        fclose(file);
}

/* After the program has set OpenSSL up, and before a sandbox closes. */
static void start(const char *folder) {
    const char *lab = getenv("SKRFS_DOUBLE_LAB");
    struct skrfs_error err;
    if (hardware)
        return;
    if (!lab || skrfs_lab_hardware_load(lab, &hardware, &err) < 0 ||
            skrfs_lab_snp_table(hardware, &table, &err) < 0) {
        fprintf(stderr, "the double of the device: %s\n", lab ? err.message : "no lab");
        abort();
    }
    sev_settings.firmware = make_report;
    sev_settings.table = skrfs_buf_bytes(&table);
    read_settings(folder);
}

static bool is_device(const char *path, const char **ret_folder) {
    const char *folder = getenv("SKRFS_DOUBLE_SEV");
    size_t len = folder ? strlen(folder) : 0;
    if (len == 0 || strncmp(path, folder, len) != 0)
        return false;
    *ret_folder = folder;
    return strcmp(path + len, "/sev-guest") == 0 || strcmp(path + len, "/sev") == 0;
}

static int open_any(const char *path, int flags, mode_t mode) {
    const char *folder;
    bool ours = is_device(path, &folder);
    if (ours)
        start(folder);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, ours ? flags | O_APPEND : flags, mode);
    if (ours && fd >= 0)
        device = fd;
    return fd;
}

EXPORTED int open(const char *path, int flags, ...);
EXPORTED int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return open_any(path, flags, mode);
}

EXPORTED int open64(const char *path, int flags, ...);
EXPORTED int open64(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return open_any(path, flags, mode);
}

EXPORTED int ioctl(int fd, unsigned long request, ...);
EXPORTED int ioctl(int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (fd < 0 || fd != device)
        return (int)syscall(SYS_ioctl, fd, request, argument);
    /* The sandbox's word counts here as it does at a real device. */
    if (syscall(SYS_ioctl, fd, request, argument) < 0 && errno != ENOTTY)
        return -1;
    (void)!write(fd, "r", 1);
    int result = sev_ioctl(request, argument);
    if (result == 0)
        return 0;
    errno = -result;
    return -1;
}
