/* A second, forgiving walk over text that the json room already took as well formed: its parser
 * keeps no places. It only ever looks for one path, and gives up quietly on anything that it does
 * not expect. */
#include "tree.h"

#include <stdio.h>
#include <string.h>

struct walk {
    const char *text;
    size_t len, at;
    const char *wanted;
    char path[PATH_MAX_LEN];
    size_t found; /* offset, SIZE_MAX while not found */
};

static bool value(struct walk *walk, unsigned depth);

static char peek(struct walk *walk) {
    while (walk->at < walk->len && strchr(" \t\r\n", walk->text[walk->at]) && walk->text[walk->at])
        walk->at++;
    return walk->at < walk->len ? walk->text[walk->at] : '\0';
}

static bool take(struct walk *walk, char octet) {
    if (peek(walk) != octet)
        return false;
    walk->at++;
    return true;
}

static bool string(struct walk *walk, const char **ret_start, size_t *ret_len) {
    if (!take(walk, '"'))
        return false;
    size_t start = walk->at;
    while (walk->at < walk->len && walk->text[walk->at] != '"')
        walk->at += walk->text[walk->at] == '\\' ? 2 : 1;
    if (walk->at >= walk->len)
        return false;
    *ret_start = walk->text + start;
    *ret_len = walk->at - start;
    walk->at++;
    return true;
}

static void note_place(struct walk *walk, size_t offset) {
    if (walk->found == SIZE_MAX && strcmp(walk->path, walk->wanted) == 0)
        walk->found = offset;
}

static bool member(struct walk *walk, unsigned depth) {
    peek(walk);
    size_t place = walk->at, path_len = strlen(walk->path), name_len = 0;
    const char *name = NULL;
    if (!string(walk, &name, &name_len) || !take(walk, ':') || name_len >= sizeof(walk->path))
        return false;
    snprintf(walk->path + path_len, sizeof(walk->path) - path_len, "%s%.*s", path_len ? "." : "",
            (int)name_len, name);
    note_place(walk, place);
    bool went_well = value(walk, depth);
    walk->path[path_len] = '\0';
    return went_well;
}

static bool element(struct walk *walk, size_t index, unsigned depth) {
    peek(walk);
    size_t path_len = strlen(walk->path);
    snprintf(walk->path + path_len, sizeof(walk->path) - path_len, "[%zu]", index);
    note_place(walk, walk->at);
    bool went_well = value(walk, depth);
    walk->path[path_len] = '\0';
    return went_well;
}

static bool container(struct walk *walk, char end, unsigned depth) {
    walk->at++;
    if (take(walk, end))
        return true;
    for (size_t index = 0; walk->found == SIZE_MAX; index++) {
        if (!(end == '}' ? member(walk, depth) : element(walk, index, depth)))
            return false;
        if (take(walk, end))
            return true;
        if (!take(walk, ','))
            return false;
    }
    return false;
}

static bool value(struct walk *walk, unsigned depth) {
    const char *start = NULL;
    size_t len = 0;
    if (depth > SKRFS_JSON_DEPTH_MAX + 1 || walk->found != SIZE_MAX)
        return false;
    switch (peek(walk)) {
    case '{':
        return container(walk, '}', depth + 1);
    case '[':
        return container(walk, ']', depth + 1);
    case '"':
        return string(walk, &start, &len);
    default:
        while (walk->at < walk->len && !strchr(",]} \t\r\n", walk->text[walk->at]))
            walk->at++;
        return true;
    }
}

bool skrfs_policy_locate(
        const char *text, size_t len, const char *path, unsigned *ret_line, unsigned *ret_column) {
    struct walk walk = {.text = text, .len = len, .wanted = path, .found = SIZE_MAX};
    if (!*path) { /* the whole: where it begins */
        (void)peek(&walk);
        walk.found = walk.at;
    } else {
        (void)value(&walk, 0);
    }
    if (walk.found == SIZE_MAX)
        return false;
    unsigned line = 1, column = 1;
    for (size_t i = 0; i < walk.found; i++) {
        column++;
        if (text[i] == '\n') {
            line++;
            column = 1;
        }
    }
    *ret_line = line;
    *ret_column = column;
    return true;
}
