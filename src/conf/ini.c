/* inih finds sections, names and values. It gives no line numbers, cuts section names off after 49
 * characters and lines after 199, and so it is fed line by line here: the reader knows which line
 * is being worked on, keeps the section's whole name and hands long lines over in pieces, as
 * continuations. */
#include "room.h"

#include <ini.h>
#include <stdio.h>
#include <string.h>

/* Most octets of all files together. */
#define ALL_MAX (8 * SKRFS_CONF_MAX)

struct reader {
    struct raw *raw;
    const char *rest; /* of the text */
    const char *end;
    struct place place; /* the line being worked on */
    char *line;         /* the same without comment and newline */
    size_t piece;       /* where in it the piece begins that inih works on */
    size_t next_piece;
    bool handled;     /* inih called back for this piece, or need not */
    const char *last; /* the name that an indented line would continue */
    struct section *section;
    bool failed;
    struct skrfs_error *err;
};

static const char blanks[] = " \t\r";

static struct place at(const struct reader *reader, size_t offset) {
    struct place place = reader->place;
    place.column = (unsigned)offset + 1;
    return place;
}

static bool is_blank(char c) {
    return c && strchr(blanks, c);
}

/* A line that begins with ';' or '#' is a comment, and so is a ';' behind a blank with what
 * follows. */
static size_t without_comment(const char *line, size_t len) {
    size_t begin = strspn(line, blanks);
    if (line[begin] == ';' || line[begin] == '#')
        return 0;
    for (size_t i = 1; i < len; i++)
        if (line[i] == ';' && is_blank(line[i - 1]))
            len = i;
    while (len && is_blank(line[len - 1]))
        len--;
    return len;
}

static int read_next_line(struct reader *reader) {
    const char *newline = memchr(reader->rest, '\n', (size_t)(reader->end - reader->rest));
    size_t len = (size_t)((newline ? newline : reader->end) - reader->rest);
    free(reader->line);
    reader->line = strndup(reader->rest, len);
    if (!reader->line)
        return skrfs_fail_memory(reader->err);
    reader->line[without_comment(reader->line, len)] = '\0';
    reader->rest = newline ? newline + 1 : reader->end;
    reader->place.line++;
    reader->piece = 0;
    reader->next_piece = 0;
    return 0;
}

static int open_section(struct reader *reader, const char *word, const char *name) {
    struct place place = at(reader, 0);
    enum section_kind kind;
    if (!conf_find_kind(word, &kind))
        return conf_fail_unknown_kind(reader->err, &place, word);
    if (conf_kind_is_named(kind) && !*name)
        return conf_fail_at(reader->err, &place, "[%s] needs a name: [%s NAME]", word, word);
    if (!conf_kind_is_named(kind) && *name)
        return conf_fail_at(reader->err, &place, "[%s] takes no name", word);
    return raw_open_section(reader->raw, kind, name, &place, &reader->section, reader->err);
}

/* "[kind]" or "[kind name]". */
static int begin_section(struct reader *reader) {
    size_t len = strlen(reader->line);
    struct place place = at(reader, 0);
    if (strchr(reader->line, ']') != reader->line + len - 1)
        return conf_fail_at(
                reader->err, &place, "a section is [kind] or [kind name] alone on its line");
    skrfs_autofree char *word = strndup(reader->line + 1, len - 2);
    if (!word)
        return skrfs_fail_memory(reader->err);
    char *name = word + strcspn(word, blanks);
    if (*name) {
        *name++ = '\0';
        name += strspn(name, blanks);
    }
    reader->last = NULL;
    return open_section(reader, word, name);
}

/* What a new line is; `handled` stays false where inih is to call back. */
static int begin_line(struct reader *reader) {
    const char *line = reader->line;
    struct place place = at(reader, strspn(line, blanks));
    reader->handled = !line[0] || line[0] == '[';
    if (line[0] == '[')
        return begin_section(reader);
    if (line[0] && !reader->section)
        return conf_fail_at(reader->err, &place, "this stands before the first [section]");
    if (is_blank(line[0]) && !reader->last)
        return conf_fail_at(reader->err, &place, "names and sections begin in the first column");
    return 0;
}

/* How much of `text` fits into one piece. A long line is parted before a blank: the rest then
 * begins with one, and for inih continues the value. */
static size_t piece_len(const char *text, size_t room) {
    size_t len = strlen(text);
    if (len <= room)
        return len;
    for (len = room; len && !is_blank(text[len]); len--)
        continue;
    return strspn(text, blanks) < len ? len : 0;
}

/* The next piece of the line into inih's buffer. Of a section inih only needs to know that it is
 * one. */
static int give_piece(struct reader *reader, char *out, size_t size) {
    const char *text = reader->line + reader->next_piece;
    if (text[0] == '[' && !reader->next_piece) {
        snprintf(out, size, "[]\n");
        reader->next_piece = strlen(text);
        return 0;
    }
    size_t len = piece_len(text, size - 2);
    struct place place = at(reader, reader->next_piece + strspn(text, blanks));
    if (!len && text[0])
        return conf_fail_at(reader->err, &place, "a word of more than %zu characters", size - 2);
    memcpy(out, text, len);
    memcpy(out + len, "\n", 2);
    reader->piece = reader->next_piece;
    reader->next_piece += len;
    return 0;
}

static int advance(struct reader *reader, char *out, size_t size) {
    struct place place = at(reader, 0);
    if (!reader->handled)
        return conf_fail_at(reader->err, &place, "this is neither [section] nor name = value");
    if (reader->line[reader->next_piece])
        reader->handled = false;
    else if (read_next_line(reader) || begin_line(reader))
        return -1;
    return give_piece(reader, out, size);
}

/* inih's ini_reader, which works as fgets. */
static char *read_line(char *out, int size, void *context) {
    struct reader *reader = context;
    bool ended = reader->rest == reader->end && !reader->line[reader->next_piece];
    if (reader->failed || (ended && reader->handled))
        return NULL;
    reader->failed = advance(reader, out, (size_t)size) != 0;
    return reader->failed ? NULL : out;
}

static int take_continued(struct reader *reader, const char *text) {
    struct place place = at(reader, reader->piece + strspn(reader->line + reader->piece, blanks));
    if (conf_name_is_list(reader->last))
        return raw_extend(reader->section, reader->last, text, &place, reader->err);
    return conf_fail_at(reader->err, &place,
            "an indented line continues the value above, and '%s' is one word; names begin in the "
            "first column",
            reader->last);
}

static int take_value(struct reader *reader, const char *name, const char *text) {
    struct place place = at(reader, 0);
    enum section_kind kind = reader->section->kind;
    const char *known = conf_find_name(kind, name);
    if (!known)
        return conf_fail_unknown_name(reader->err, &place, kind, name);
    if (!text[0])
        return conf_fail_at(reader->err, &place, "'%s' has no value", name);
    size_t column = strcspn(reader->line, "=:") + 1;
    place = at(reader, column + strspn(reader->line + column, blanks));
    reader->last = known;
    return raw_set(reader->section, known, text, &place, reader->err);
}

/* inih's ini_handler; the reader knows the section. */
static int take(void *context, const char *section, const char *name, const char *text) {
    struct reader *reader = context;
    (void)section;
    if (reader->failed)
        return 0;
    reader->handled = true;
    bool continues = reader->piece || is_blank(reader->line[0]);
    int failed = continues ? take_continued(reader, text) : take_value(reader, name, text);
    reader->failed = failed != 0;
    return !failed;
}

static int run(struct reader *reader) {
    /* An empty line before the first, so that there always is one. */
    reader->line = strdup("");
    if (!reader->line)
        return skrfs_fail_memory(reader->err);
    int result = ini_parse_stream(read_line, reader, take, reader);
    free(reader->line);
    if (reader->failed)
        return -1;
    return result == -2 ? skrfs_fail_memory(reader->err) : 0;
}

int conf_read_text(
        struct raw *raw, const char *name, const char *text, size_t len, struct skrfs_error *err) {
    static const char mark[] = "\xef\xbb\xbf";
    struct reader reader = {.raw = raw, .handled = true, .err = err};
    if (raw_add_file(raw, name, &reader.place.file, err) ||
            conf_check_text(reader.place.file, text, len, err))
        return -1;
    raw->text.max = ALL_MAX;
    if (skrfs_buf_append(&raw->text, text, len, err)) {
        err->kind = err->kind == SKRFS_CLASS_BAD_ANSWER ? SKRFS_CLASS_CONFIG : err->kind;
        return skrfs_wrap(err, "all of the configuration");
    }
    size_t skipped = len >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;
    reader.rest = text + skipped;
    reader.end = text + len;
    return run(&reader);
}
