/* What the files of this room share. */
#ifndef SKRFS_SRC_CALLER_INTERNAL_H
#define SKRFS_SRC_CALLER_INTERNAL_H

#include <skrfs/base/buf.h>
#include <skrfs/caller/caller.h>
#include <sys/stat.h>

/* Parts of a glimpse. */
enum caller_part {
    CALLER_IDS = 1 << 0,    /* of the thread, its groups, who traces it */
    CALLER_EXE = 1 << 1,    /* the link, and which file it leads to */
    CALLER_CGROUP = 1 << 2, /* the path */
    CALLER_SPACES = 1 << 3,
    CALLER_LABEL = 1 << 4,
};

/* What decides of a thread, at one moment; texts end. */
struct caller_glimpse {
    unsigned known; /* of enum caller_part */
    uint64_t start; /* when the thread began; proc(5), /proc/PID/stat, field 22 */
    uid_t uid;      /* for files */
    gid_t gid;
    pid_t tracer;
    uint32_t group_count; /* more than SKRFS_GROUPS_MAX: not all are here */
    gid_t groups[SKRFS_GROUPS_MAX];
    uint64_t exe_dev, exe_ino, exe_mount;
    char exe[SKRFS_PATH_MAX];
    char cgroup[SKRFS_CGROUP_MAX];
    uint64_t spaces[SKRFS_NS_COUNT];
    char label[SKRFS_LABEL_MAX];
};

/* The first reason stays. */
void caller_lack(struct skrfs_caller *caller, const char *format, ...) SKRFS_PRINTF(2, 3);

/* What asks for a look at the executable, and what for its contents. */
#define CALLER_EXE_FACTS ((unsigned)SKRFS_FACT_EXE | SKRFS_FACT_SHA256 | SKRFS_FACT_VERITY)
#define CALLER_DIGEST_FACTS ((unsigned)SKRFS_FACT_SHA256 | SKRFS_FACT_VERITY)

/* look.c */
/* False: the thread is gone. What could not be read is left out of glimpse->known. */
bool caller_look(int folder, unsigned facts, struct caller_glimpse *glimpse);
bool caller_look_spaces(int folder, uint64_t out[SKRFS_NS_COUNT]);
bool caller_same(const struct caller_glimpse *a, const struct caller_glimpse *b);

/* proc.c: texts of /proc, pure */
bool caller_parse_stat(const char *text, struct caller_glimpse *glimpse);
bool caller_parse_status(const char *text, struct caller_glimpse *glimpse);
/* The path in systemd's own hierarchy (name=systemd of version 1, else that of version 2). False:
 * neither is there, or the path is outside of this process's control group namespace. */
bool caller_parse_cgroup(const char *text, char out[SKRFS_CGROUP_MAX]);

/* mounts.c */
struct caller_mount {
    uint64_t id;
    bool local; /* of a type that no user serves: reading it never waits for one */
};
/* One line of mountinfo; proc(5). *ret_next is behind it. False: malformed. */
bool caller_parse_mount(const char *line, struct caller_mount *ret_mount, const char **ret_next);

/* The mounts of the host's namespace, read again when the kernel says that they changed. */
struct caller_mounts {
    pid_t host; /* a process of it; 0: this one */
    int fd;
    uint64_t readings;
    struct caller_mount *list; /* by id */
    size_t count;
};
void caller_mounts_init(struct caller_mounts *mounts, pid_t host);
void caller_mounts_done(struct caller_mounts *mounts);
/* Its root, as an O_PATH descriptor; -1 when it cannot be had. */
int caller_mounts_root(const struct caller_mounts *mounts);
/* NULL: not one of this namespace. */
const struct caller_mount *caller_mounts_find(struct caller_mounts *mounts, uint64_t id);
/* In the namespace of the process of this folder below /proc. */
bool caller_mount_is_local(int folder, uint64_t id);

/* exe.c */
/* Whether `path` leads in the host's namespace to this file. Walks from mount to mount and enters
 * none that could make it wait. */
bool caller_is_file_at(
        struct caller_mounts *mounts, const char *path, const struct caller_glimpse *glimpse);

/* digest.c */
#define CALLER_DIGESTS 64
#define CALLER_PARTIALS 4

/* A file's contents are the same while all of this is. */
struct caller_file {
    uint64_t dev, ino, mount, size;
    int64_t mtime_s, ctime_s;
    uint32_t mtime_ns, ctime_ns;
};
struct caller_digest {
    uint64_t used; /* 0: free */
    struct caller_file file;
    uint8_t sha256[32];
};
/* One that is being made, of a file that is too long to be read while somebody waits. */
struct caller_partial {
    int fd; /* -1: free */
    struct caller_file file;
    struct skrfs_hasher *hasher;
};
struct caller_digests {
    bool patient; /* nobody waits: no limit of time */
    uint64_t clock, mount_readings;
    struct caller_digest done[CALLER_DIGESTS];
    struct caller_partial partials[CALLER_PARTIALS];
    uint8_t *piece;
};
int caller_digests_init(struct caller_digests *digests, struct skrfs_error *err) SKRFS_MUST_CHECK;
void caller_digests_done(struct caller_digests *digests);
/* Fills in SHA256 and VERITY, as far as asked for, of the file that `fd` (taken over) has open. */
void caller_digests_fill(struct caller_digests *digests, int fd, unsigned facts,
        uint64_t mount_readings, struct skrfs_caller *caller);
/* A piece of one that is unfinished; false when there is none. */
bool caller_digests_work(struct caller_digests *digests);
/* "sha256:HEX" of the file's fs-verity digest. */
bool caller_verity(int fd, char out[SKRFS_VERITY_MAX]);

#endif
