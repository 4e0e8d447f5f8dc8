/* What the drivers of /dev/sev-guest (Linux 5.19 and later), of a 5.15 guest's /dev/sev and of a
 * host's /dev/sev do with a request: a double for tests. */
#ifndef SKRFS_TESTS_SEV_MODEL_H
#define SKRFS_TESTS_SEV_MODEL_H

#include <skrfs/base/buf.h>

/* Makes the firmware's answer over the user data. 0, or the firmware's status. */
typedef uint32_t sev_firmware(
        void *context, const uint8_t report_data[64], uint32_t vmpl, struct skrfs_buf *report);

enum sev_driver { SEV_GUEST, SEV_GUEST_5_15, SEV_HOST };

struct sev_settings {
    enum sev_driver driver;
    bool wiped;         /* the kernel has no key to the firmware any more */
    int fail;           /* errno of the next request, once, with ... */
    uint64_t fail_code; /* ... exitinfo2 */
    unsigned delay_ms;
    bool hang_up;             /* a failure with a firmware's code wipes the key */
    struct skrfs_bytes table; /* the host's certificates */
    sev_firmware *firmware;
    void *context;
};
struct sev_counts {
    unsigned requests, firmware; /* seen by the driver, and by the firmware */
    bool unclean;                /* a request had octets set that must be zero */
    unsigned most;               /* at the same time */
};
extern struct sev_settings sev_settings;
extern struct sev_counts sev_counts;

/* As ioctl(2), with a negative errno. */
int sev_ioctl(unsigned long request, void *argument);

#endif
