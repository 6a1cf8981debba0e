/* Allocation that ends the program when there is no memory left. */
#ifndef CSVQ_MEMORY_H
#define CSVQ_MEMORY_H

#include <stddef.h>

void *grow(void *block, size_t size);
char *copy_text(const char *text);

#endif
