/* What the kernel's configfs-tsm does (drivers/virt/coco/tsm.c and fs/configfs/file.c of Linux 6.7
 * and later), without a kernel: a double for tests. Errors are negative errno values. Thread safe.
 */
#ifndef SKRFS_TESTS_TSM_MODEL_H
#define SKRFS_TESTS_TSM_MODEL_H

#include <skrfs/base/buf.h>
#include <sys/types.h>

/* Makes the firmware's answer; `table` gets the certificates. 0 or a negative errno. */
typedef int tsm_firmware(void *context, const uint8_t report_data[64], unsigned privlevel,
        struct skrfs_buf *report, struct skrfs_buf *table);

struct tsm_settings {
    const char *provider; /* NULL: there is none */
    unsigned floor;       /* of privilege levels; SNP alone */
    unsigned delay_ms;    /* of each call of the firmware */
    unsigned busy;        /* so many calls fail with EBUSY */
    int fail;             /* errno of the next call, once */
    bool stale;           /* the next report is over other data, once */
    bool lose;            /* the next data is not taken, once: as close() does silently */
    bool meddle;          /* somebody writes after the next data, once */
    tsm_firmware *firmware;
    void *context;
};
struct tsm_counts {
    unsigned calls;     /* of the firmware */
    unsigned most;      /* asked at the same time, at most */
    unsigned folders;   /* there are */
    unsigned made;      /* were ever made */
    unsigned privlevel; /* of the last call */
};

void tsm_set(const struct tsm_settings *settings);
void tsm_get(struct tsm_settings *ret_settings, struct tsm_counts *ret_counts);
/* As if the module had just been loaded. */
void tsm_reset(void);

int tsm_mkdir(const char *name);
int tsm_rmdir(const char *name);
bool tsm_exists(const char *name);
/* The name of folder `index`, NULL past the last. */
bool tsm_folder_name(unsigned index, char *out, size_t size);
/* The name of attribute `index` of a folder, NULL past the last. */
const char *tsm_attribute_name(unsigned index);

/* A handle (at least 0) of an attribute; flags as open(2)'s. */
int tsm_open(const char *folder, const char *attribute, int flags);
ssize_t tsm_read(int handle, void *data, size_t len, off_t offset);
ssize_t tsm_write(int handle, const void *data, size_t len);
/* What close(2) does at once, with a result that is thrown away: takes what was written. */
void tsm_flush(int handle);
/* Ends a handle, flushing it. */
void tsm_close(int handle);

#endif
