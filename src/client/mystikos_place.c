/* A second walk over text that the json room has taken as well formed: its parser keeps no places.
 */
#include "mystikos.h"

#include <string.h>

struct walk {
    const char *at, *end;
};

static bool is_blank(char octet) {
    return octet == ' ' || octet == '\t' || octet == '\r' || octet == '\n';
}

static void pass_blanks(struct walk *walk) {
    while (walk->at < walk->end && is_blank(*walk->at))
        walk->at++;
}

static bool is_at(struct walk *walk, char octet) {
    pass_blanks(walk);
    return walk->at < walk->end && *walk->at == octet;
}

static bool pass(struct walk *walk, char octet) {
    if (!is_at(walk, octet))
        return false;
    walk->at++;
    return true;
}

static void pass_string(struct walk *walk) {
    for (walk->at++; walk->at < walk->end && *walk->at != '"'; walk->at++)
        if (*walk->at == '\\' && walk->at + 1 < walk->end)
            walk->at++;
    if (walk->at < walk->end)
        walk->at++;
}

/* Brackets nest, and strings hold none. */
static void pass_value(struct walk *walk) {
    size_t depth = 0;

    pass_blanks(walk);
    do {
        if (walk->at == walk->end)
            return;
        char octet = *walk->at;
        if (octet == '"') {
            pass_string(walk);
            continue;
        }
        if (depth == 0 && (octet == ',' || octet == '}' || octet == ']'))
            return;
        if (octet == '{' || octet == '[')
            depth++;
        if (octet == '}' || octet == ']')
            depth--;
        walk->at++;
    } while (depth > 0 || !(is_at(walk, ',') || is_at(walk, '}') || is_at(walk, ']')));
}

/* To the member's name in the object at hand; false when it is not there. */
static bool enter_member(struct walk *walk, const char *member) {
    size_t len = strlen(member);

    if (!pass(walk, '{'))
        return false;
    while (is_at(walk, '"')) {
        const char *name = walk->at + 1;
        struct walk after = *walk;
        pass_string(&after);
        if ((size_t)(after.at - name) == len + 1 && memcmp(name, member, len) == 0)
            return true;
        *walk = after;
        if (!pass(walk, ':'))
            return false;
        pass_value(walk);
        if (!pass(walk, ','))
            return false;
    }
    return false;
}

static bool enter_element(struct walk *walk, size_t index) {
    if (!pass(walk, '['))
        return false;
    for (size_t i = 0; i < index; i++) {
        pass_value(walk);
        if (!pass(walk, ','))
            return false;
    }
    pass_blanks(walk);
    return walk->at < walk->end;
}

static struct mystikos_place place_of(const char *text, const char *at) {
    struct mystikos_place place = {1, 1};

    for (; text < at; text++) {
        place.column++;
        if (*text == '\n') {
            place.line++;
            place.column = 1;
        }
    }
    return place;
}

void mystikos_locate(const char *text, size_t len, bool in_object, size_t index, const char *member,
        struct mystikos_place *ret_place) {
    struct walk walk = {text, text + len};

    if (in_object) {
        if (!enter_member(&walk, "Secret"))
            return;
        pass_string(&walk);
        if (!pass(&walk, ':'))
            return;
    }
    if (!enter_element(&walk, index))
        return;
    *ret_place = place_of(text, walk.at);
    if (member && enter_member(&walk, member))
        *ret_place = place_of(text, walk.at);
}
