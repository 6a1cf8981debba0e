/* A growing array of pointers. */
#ifndef CSVQ_VECTOR_H
#define CSVQ_VECTOR_H

#include <stddef.h>

struct vector {
    void **items;
    size_t count;
    size_t room;
};

void vector_init(struct vector *v);
void vector_push(struct vector *v, void *item);

/* Frees the array, and each item with `drop` unless that is NULL. */
void vector_free(struct vector *v, void (*drop)(void *));

#endif
