#include "table.h"
#include "memory.h"

#include <stdlib.h>
#include <string.h>

static void drop_row(void *item)
{
    struct vector *row = item;
    vector_free(row, free);
    free(row);
}

void table_init(struct table *t)
{
    vector_init(&t->header);
    vector_init(&t->rows);
}

void table_free(struct table *t)
{
    vector_free(&t->header, free);
    vector_free(&t->rows, drop_row);
}

struct vector *table_row(struct table *t)
{
    struct vector *row = grow(NULL, sizeof *row);
    vector_init(row);
    vector_push(&t->rows, row);
    return row;
}

long table_column(const struct table *t, const char *name)
{
    for (size_t i = 0; i < t->header.count; i++)
        if (strcmp(t->header.items[i], name) == 0)
            return (long)i;
    return -1;
}

const char *table_cell(const struct table *t, size_t row, size_t column)
{
    const struct vector *cells = t->rows.items[row];
    return column < cells->count ? cells->items[column] : "";
}

char *table_select(struct table *t, const char *names)
{
    struct table kept;
    table_init(&kept);
    for (size_t row = 0; row < t->rows.count; row++)
        table_row(&kept);
    for (const char *start = names; start != NULL;) {
        const char *end = strchr(start, ',');
        size_t size = end != NULL ? (size_t)(end - start) : strlen(start);
        char *name = grow(NULL, size + 1);
        memcpy(name, start, size);
        name[size] = '\0';
        long column = table_column(t, name);
        if (column < 0) {
            table_free(&kept);
            return name;
        }
        vector_push(&kept.header, name);
        for (size_t row = 0; row < t->rows.count; row++)
            vector_push(kept.rows.items[row], copy_text(table_cell(t, row, (size_t)column)));
        start = end != NULL ? end + 1 : NULL;
    }
    table_free(t);
    *t = kept;
    return NULL;
}
