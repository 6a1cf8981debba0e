/* Tables for people and for programs. */
#ifndef CSVQ_RENDER_H
#define CSVQ_RENDER_H

#include "buffer.h"
#include "table.h"

/* Columns aligned with blanks, numbers to the right. */
void render_text(const struct table *t, struct buffer *out);

/* A list of objects; cells that are numbers are written as numbers. */
void render_json(const struct table *t, struct buffer *out);

#endif
