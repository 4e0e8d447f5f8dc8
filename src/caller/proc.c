/* Texts of /proc as Linux writes them: proc(5); fs/proc/array.c, kernel/cgroup/cgroup.c. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STAT_START 22 /* field of the time at which the thread began */
#define STAT_BEHIND_NAME 3

/* Decimal digits up to a blank or the line's end. */
static bool take_number(const char **at, uint64_t limit, uint64_t *ret_value) {
    char *end;
    *at += strspn(*at, " \t");
    if (**at < '0' || **at > '9')
        return false;
    errno = 0;
    unsigned long long value = strtoull(*at, &end, 10);
    if (errno || value > limit || (*end && !strchr(" \t\n", *end)))
        return false;
    *ret_value = value;
    *at = end;
    return true;
}

/* A program may call itself anything, parentheses and blanks too: fields count from the last ')'.
 */
bool caller_parse_stat(const char *text, struct caller_glimpse *glimpse) {
    const char *at = strrchr(text, ')');
    if (!at || at[1] != ' ')
        return false;
    at += 2;
    for (unsigned field = STAT_BEHIND_NAME; field < STAT_START; field++) {
        at = strchr(at, ' ');
        if (!at)
            return false;
        at++;
    }
    return take_number(&at, UINT64_MAX, &glimpse->start);
}

/* Behind "\nNAME:"; a line's end in the program's name is escaped there. */
static const char *find_line(const char *text, const char *name) {
    const char *line = strstr(text, name);
    return line ? line + strlen(name) : NULL;
}

/* Real, effective, saved and for files: the last is what the kernel's request carries. */
static bool parse_ids(const char *line, uint32_t *ret_id) {
    uint64_t value = 0;
    for (unsigned i = 0; i < 4; i++)
        if (!line || !take_number(&line, UINT32_MAX, &value))
            return false;
    *ret_id = (uint32_t)value;
    return true;
}

static bool parse_groups(const char *line, struct caller_glimpse *glimpse) {
    uint32_t count = 0;
    uint64_t value;
    if (!line)
        return false;
    for (; line[strspn(line, " \t")] && line[strspn(line, " \t")] != '\n'; count++) {
        if (!take_number(&line, UINT32_MAX, &value))
            return false;
        if (count < SKRFS_GROUPS_MAX)
            glimpse->groups[count] = (gid_t)value;
        if (count > SKRFS_GROUPS_MAX)
            break;
    }
    glimpse->group_count = count;
    return true;
}

bool caller_parse_status(const char *text, struct caller_glimpse *glimpse) {
    const char *tracer = find_line(text, "\nTracerPid:");
    uint64_t value;
    if (!parse_ids(find_line(text, "\nUid:"), &glimpse->uid) ||
            !parse_ids(find_line(text, "\nGid:"), &glimpse->gid) ||
            !parse_groups(find_line(text, "\nGroups:"), glimpse))
        return false;
    if (!tracer || !take_number(&tracer, INT32_MAX, &value))
        return false;
    glimpse->tracer = (pid_t)value;
    return true;
}

/* "9:name=systemd:/path": the path, when the line is of this hierarchy. */
static const char *path_of(const char *line, const char *hierarchy) {
    size_t len = strlen(hierarchy);
    const char *colon = strchr(line, ':');
    if (!colon || strncmp(colon, hierarchy, len) != 0)
        return NULL;
    return colon + len;
}

static const char *find_path(const char *text, const char *hierarchy) {
    for (const char *line = text; line && *line;) {
        const char *path = path_of(line, hierarchy);
        if (path)
            return path;
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return NULL;
}

bool caller_parse_cgroup(const char *text, char out[SKRFS_CGROUP_MAX]) {
    const char *path = find_path(text, ":name=systemd:");
    if (!path)
        path = find_path(text, "::");
    if (!path || *path != '/')
        return false;
    size_t len = strcspn(path, "\n");
    if (len >= SKRFS_CGROUP_MAX || (!strncmp(path, "/..", 3) && (len == 3 || path[3] == '/')))
        return false;
    memcpy(out, path, len);
    out[len] = 0;
    return true;
}
