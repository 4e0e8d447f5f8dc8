#include "room.h"

#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int(conf_fail_at)(struct skrfs_error *err, const struct place *place, const char *format, ...) {
    char text[SKRFS_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    if (vsnprintf(text, sizeof(text), format, args) < 0)
        text[0] = '\0';
    va_end(args);
    return skrfs_fail(
            err, SKRFS_CLASS_CONFIG, "%s:%u:%u: %s", place->file, place->line, place->column, text);
}

/* One element more in an array that doubles when its count is a power of two. */
static void *array_grown(void *array, size_t count, size_t size) {
    if (count & (count - 1))
        return array;
    return reallocarray(array, count ? count * 2 : 1, size);
}

int raw_add_file(
        struct raw *raw, const char *name, const char **ret_name, struct skrfs_error *err) {
    char **files = array_grown(raw->files, raw->file_count, sizeof(*files));
    if (!files)
        return skrfs_fail_memory(err);
    raw->files = files;
    char *copy = strdup(name);
    if (!copy)
        return skrfs_fail_memory(err);
    raw->files[raw->file_count++] = copy;
    *ret_name = copy;
    return 0;
}

static int compare(const void *a, const void *b) {
    const struct section *left = a;
    const struct section *right = b;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    return strcmp(left->name, right->name);
}

static void section_free(struct section *section) {
    for (size_t i = 0; i < section->value_count; i++) {
        free(section->values[i].text);
        free(section->values[i].segments);
    }
    free(section->values);
    free(section->name);
    free(section);
}

SKRFS_DEFINE_CLEANUP(struct section, section_free)

static int add_section(struct raw *raw, enum section_kind kind, const char *name,
        const struct place *place, struct section **ret_section, struct skrfs_error *err) {
    struct section **sections =
            array_grown(raw->sections, raw->section_count, sizeof(struct section *));
    if (!sections)
        return skrfs_fail_memory(err);
    raw->sections = sections;
    SKRFS_CLEANUP(section_free_p) struct section *section = calloc(1, sizeof(*section));
    if (!section)
        return skrfs_fail_memory(err);
    section->kind = kind;
    section->place = *place;
    section->name = strdup(name);
    if (!section->name || !tsearch(section, &raw->tree, compare))
        return skrfs_fail_memory(err);
    *ret_section = section;
    raw->sections[raw->section_count++] = skrfs_take(section);
    raw->counts[kind]++;
    return 0;
}

int raw_open_section(struct raw *raw, enum section_kind kind, const char *name,
        const struct place *place, struct section **ret_section, struct skrfs_error *err) {
    const struct section *known = raw_find(raw, kind, name);
    if (!known)
        return add_section(raw, kind, name, place, ret_section, err);
    if (known->place.file == place->file)
        return conf_fail_at(err, place, "section [%s%s%s] is there twice, first in line %u",
                conf_kind_word(kind), name[0] ? " " : "", name, known->place.line);
    struct section *reopened = (struct section *)(uintptr_t)known;
    reopened->place = *place;
    *ret_section = reopened;
    return 0;
}

static int replace(
        struct value *value, const char *text, const struct place *place, struct skrfs_error *err) {
    char *copy = strdup(text);
    if (!copy)
        return skrfs_fail_memory(err);
    free(value->text);
    free(value->segments);
    *value = (struct value){.name = value->name, .text = copy, .place = *place};
    return 0;
}

int raw_set(struct section *section, const char *name, const char *text, const struct place *place,
        struct skrfs_error *err) {
    struct value *known = (struct value *)(uintptr_t)raw_get(section, name);
    if (known && known->place.file == place->file)
        return conf_fail_at(
                err, place, "'%s' is there twice, first in line %u", name, known->place.line);
    if (known)
        return replace(known, text, place, err);
    struct value *values = array_grown(section->values, section->value_count, sizeof(*values));
    if (!values)
        return skrfs_fail_memory(err);
    section->values = values;
    struct value value = {.name = name};
    if (replace(&value, text, place, err))
        return -1;
    section->values[section->value_count++] = value;
    return 0;
}

int raw_extend(struct section *section, const char *name, const char *text,
        const struct place *place, struct skrfs_error *err) {
    struct value *value = (struct value *)(uintptr_t)raw_get(section, name);
    if (!value)
        return skrfs_fail(err, SKRFS_CLASS_BUG, "'%s' is continued before it is set", name);
    struct segment *segments =
            array_grown(value->segments, value->segment_count, sizeof(*segments));
    if (!segments)
        return skrfs_fail_memory(err);
    value->segments = segments;
    size_t offset = strlen(value->text) + 1;
    size_t size = offset + strlen(text) + 1;
    char *longer = realloc(value->text, size);
    if (!longer)
        return skrfs_fail_memory(err);
    value->text = longer;
    snprintf(longer + offset - 1, size - offset + 1, " %s", text);
    segments[value->segment_count++] = (struct segment){.offset = offset, .place = *place};
    return 0;
}

struct place raw_place_of(const struct value *value, size_t offset) {
    struct place place = value->place;
    size_t begin = 0;
    for (size_t i = 0; i < value->segment_count && value->segments[i].offset <= offset; i++) {
        begin = value->segments[i].offset;
        place = value->segments[i].place;
    }
    place.column += (unsigned)(offset - begin);
    return place;
}

const struct value *raw_get(const struct section *section, const char *name) {
    for (size_t i = 0; section && i < section->value_count; i++)
        if (strcmp(section->values[i].name, name) == 0)
            return &section->values[i];
    return NULL;
}

const struct section *raw_find(const struct raw *raw, enum section_kind kind, const char *name) {
    const struct section wanted = {.kind = kind, .name = (char *)(uintptr_t)name};
    struct section *const *found = tfind(&wanted, &raw->tree, compare);
    return found ? *found : NULL;
}

static void leave(void *section) {
    (void)section;
}

void raw_done(struct raw *raw) {
    tdestroy(raw->tree, leave);
    for (size_t i = 0; i < raw->section_count; i++)
        section_free(raw->sections[i]);
    for (size_t i = 0; i < raw->file_count; i++)
        free(raw->files[i]);
    free(raw->sections);
    free(raw->files);
    skrfs_buf_done(&raw->text);
    *raw = (struct raw){0};
}
