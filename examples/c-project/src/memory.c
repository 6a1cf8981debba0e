#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *grow(void *block, size_t size)
{
    void *fresh = realloc(block, size);
    if (fresh == NULL && size > 0) {
        fputs("csvq: out of memory\n", stderr);
        exit(2);
    }
    return fresh;
}

char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(grow(NULL, size), text, size);
}
