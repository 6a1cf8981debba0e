/* Comma-separated values as in RFC 4180. */
#ifndef CSVQ_CSV_H
#define CSVQ_CSV_H

#include "buffer.h"
#include "table.h"

/* Reads `text`; the first record is the header. Returns 0, or the line of a quote that is never closed. */
size_t csv_parse(struct table *t, const char *text);

void csv_write(const struct table *t, struct buffer *out);

#endif
