#include "filter.h"
#include "memory.h"

#include <stdlib.h>
#include <string.h>

int parse_number(const char *text, double *value)
{
    char *end;
    if (*text == '\0' || strspn(text, "0123456789+-.eE") != strlen(text))
        return 0; /* no blanks, no hexadecimal, no `nan` */
    *value = strtod(text, &end);
    return *end == '\0';
}

static int compare(const char *left, const char *right)
{
    double a, b;
    if (parse_number(left, &a) && parse_number(right, &b))
        return (a > b) - (a < b);
    return strcmp(left, right);
}

static int holds(const char *operator, int order)
{
    switch (operator[0]) {
    case '=':
        return order == 0;
    case '!':
        return order != 0;
    case '<':
        return order < 0 || (operator[1] == '=' && order == 0);
    default:
        return order > 0 || (operator[1] == '=' && order == 0);
    }
}

static void drop_row(struct vector *row)
{
    vector_free(row, free);
    free(row);
}

enum filter_result filter_table(struct table *t, const char *condition)
{
    size_t size = strcspn(condition, "=!<>");
    const char *operator = condition + size;
    if (size == 0 || *operator == '\0' || (*operator == '!' && operator[1] != '='))
        return FILTER_SYNTAX;
    const char *value = operator + (operator[1] == '=' ? 2 : 1);

    char *name = copy_text(condition);
    name[size] = '\0';
    long column = table_column(t, name);
    free(name);
    if (column < 0)
        return FILTER_COLUMN;

    size_t kept = 0;
    for (size_t row = 0; row < t->rows.count; row++) {
        if (holds(operator, compare(table_cell(t, row, (size_t)column), value)))
            t->rows.items[kept++] = t->rows.items[row];
        else
            drop_row(t->rows.items[row]);
    }
    t->rows.count = kept;
    return FILTER_OK;
}
