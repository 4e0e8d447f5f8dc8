/* The memory of a process or the octets of a file, piece by piece, for the tools that search them.
 */
#ifndef SKRFS_TESTS_WALK_H
#define SKRFS_TESTS_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pieces overlap by this much: what is looked for is not longer, and is whole in one of them. */
#define WALK_OVERLAP ((size_t)1536)

struct walk_place {
    const char *target;  /* "pid 123" or a path */
    const char *mapping; /* the mapping's name in /proc/PID/maps, "" for an anonymous one */
    bool writable;       /* of a mapping; true for a file */
    uint64_t address;    /* of the piece's first octet */
    size_t fresh;        /* how many octets in front were in the piece before */
};

typedef void walk_piece(
        void *context, const struct walk_place *place, const uint8_t *data, size_t len);

struct walk {
    walk_piece *piece;
    void *context;
    uint64_t octets;     /* looked at */
    unsigned unreadable; /* mappings that could not be read */
    void (*denied)(
            const char *target, const char *mapping, uint64_t begin, uint64_t end, int errnum);
};

/* All mappings, whatever their protection, but for those that the kernel makes of no memory. Pages
 * of anonymous memory that were never touched are passed over. False with a message on standard
 * error when the process cannot be looked at. */
bool walk_process(struct walk *walk, long pid);
bool walk_file(struct walk *walk, const char *path);
/* "PID" or a path. */
bool walk_target(struct walk *walk, const char *word);

#endif
