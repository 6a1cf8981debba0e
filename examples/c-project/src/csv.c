#include "csv.h"

#include <stdlib.h>
#include <string.h>

/* Adds the cell to the current record, which begins with its first cell. */
static void end_cell(struct table *t, struct vector **row, struct buffer *cell)
{
    if (*row == NULL)
        *row = table_row(t);
    vector_push(*row, buffer_take(cell));
}

size_t csv_parse(struct table *t, const char *text)
{
    struct buffer cell;
    struct vector *row = &t->header;
    size_t line = 1, quote_line = 0;
    int quoted = 0, begun = 0; /* begun: the record has a cell, or a part of one */

    buffer_init(&cell);
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\n')
            line++;
        if (quoted) {
            if (*p != '"')
                buffer_char(&cell, *p);
            else if (p[1] == '"')
                buffer_char(&cell, *p++);
            else
                quoted = 0;
        } else if (*p == '"' && cell.length == 0) {
            quoted = begun = 1;
            quote_line = line;
        } else if (*p == ',') {
            end_cell(t, &row, &cell);
            begun = 1;
        } else if (*p == '\n') {
            if (begun) {
                end_cell(t, &row, &cell);
                row = NULL;
            }
            begun = 0;
        } else if (*p != '\r' || p[1] != '\n') {
            buffer_char(&cell, *p);
            begun = 1;
        }
    }
    if (begun)
        end_cell(t, &row, &cell);
    buffer_free(&cell);
    return quoted ? quote_line : 0;
}

static void write_cell(const char *text, struct buffer *out)
{
    if (strpbrk(text, ",\"\r\n") == NULL) {
        buffer_text(out, text);
        return;
    }
    buffer_char(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"')
            buffer_char(out, '"');
        buffer_char(out, *text);
    }
    buffer_char(out, '"');
}

void csv_write(const struct table *t, struct buffer *out)
{
    for (size_t i = 0; i < t->header.count; i++) {
        if (i > 0)
            buffer_char(out, ',');
        write_cell(t->header.items[i], out);
    }
    buffer_char(out, '\n');
    for (size_t row = 0; row < t->rows.count; row++) {
        for (size_t i = 0; i < t->header.count; i++) {
            if (i > 0)
                buffer_char(out, ',');
            write_cell(table_cell(t, row, i), out);
        }
        buffer_char(out, '\n');
    }
}
