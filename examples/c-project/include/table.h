/* Rows of text under a header. */
#ifndef CSVQ_TABLE_H
#define CSVQ_TABLE_H

#include "vector.h"

struct table {
    struct vector header; /* of char * */
    struct vector rows;   /* of struct vector *, each of char * */
};

void table_init(struct table *t);
void table_free(struct table *t);

/* A new row at the end; the table owns it. */
struct vector *table_row(struct table *t);

/* The position of a column, -1 if there is none of that name. */
long table_column(const struct table *t, const char *name);

/* The text of a cell; "" where a row is short. */
const char *table_cell(const struct table *t, size_t row, size_t column);

/* Keeps the named columns (separated by commas) in that order. Returns the name of one that does not exist, which the caller frees, or NULL. */
char *table_select(struct table *t, const char *names);

#endif
