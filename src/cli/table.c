#include <skrfs/base/encode.h>
#include <skrfs/cli/output.h>
#include <string.h>

#define GAP 2 /* blanks between columns */

void skrfs_table_done(struct skrfs_table *table) {
    for (size_t i = 0; i < table->rows * table->columns; i++) {
        free(table->cells[i]);
    }
    free(table->cells);
    free(table->styles);
    *table = (struct skrfs_table){.columns = table->columns};
}

static char *cell_new(const char *text) {
    size_t len = text ? strlen(text) : 0;
    char *cell = malloc(len + 1);
    if (cell) {
        skrfs_text_clean(text ? text : "", len, cell, len + 1);
    }
    return cell;
}

int skrfs_table_add(struct skrfs_table *table, const char *const *cells, const char *style,
        struct skrfs_error *err) {
    char *copies[SKRFS_TABLE_COLUMNS_MAX] = {NULL};
    char **all = realloc(table->cells, (table->rows + 1) * table->columns * sizeof(char *));
    if (all) {
        table->cells = all;
    }
    const char **styles = realloc(table->styles, (table->rows + 1) * sizeof(char *));
    if (styles) {
        table->styles = styles;
    }
    bool whole = all && styles;
    for (size_t i = 0; i < table->columns && whole; i++) {
        copies[i] = cell_new(cells[i]);
        whole = copies[i] != NULL;
    }
    if (!whole) {
        for (size_t i = 0; i < table->columns; i++) {
            free(copies[i]);
        }
        return skrfs_fail_memory(err);
    }
    memcpy(table->cells + table->rows * table->columns, copies, table->columns * sizeof(char *));
    table->styles[table->rows++] = style;
    return 0;
}

static size_t column_width(const struct skrfs_table *table, size_t column) {
    size_t width = 0;
    for (size_t row = 0; row < table->rows; row++) {
        size_t len = strlen(table->cells[row * table->columns + column]);
        width = len > width ? len : width;
    }
    return width;
}

static int cell_print(const char *text, size_t pad, size_t room, const char *style,
        struct skrfs_buf *out, struct skrfs_error *err) {
    size_t len = strlen(text);
    int show = (int)(len < room ? len : room);
    return skrfs_buf_printf(out, err, "%s%.*s%s%*s", style ? style : "", show, text,
            style ? SKRFS_STYLE_END : "", (int)(pad < room ? pad : room) - show, "");
}

static int row_print(const struct skrfs_table *table, size_t row, const size_t *widths,
        size_t width, bool colours, struct skrfs_buf *out, struct skrfs_error *err) {
    size_t room = width ? width : SKRFS_OUTPUT_MAX;
    for (size_t i = 0; i < table->columns; i++) {
        const char *text = table->cells[row * table->columns + i];
        bool last = i + 1 == table->columns;
        bool styled = colours && table->styles[row] && (row == 0 || i == table->style_column);
        size_t pad = last ? 0 : widths[i] + GAP;
        size_t used = last ? strlen(text) : pad;
        pad = pad > strlen(text) ? pad : strlen(text);
        if (cell_print(text, pad, room, styled ? table->styles[row] : NULL, out, err) < 0) {
            return -1;
        }
        room -= used < room ? used : room;
    }
    return 0;
}

static void trim(struct skrfs_buf *out, size_t begin) {
    size_t len = out->len;
    while (len > begin && out->data[len - 1] == ' ') {
        len--;
    }
    skrfs_buf_truncate(out, len);
}

int skrfs_table_print(const struct skrfs_table *table, size_t width, bool colours,
        struct skrfs_buf *out, struct skrfs_error *err) {
    size_t widths[SKRFS_TABLE_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < table->columns; i++) {
        widths[i] = column_width(table, i);
    }
    for (size_t row = 0; row < table->rows; row++) {
        size_t begin = out->len;
        if (row_print(table, row, widths, width, colours, out, err) < 0) {
            return -1;
        }
        trim(out, begin);
        if (skrfs_buf_append_text(out, "\n", err) < 0) {
            return -1;
        }
    }
    return 0;
}
