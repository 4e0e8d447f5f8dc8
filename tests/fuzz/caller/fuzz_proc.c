/* Texts of /proc: names of programs and control groups in them are whoever's. The first octet says
 * which text. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void cgroup(const char *text) {
    char path[SKRFS_CGROUP_MAX], unit[SKRFS_UNIT_MAX], container[SKRFS_CONTAINER_MAX];
    if (caller_parse_cgroup(text, path)) {
        if (path[0] != '/' || strchr(path, '\n'))
            __builtin_trap();
        text = path;
    }
    skrfs_cgroup_unit(text, unit);
    skrfs_cgroup_container(text, container);
    if (strchr(unit, '/') || strchr(container, '/') || (unit[0] && !strstr(text, unit)) ||
            (container[0] && !strstr(text, container)))
        __builtin_trap();
}

static void mounts(const char *text) {
    struct caller_mount mount;
    const char *next = text;
    while (*next && caller_parse_mount(next, &mount, &next))
        if (next > text + strlen(text) || mount.id > UINT32_MAX)
            __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct caller_glimpse glimpse;
    if (!size)
        return 0;
    char *text = strndup((const char *)data + 1, size - 1);
    if (!text)
        return 0;
    switch (data[0]) {
    case 's':
        (void)caller_parse_stat(text, &glimpse);
        break;
    case 'i':
        (void)caller_parse_status(text, &glimpse);
        break;
    case 'c':
        cgroup(text);
        break;
    case 'm':
        mounts(text);
        break;
    default:
        break;
    }
    free(text);
    return 0;
}
