#include "vector.h"
#include "memory.h"

#include <stdlib.h>

void vector_init(struct vector *v)
{
    v->items = NULL;
    v->count = v->room = 0;
}

void vector_push(struct vector *v, void *item)
{
    if (v->count == v->room) {
        v->room = v->room ? v->room * 2 : 8;
        v->items = grow(v->items, v->room * sizeof *v->items);
    }
    v->items[v->count++] = item;
}

void vector_free(struct vector *v, void (*drop)(void *))
{
    if (drop != NULL)
        for (size_t i = 0; i < v->count; i++)
            drop(v->items[i]);
    free(v->items);
    vector_init(v);
}
