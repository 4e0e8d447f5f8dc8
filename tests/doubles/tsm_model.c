#include "tsm_model.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { FOLDERS = 64, HANDLES = 256, BLOB_MAX = 64, PRIVLEVEL_MAX = 3 };

enum attribute { INBLOB, OUTBLOB, AUXBLOB, PROVIDER, GENERATION, PRIVLEVEL, PRIVLEVEL_FLOOR, ALL };
static const char *const names[] = {"inblob", "outblob", "auxblob", "provider", "generation",
        "privlevel", "privlevel_floor", NULL};

struct report {
    char name[256];
    uint8_t data[BLOB_MAX];
    size_t data_len;
    unsigned privlevel;
    unsigned long write_generation, read_generation;
    bool made; /* a report is cached */
    struct skrfs_buf report, table;
    unsigned opened;
    bool removed;
};

struct handle {
    struct report *of;
    enum attribute attribute;
    int flags;
    bool reading, writing;
    uint8_t written[2 * BLOB_MAX];
    size_t written_len;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;     /* the state */
static pthread_mutex_t firmware = PTHREAD_MUTEX_INITIALIZER; /* tsm_rwsem */
static struct report *reports[FOLDERS];
static struct handle *handles[HANDLES];
static struct tsm_settings settings;
static struct tsm_counts counts;
static unsigned asking;

void tsm_set(const struct tsm_settings *wanted) {
    pthread_mutex_lock(&lock);
    settings = *wanted;
    pthread_mutex_unlock(&lock);
}

void tsm_get(struct tsm_settings *ret_settings, struct tsm_counts *ret_counts) {
    pthread_mutex_lock(&lock);
    *ret_settings = settings;
    *ret_counts = counts;
    pthread_mutex_unlock(&lock);
}

static void report_free(struct report *report) {
    skrfs_buf_done(&report->report);
    skrfs_buf_done(&report->table);
    free(report);
}

void tsm_reset(void) {
    for (unsigned i = 0; i < HANDLES; i++)
        if (handles[i])
            tsm_close((int)i);
    for (unsigned i = 0; i < FOLDERS; i++)
        if (reports[i]) {
            report_free(reports[i]);
            reports[i] = NULL;
        }
    settings = (struct tsm_settings){.provider = NULL};
    counts = (struct tsm_counts){.calls = 0};
}

static struct report **find_locked(const char *name) {
    for (unsigned i = 0; i < FOLDERS; i++)
        if (reports[i] && strcmp(reports[i]->name, name) == 0)
            return &reports[i];
    return NULL;
}

static int mkdir_locked(const char *name) {
    if (!settings.provider)
        return -ENXIO;
    if (find_locked(name))
        return -EEXIST;
    for (unsigned i = 0; i < FOLDERS; i++) {
        if (reports[i])
            continue;
        struct report *report = calloc(1, sizeof(*report));
        if (!report)
            return -ENOMEM;
        snprintf(report->name, sizeof(report->name), "%s", name);
        report->report = SKRFS_BUF((size_t)64 * 1024);
        report->table = SKRFS_BUF((size_t)64 * 1024);
        reports[i] = report;
        counts.folders++;
        counts.made++;
        return 0;
    }
    return -ENOSPC;
}

int tsm_mkdir(const char *name) {
    pthread_mutex_lock(&lock);
    int result = mkdir_locked(name);
    pthread_mutex_unlock(&lock);
    return result;
}

int tsm_rmdir(const char *name) {
    pthread_mutex_lock(&lock);
    struct report **slot = find_locked(name);
    if (slot) {
        counts.folders--;
        (*slot)->removed = true;
        if ((*slot)->opened == 0)
            report_free(*slot);
        *slot = NULL;
    }
    pthread_mutex_unlock(&lock);
    return slot ? 0 : -ENOENT;
}

bool tsm_exists(const char *name) {
    pthread_mutex_lock(&lock);
    bool there = find_locked(name);
    pthread_mutex_unlock(&lock);
    return there;
}

bool tsm_folder_name(unsigned index, char *out, size_t size) {
    bool found = false;
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < FOLDERS && !found; i++)
        if (reports[i] && index-- == 0) {
            snprintf(out, size, "%s", reports[i]->name);
            found = true;
        }
    pthread_mutex_unlock(&lock);
    return found;
}

static bool is_tdx(void) {
    return settings.provider && strcmp(settings.provider, "tdx_guest") == 0;
}

static bool visible(enum attribute attribute) {
    return !is_tdx() ||
           (attribute != AUXBLOB && attribute != PRIVLEVEL && attribute != PRIVLEVEL_FLOOR);
}

const char *tsm_attribute_name(unsigned index) {
    for (unsigned i = 0; i < ALL; i++)
        if (visible((enum attribute)i) && index-- == 0)
            return names[i];
    return NULL;
}

static int open_locked(const char *folder, const char *attribute, int flags) {
    struct report **slot = find_locked(folder);
    enum attribute which = INBLOB;
    while (which < ALL && strcmp(names[which], attribute) != 0)
        which++;
    if (!slot || which == ALL || !visible(which))
        return -ENOENT;
    bool writable = which == INBLOB || which == PRIVLEVEL;
    int mode = flags & O_ACCMODE;
    if ((writable && mode == O_RDONLY) || (!writable && mode != O_RDONLY))
        return -EACCES;
    for (int i = 0; i < HANDLES; i++) {
        if (handles[i])
            continue;
        handles[i] = calloc(1, sizeof(*handles[i]));
        if (!handles[i])
            return -ENOMEM;
        *handles[i] = (struct handle){.of = *slot, .attribute = which, .flags = mode};
        (*slot)->opened++;
        return i;
    }
    return -EMFILE;
}

int tsm_open(const char *folder, const char *attribute, int flags) {
    pthread_mutex_lock(&lock);
    int result = open_locked(folder, attribute, flags);
    pthread_mutex_unlock(&lock);
    return result;
}

static int begin_call(struct tsm_settings *ret_settings) {
    int result = 0;
    pthread_mutex_lock(&lock);
    *ret_settings = settings;
    counts.calls++;
    if (settings.busy) {
        settings.busy--;
        result = -EBUSY;
    } else if (settings.fail) {
        result = -settings.fail;
        settings.fail = 0;
    }
    settings.stale = false;
    pthread_mutex_unlock(&lock);
    return result;
}

/* report_new of the providers. */
static int ask_firmware(struct report *report) {
    struct tsm_settings now;
    uint8_t data[BLOB_MAX];
    if (report->data_len != BLOB_MAX || report->privlevel < settings.floor)
        return -EINVAL;
    int result = begin_call(&now);
    struct timespec delay = {now.delay_ms / 1000, (long)(now.delay_ms % 1000) * 1000000};
    nanosleep(&delay, NULL);
    if (result < 0)
        return result;
    memcpy(data, report->data, sizeof(data));
    if (now.stale)
        data[0] ^= 1;
    counts.privlevel = report->privlevel;
    skrfs_buf_truncate(&report->report, 0);
    skrfs_buf_truncate(&report->table, 0);
    return now.firmware(now.context, data, report->privlevel, &report->report, &report->table);
}

/* Makes the report unless one for the same inputs is cached. */
static int refresh(struct report *report) {
    pthread_mutex_lock(&lock);
    if (++asking > counts.most)
        counts.most = asking;
    pthread_mutex_unlock(&lock);
    pthread_mutex_lock(&firmware);
    int result = 0;
    if (report->data_len == 0)
        result = -EINVAL;
    else if (!report->made || report->read_generation != report->write_generation) {
        result = ask_firmware(report);
        report->made = result == 0;
        report->read_generation = report->write_generation;
    }
    pthread_mutex_unlock(&firmware);
    pthread_mutex_lock(&lock);
    asking--;
    pthread_mutex_unlock(&lock);
    return result;
}

static ssize_t copy_out(const void *from, size_t from_len, void *data, size_t len, off_t offset) {
    size_t at = (size_t)offset < from_len ? (size_t)offset : from_len;
    if (len > from_len - at)
        len = from_len - at;
    memcpy(data, (const uint8_t *)from + at, len);
    return (ssize_t)len;
}

static ssize_t read_text(struct handle *handle, void *data, size_t len, off_t offset) {
    char text[64];
    pthread_mutex_lock(&lock);
    if (handle->attribute == PROVIDER)
        snprintf(text, sizeof(text), "%s\n", settings.provider ? settings.provider : "");
    else if (handle->attribute == GENERATION)
        snprintf(text, sizeof(text), "%lu\n", handle->of->write_generation);
    else
        snprintf(text, sizeof(text), "%u\n", settings.floor);
    pthread_mutex_unlock(&lock);
    return copy_out(text, strlen(text), data, len, offset);
}

ssize_t tsm_read(int number, void *data, size_t len, off_t offset) {
    struct handle *handle = handles[number];
    if (handle->flags == O_WRONLY)
        return -EBADF;
    if (handle->attribute != OUTBLOB && handle->attribute != AUXBLOB)
        return read_text(handle, data, len, offset);
    if (handle->writing)
        return -ETXTBSY;
    handle->reading = true;
    int result = refresh(handle->of);
    if (result < 0)
        return result;
    const struct skrfs_buf *blob =
            handle->attribute == OUTBLOB ? &handle->of->report : &handle->of->table;
    return copy_out(blob->data ? blob->data : (const uint8_t *)"", blob->len, data, len, offset);
}

static int store_privlevel(struct report *report, const char *text, size_t len) {
    char copy[16], *end;
    if (len >= sizeof(copy))
        return -EINVAL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    unsigned long value = strtoul(copy, &end, 10);
    if (end == copy || (*end && strcmp(end, "\n") != 0) || value < settings.floor ||
            value > PRIVLEVEL_MAX)
        return -EINVAL;
    report->privlevel = (unsigned)value;
    report->write_generation++;
    return 0;
}

ssize_t tsm_write(int number, const void *data, size_t len) {
    struct handle *handle = handles[number];
    if (handle->flags == O_RDONLY)
        return -EBADF;
    if (handle->attribute == PRIVLEVEL) {
        pthread_mutex_lock(&lock);
        int result = store_privlevel(handle->of, data, len);
        pthread_mutex_unlock(&lock);
        return result < 0 ? result : (ssize_t)len;
    }
    if (handle->reading)
        return -ETXTBSY;
    if (handle->written_len + len > sizeof(handle->written))
        return -EFBIG;
    handle->writing = true;
    memcpy(handle->written + handle->written_len, data, len);
    handle->written_len += len;
    return (ssize_t)len;
}

/* What is too long is refused here, where nobody learns of it. */
static void take_locked(struct handle *handle) {
    struct report *report = handle->of;
    bool lose = settings.lose, meddle = settings.meddle;
    settings.lose = settings.meddle = false;
    if (handle->written_len > BLOB_MAX || lose)
        return;
    memcpy(report->data, handle->written, handle->written_len);
    report->data_len = handle->written_len;
    report->write_generation++;
    if (!meddle)
        return;
    report->data[0] ^= 1;
    report->write_generation++;
}

static void flush_locked(struct handle *handle) {
    if (handle->writing)
        take_locked(handle);
    handle->writing = false;
    handle->written_len = 0;
}

void tsm_flush(int number) {
    pthread_mutex_lock(&lock);
    flush_locked(handles[number]);
    pthread_mutex_unlock(&lock);
}

void tsm_close(int number) {
    pthread_mutex_lock(&lock);
    struct handle *handle = handles[number];
    handles[number] = NULL;
    flush_locked(handle);
    if (--handle->of->opened == 0 && handle->of->removed)
        report_free(handle->of);
    free(handle);
    pthread_mutex_unlock(&lock);
}
