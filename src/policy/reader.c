#include "tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

size_t skrfs_path_member(char path[PATH_MAX_LEN], const char *name) {
    size_t before = strlen(path);
    snprintf(path + before, PATH_MAX_LEN - before, "%s%s", before ? "." : "", name);
    return before;
}

size_t skrfs_path_element(char path[PATH_MAX_LEN], size_t index) {
    size_t before = strlen(path);
    snprintf(path + before, PATH_MAX_LEN - before, "[%zu]", index);
    return before;
}

void skrfs_reader_refuse(struct reader *reader, const char *member, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    size_t before = strlen(reader->path);
    if (member)
        before = skrfs_path_member(reader->path, member);
    if (!reader->failed)
        skrfs_fail(reader->err, SKRFS_CLASS_BAD_ANSWER, "release policy: %s%s%s", reader->path,
                *reader->path ? ": " : "", text);
    reader->failed = true;
    if (reader->on_error)
        reader->on_error(reader->context, reader->path, text);
    reader->path[before] = '\0';
}

char *skrfs_reader_copy(struct reader *reader, const char *text) {
    char *copy = strdup(text);
    if (!copy) {
        reader->failed = true;
        skrfs_fail_memory(reader->err);
    }
    return copy;
}

void *skrfs_reader_list(struct reader *reader, size_t count, size_t size) {
    void *list = calloc(count, size);
    if (!list) {
        reader->failed = true;
        skrfs_fail_memory(reader->err);
    }
    return list;
}
