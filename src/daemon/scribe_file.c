/* The audit's file. Whoever is killed in the middle of a line leaves it torn; the next scribe cuts
 * that off and says so in the chain. */
#include "scribe.h"

#include <fcntl.h>
#include <limits.h>
#include <skrfs/base/log.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define MODE 0640

static int check_kind(int fd, const char *path, struct skrfs_error *err) {
    struct stat status;

    if (fstat(fd, &status) < 0)
        return skrfs_fail_errno(err, errno, "audit file %s", path);
    if (!S_ISREG(status.st_mode))
        return skrfs_fail(err, SKRFS_CLASS_CONFIG, "audit file %s: not a regular file", path);
    if (status.st_mode & S_IWOTH)
        return skrfs_fail(
                err, SKRFS_CLASS_CONFIG, "audit file %s: everybody may write it (chmod o-w)", path);
    return 0;
}

/* The mode is set by hand: the processes' mask leaves the group nothing. */
static int open_at(const char *path, int flags, int *ret_fd, struct skrfs_error *err) {
    skrfs_autoclose int fd =
            open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | flags, 0600);

    if (fd < 0 && errno == ENOENT)
        fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_CREAT | O_EXCL, 0600);
    else if (fd >= 0 && !flags)
        return check_kind(fd, path, err) < 0 ? -1 : ((*ret_fd = skrfs_take_fd(&fd)), 0);
    if (fd < 0)
        return skrfs_fail_errno(err, errno, "audit file %s", path);
    if (fchmod(fd, MODE) < 0)
        return skrfs_fail_errno(err, errno, "audit file %s: chmod", path);
    *ret_fd = skrfs_take_fd(&fd);
    return 0;
}

static int lock(int fd, const char *path, struct skrfs_error *err) {
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "audit file %s: another mount writes to it; each needs a file of its own", path);
    return skrfs_fail_errno(err, errno, "audit file %s: lock", path);
}

static int read_at(int fd, uint64_t at, char *out, size_t len, struct skrfs_error *err) {
    ssize_t got = pread(fd, out, len, (off_t)at);

    if (got == (ssize_t)len)
        return 0;
    return skrfs_fail_errno(err, got < 0 ? errno : EIO, "read the audit file");
}

/* The first record of a file. */
static bool read_first(int fd, struct skrfs_audit_record *ret_record) {
    skrfs_autofree char *line = malloc(SKRFS_AUDIT_LINE_MAX);
    struct skrfs_error ignored;
    ssize_t got = line ? pread(fd, line, SKRFS_AUDIT_LINE_MAX, 0) : -1;
    const char *end = got > 0 ? memchr(line, '\n', (size_t)got) : NULL;

    return end && skrfs_audit_parse(line, (size_t)(end - line), ret_record, &ignored) == 0;
}

static void take_last(const char *line, size_t len, struct audit_tail *tail, bool *ret_bad) {
    skrfs_autorecord record = {0};
    struct skrfs_error ignored;

    *ret_bad = skrfs_audit_parse(line, len, &record, &ignored) < 0;
    if (*ret_bad)
        return;
    tail->found = true;
    tail->head.seq = record.seq;
    /* As the line has it: one that was changed then stands out before the next, too. */
    memcpy(tail->head.digest, record.written, sizeof(record.written));
    memcpy(tail->head.chain, record.chain, sizeof(record.chain));
}

/* The last whole line, and where it ends. */
static int read_tail(int fd, uint64_t size, const char *path, struct audit_tail *tail,
        uint64_t *ret_end, struct skrfs_error *err) {
    const size_t span = 2 * SKRFS_AUDIT_LINE_MAX;
    size_t len = size < span ? (size_t)size : span;
    skrfs_autofree char *text = malloc(span);
    bool bad = false;

    *ret_end = 0;
    if (!text)
        return skrfs_fail_memory(err);
    if (read_at(fd, size - len, text, len, err) < 0)
        return -1;
    const char *newline = memrchr(text, '\n', len);
    if (!newline && size >= span)
        bad = true;
    if (newline) {
        const char *before = memrchr(text, '\n', (size_t)(newline - text));
        const char *begin = before ? before + 1 : text;
        take_last(begin, (size_t)(newline - begin), tail, &bad);
        *ret_end = size - len + (uint64_t)(newline + 1 - text);
    }
    if (bad)
        return skrfs_fail(err, SKRFS_CLASS_CONFIG,
                "audit file %s: its last line is no record: see 'skrfs audit verify', and move it "
                "away",
                path);
    return 0;
}

static int look(struct audit_file *file, struct audit_tail *tail, struct skrfs_error *err) {
    skrfs_autorecord first = {0};
    struct stat status;
    uint64_t end;

    if (fstat(file->fd, &status) < 0)
        return skrfs_fail_errno(err, errno, "audit file %s", file->path);
    if (read_tail(file->fd, (uint64_t)status.st_size, file->path, tail, &end, err) < 0)
        return -1;
    file->size = end;
    file->torn = (uint64_t)status.st_size - end;
    if (file->torn && ftruncate(file->fd, (off_t)end) < 0)
        return skrfs_fail_errno(err, errno, "audit file %s: cut a torn line off", file->path);
    if (read_first(file->fd, &first))
        file->volume = first.volume;
    return 0;
}

static void aside_path(const struct audit_file *file, unsigned number, char out[PATH_MAX]) {
    if (number)
        (void)snprintf(out, PATH_MAX, "%s.%u", file->path, number);
    else
        (void)snprintf(out, PATH_MAX, "%s", file->path);
}

/* A file that was put aside, for reading; -1 when there is none. */
static int open_aside(const struct audit_file *file, unsigned number) {
    char path[PATH_MAX];

    aside_path(file, number, path);
    return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
}

/* The first record of the oldest file there is, up to FILE.`from`; 0: there is none. */
static uint64_t oldest_aside(const struct audit_file *file) {
    for (unsigned number = file->keep; number > 0; number--) {
        skrfs_autorecord record = {0};
        skrfs_autoclose int fd = open_aside(file, number);
        if (fd >= 0 && read_first(fd, &record))
            return record.seq;
    }
    return 0;
}

/* An empty file may follow others: then the chain goes on from them. */
static int look_aside(struct audit_file *file, struct audit_tail *tail, struct skrfs_error *err) {
    skrfs_autorecord first = {0};
    skrfs_autoclose int fd = open_aside(file, 1);
    struct stat status;
    uint64_t end;

    file->volume = (struct skrfs_audit_volume){.number = 1};
    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        return 0;
    if (read_tail(fd, (uint64_t)status.st_size, file->path, tail, &end, err) < 0)
        return skrfs_wrap(err, "the one put aside last");
    if (read_first(fd, &first))
        file->volume.number = first.volume.number + 1;
    file->volume.oldest = oldest_aside(file);
    return 0;
}

int audit_file_open(struct audit_file *file, struct audit_tail *ret_tail, struct skrfs_error *err) {
    struct audit_tail tail = {.found = false};

    if (open_at(file->path, 0, &file->fd, err) < 0 || lock(file->fd, file->path, err) < 0 ||
            look(file, &tail, err) < 0)
        return -1;
    if (!tail.found && look_aside(file, &tail, err) < 0)
        return -1;
    *ret_tail = tail;
    return 0;
}

int audit_file_append(
        struct audit_file *file, const char *line, size_t len, struct skrfs_error *err) {
    ssize_t done = write(file->fd, line, len);

    if (done == (ssize_t)len) {
        file->size += len;
        return 0;
    }
    int errnum = done < 0 ? errno : ENOSPC;
    /* A part of a line is worse than none. */
    if (done > 0 && ftruncate(file->fd, (off_t)file->size) < 0)
        skrfs_log_error("audit file %s: cut a torn line off: %m", file->path);
    return skrfs_fail_errno(err, errnum, "write to the audit file %s", file->path);
}

int audit_file_sync(const struct audit_file *file, struct skrfs_error *err) {
    if (fdatasync(file->fd) < 0)
        return skrfs_fail_errno(err, errno, "sync the audit file %s", file->path);
    return 0;
}

static int shift(const struct audit_file *file, struct skrfs_error *err) {
    char from[PATH_MAX], to[PATH_MAX];

    for (unsigned number = file->keep; number > 0; number--) {
        aside_path(file, number - 1, from);
        aside_path(file, number, to);
        if (rename(from, to) < 0 && errno != ENOENT)
            return skrfs_fail_errno(err, errno, "put %s aside as %s", from, to);
    }
    return 0;
}

/* The new file is there before the old one goes. */
static int begin_anew(struct audit_file *file, int *ret_fd, struct skrfs_error *err) {
    char path[PATH_MAX];
    skrfs_autoclose int fd = -1;

    (void)snprintf(path, sizeof(path), "%s.new", file->path);
    if (open_at(path, O_TRUNC, &fd, err) < 0 || lock(fd, path, err) < 0 || shift(file, err) < 0)
        return -1;
    if (rename(path, file->path) < 0)
        return skrfs_fail_errno(err, errno, "begin the audit file %s", file->path);
    *ret_fd = skrfs_take_fd(&fd);
    return 0;
}

int audit_file_rotate(struct audit_file *file, struct skrfs_error *err) {
    int fd = -1;

    if (!file->max_size || file->size < file->max_size)
        return 0;
    if (audit_file_sync(file, err) < 0 || begin_anew(file, &fd, err) < 0)
        return -1;
    close(file->fd);
    file->fd = fd;
    file->size = 0;
    file->volume.number++;
    file->volume.oldest = oldest_aside(file);
    return 0;
}

void audit_file_close(struct audit_file *file) {
    skrfs_close_p(&file->fd);
    file->fd = -1;
}
