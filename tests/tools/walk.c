#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE ((size_t)1024 * 1024)
#define PAGE UINT64_C(4096)
/* Linux, Documentation/admin-guide/mm/pagemap.rst. */
#define PAGE_PRESENT (UINT64_C(1) << 63)
#define PAGE_SWAPPED (UINT64_C(1) << 62)

struct source {
    int memory, pages; /* pages: pagemap, -1 for a file */
    char name[64];
};

struct mapping {
    uint64_t begin, end;
    char mode[8];
    char name[256];
};

static uint8_t space[PIECE + WALK_OVERLAP];

/* How many octets from `at` on have content; 0 when none has, with *ret_skip to be passed over. */
static uint64_t with_content(
        const struct source *source, uint64_t at, uint64_t end, uint64_t *ret_skip) {
    uint64_t entries[512], present = 0, absent = 0;
    size_t wanted = (size_t)((end - at + PAGE - 1) / PAGE);
    if (wanted > sizeof(entries) / sizeof(*entries))
        wanted = sizeof(entries) / sizeof(*entries);
    ssize_t got = pread(source->pages, entries, wanted * 8, (off_t)(at / PAGE * 8));
    size_t count = got > 0 ? (size_t)got / 8 : 0;
    if (count == 0)
        return end - at; /* let the read tell */
    const uint64_t held = PAGE_PRESENT | PAGE_SWAPPED;
    while (absent < count && !(entries[absent] & held))
        absent++;
    *ret_skip = absent * PAGE;
    if (absent)
        return 0;
    while (present < count && (entries[present] & held))
        present++;
    return present * PAGE;
}

static bool walk_run(struct walk *walk, const struct source *source, const struct mapping *mapping,
        uint64_t begin, uint64_t end) {
    struct walk_place place = {
            .target = source->name, .mapping = mapping->name, .writable = mapping->mode[1] == 'w'};
    size_t kept = 0;
    for (uint64_t at = begin; at < end;) {
        size_t wanted = end - at < PIECE ? (size_t)(end - at) : PIECE;
        ssize_t got = pread(source->memory, space + kept, wanted, (off_t)at);
        if (got <= 0)
            return got == 0;
        size_t len = kept + (size_t)got;
        place.address = at - kept;
        place.fresh = kept;
        walk->piece(walk->context, &place, space, len);
        walk->octets += (uint64_t)got;
        at += (uint64_t)got;
        kept = len < WALK_OVERLAP ? len : WALK_OVERLAP;
        memmove(space, space + len - kept, kept);
    }
    return true;
}

/* Anonymous memory in runs of pages that are there; the rest whole. */
static bool walk_mapping(
        struct walk *walk, const struct source *source, const struct mapping *mapping) {
    bool anonymous = !*mapping->name || *mapping->name == '[';
    uint64_t begin = 0;
    bool open = false, read = true;
    if (!anonymous || source->pages < 0)
        return walk_run(walk, source, mapping, mapping->begin, mapping->end);
    for (uint64_t at = mapping->begin; at < mapping->end;) {
        uint64_t skip = 0, len = with_content(source, at, mapping->end, &skip);
        if (len == 0 && open)
            read = walk_run(walk, source, mapping, begin, at) && read;
        if (len && !open)
            begin = at;
        open = len != 0;
        at += len ? len : skip;
    }
    return (open ? walk_run(walk, source, mapping, begin, mapping->end) : true) && read;
}

static bool is_memory(const struct mapping *mapping) {
    return strncmp(mapping->name, "[vvar", 5) != 0 && strcmp(mapping->name, "[vsyscall]") != 0;
}

static bool parse(const char *line, struct mapping *mapping) {
    unsigned long begin, end;
    int name = 0;
    if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %n", &begin, &end, mapping->mode, &name) < 3)
        return false;
    mapping->begin = begin;
    mapping->end = end;
    snprintf(mapping->name, sizeof(mapping->name), "%.*s", (int)strcspn(line + name, "\n"),
            line + name);
    return true;
}

static bool walk_maps(struct walk *walk, const struct source *source, FILE *maps) {
    char *line = NULL;
    size_t size = 0;
    struct mapping mapping;
    while (getline(&line, &size, maps) > 0) {
        if (!parse(line, &mapping) || !is_memory(&mapping))
            continue;
        errno = 0;
        if (walk_mapping(walk, source, &mapping))
            continue;
        walk->unreadable++;
        if (walk->denied)
            walk->denied(source->name, mapping.name, mapping.begin, mapping.end, errno);
    }
    free(line);
    return true;
}

static int open_of(long pid, const char *file) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%ld/%s", pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return fd;
}

bool walk_process(struct walk *walk, long pid) {
    struct source source = {.memory = open_of(pid, "mem"), .pages = open_of(pid, "pagemap")};
    int maps_fd = open_of(pid, "maps");
    FILE *maps = maps_fd >= 0 ? fdopen(maps_fd, "r") : NULL;
    snprintf(source.name, sizeof(source.name), "%ld", pid);
    bool done = source.memory >= 0 && source.pages >= 0 && maps && walk_maps(walk, &source, maps);
    if (maps)
        fclose(maps);
    if (source.memory >= 0)
        close(source.memory);
    if (source.pages >= 0)
        close(source.pages);
    return done;
}

bool walk_file(struct walk *walk, const char *path) {
    struct source source = {.memory = open(path, O_RDONLY | O_CLOEXEC), .pages = -1};
    struct mapping whole = {.end = UINT64_MAX, .mode = "rw", .name = "file"};
    snprintf(source.name, sizeof(source.name), "%s", path);
    if (source.memory < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    bool done = walk_mapping(walk, &source, &whole);
    if (!done)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    close(source.memory);
    return done;
}

bool walk_target(struct walk *walk, const char *word) {
    char *end = NULL;
    long pid = strtol(word, &end, 10);
    return *word && !*end ? walk_process(walk, pid) : walk_file(walk, word);
}
