/* Conditions such as `mass>=5.9` or `name=Mars`. */
#ifndef CSVQ_FILTER_H
#define CSVQ_FILTER_H

#include "table.h"

enum filter_result { FILTER_OK, FILTER_SYNTAX, FILTER_COLUMN };

/* Removes the rows that do not meet `condition`. Numbers are compared as numbers where both sides are some. */
enum filter_result filter_table(struct table *t, const char *condition);

/* Whether all of `text` is a number, which goes to `value`. */
int parse_number(const char *text, double *value);

#endif
