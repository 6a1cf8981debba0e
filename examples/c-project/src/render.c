#include "render.h"
#include "filter.h"
#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Characters that a terminal shows: bytes that do not continue a UTF-8 sequence. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

static void aligned(const char *text, size_t width, int last, struct buffer *out)
{
    double ignored;
    size_t gap = width - width_of(text);
    if (parse_number(text, &ignored)) {
        buffer_pad(out, ' ', gap);
        buffer_text(out, text);
    } else {
        buffer_text(out, text);
        if (!last)
            buffer_pad(out, ' ', gap);
    }
    buffer_text(out, last ? "\n" : "  ");
}

void render_text(const struct table *t, struct buffer *out)
{
    size_t columns = t->header.count;
    if (columns == 0)
        return;
    size_t *widths = grow(NULL, columns * sizeof *widths);
    for (size_t i = 0; i < columns; i++) {
        widths[i] = width_of(t->header.items[i]);
        for (size_t row = 0; row < t->rows.count; row++) {
            size_t width = width_of(table_cell(t, row, i));
            if (width > widths[i])
                widths[i] = width;
        }
    }
    for (size_t i = 0; i < columns; i++)
        aligned(t->header.items[i], widths[i], i + 1 == columns, out);
    for (size_t row = 0; row < t->rows.count; row++)
        for (size_t i = 0; i < columns; i++)
            aligned(table_cell(t, row, i), widths[i], i + 1 == columns, out);
    free(widths);
}

static void json_string(const char *text, struct buffer *out)
{
    char escape[8];
    buffer_char(out, '"');
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            buffer_char(out, '\\');
            buffer_char(out, *text);
        } else if (c < 0x20) {
            snprintf(escape, sizeof escape, "\\u%04x", c);
            buffer_text(out, escape);
        } else {
            buffer_char(out, *text);
        }
    }
    buffer_char(out, '"');
}

/* JSON allows no leading `+`, no leading zeros, and digits on both sides of the point. */
static int json_number(const char *text)
{
    double ignored;
    if (!parse_number(text, &ignored))
        return 0;
    if (*text == '-')
        text++;
    if (*text < '0' || *text > '9' || (text[0] == '0' && text[1] >= '0' && text[1] <= '9'))
        return 0;
    const char *point = strchr(text, '.');
    return point == NULL || (point[1] >= '0' && point[1] <= '9');
}

void render_json(const struct table *t, struct buffer *out)
{
    buffer_char(out, '[');
    for (size_t row = 0; row < t->rows.count; row++) {
        buffer_text(out, row == 0 ? "\n  {" : ",\n  {");
        for (size_t i = 0; i < t->header.count; i++) {
            const char *cell = table_cell(t, row, i);
            if (i > 0)
                buffer_text(out, ", ");
            json_string(t->header.items[i], out);
            buffer_text(out, ": ");
            if (json_number(cell))
                buffer_text(out, cell);
            else
                json_string(cell, out);
        }
        buffer_char(out, '}');
    }
    buffer_text(out, t->rows.count > 0 ? "\n]\n" : "]\n");
}
