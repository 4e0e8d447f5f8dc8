/* Searches processes' whole memory and files for any of many runs of 16 octets, at every offset:
 *
 *     scan_memory NEEDLES TARGET...
 *
 * NEEDLES is a file of records of 20 octets: the run, and a number (32 bits, little endian) that is
 * printed with it. A TARGET is a process id or a path. Printed are, separated by tabs,
 *
 *     hit TARGET ADDRESS MAPPING NUMBER LENGTH    for a run of octets that needles cover
 *     denied TARGET BEGIN-END MAPPING ERRNO       for a mapping that cannot be read
 *     searched TARGET OCTETS
 *
 * It ends with 0 when there was no hit, 1 when there was, 2 when a target could not be searched. */
#include "walk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN 16
#define BITS 22
#define TABLE ((size_t)1 << BITS)
#define HITS_MAX 200 /* printed of one target; more are counted */

struct needle {
    uint8_t run[RUN];
    uint32_t number;
};

struct search {
    struct needle *needles;
    size_t count;
    uint32_t *first;      /* by the hash of the first octets: index + 1 of a needle, 0 for none */
    uint32_t *next;       /* of needles with the same hash */
    struct walk_place at; /* the hit that grows */
    uint64_t begin, end;
    uint32_t number;
    char mapping[256];
    unsigned hits;
};

static uint32_t hash(const uint8_t *run) {
    uint32_t word;
    memcpy(&word, run, sizeof(word));
    return (word * UINT32_C(2654435761)) >> (32 - BITS);
}

static bool load(struct search *search, const char *path) {
    FILE *file = fopen(path, "re");
    uint8_t record[RUN + 4];
    size_t room = 0;
    while (file && fread(record, sizeof(record), 1, file) == 1) {
        if (search->count == room) {
            room = room ? 2 * room : 4096;
            search->needles = realloc(search->needles, room * sizeof(*search->needles));
            if (!search->needles)
                return false;
        }
        struct needle *needle = &search->needles[search->count++];
        memcpy(needle->run, record, RUN);
        memcpy(&needle->number, record + RUN, sizeof(needle->number));
    }
    bool read = file && feof(file) && search->count > 0;
    if (file)
        fclose(file);
    return read;
}

static bool index_all(struct search *search) {
    search->first = calloc(TABLE, sizeof(*search->first));
    search->next = calloc(search->count, sizeof(*search->next));
    if (!search->first || !search->next)
        return false;
    for (size_t i = 0; i < search->count; i++) {
        uint32_t *slot = &search->first[hash(search->needles[i].run)];
        search->next[i] = *slot;
        *slot = (uint32_t)i + 1;
    }
    return true;
}

static const struct needle *find(const struct search *search, const uint8_t *run) {
    uint32_t at = search->first[hash(run)];
    while (at && memcmp(search->needles[at - 1].run, run, RUN) != 0)
        at = search->next[at - 1];
    return at ? &search->needles[at - 1] : NULL;
}

static void print_hit(struct search *search) {
    if (search->end == 0)
        return;
    if (search->hits++ < HITS_MAX)
        printf("hit\t%s\t%llx\t%s\t%u\t%llu\n", search->at.target,
                (unsigned long long)search->begin, search->mapping, search->number,
                (unsigned long long)(search->end - search->begin));
    search->end = 0;
}

static void note(struct search *search, const struct walk_place *place, uint64_t address,
        const struct needle *needle) {
    if (search->end == 0 || address > search->end) {
        print_hit(search);
        search->at = *place;
        search->begin = address;
        search->number = needle->number;
        snprintf(search->mapping, sizeof(search->mapping), "%s", place->mapping);
    }
    search->end = address + RUN;
}

static void look(void *context, const struct walk_place *place, const uint8_t *data, size_t len) {
    struct search *search = context;
    size_t begin = place->fresh >= RUN ? place->fresh - RUN + 1 : 0;
    if (len < RUN)
        return;
    for (size_t i = begin; i + RUN <= len; i++) {
        if (!search->first[hash(data + i)])
            continue;
        const struct needle *needle = find(search, data + i);
        if (needle)
            note(search, place, place->address + i, needle);
    }
}

static void denied(
        const char *target, const char *mapping, uint64_t begin, uint64_t end, int errnum) {
    printf("denied\t%s\t%llx-%llx\t%s\t%d\n", target, (unsigned long long)begin,
            (unsigned long long)end, mapping, errnum);
}

static int search_all(struct search *search, char **targets) {
    int result = 0;
    for (; *targets; targets++) {
        struct walk walk = {.piece = look, .context = search, .denied = denied};
        search->hits = 0;
        bool done = walk_target(&walk, *targets);
        print_hit(search);
        if (search->hits > HITS_MAX)
            fprintf(stderr, "%s: %u hits in all\n", *targets, search->hits);
        printf("searched\t%s\t%llu\n", *targets, (unsigned long long)walk.octets);
        if (!done || walk.octets == 0)
            result = 2;
        else if (search->hits && result == 0)
            result = 1;
    }
    return result;
}

int main(int argc, char **argv) {
    struct search search = {.count = 0};
    if (argc < 3) {
        fprintf(stderr, "usage: scan_memory NEEDLES TARGET...\n");
        return 2;
    }
    if (!load(&search, argv[1]) || !index_all(&search)) {
        fprintf(stderr, "%s: no needles: %s\n", argv[1], strerror(errno));
        return 2;
    }
    int result = search_all(&search, argv + 2);
    free(search.first);
    free(search.next);
    free(search.needles);
    return result;
}
