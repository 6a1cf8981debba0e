/* A growing string. */
#ifndef CSVQ_BUFFER_H
#define CSVQ_BUFFER_H

#include <stddef.h>

struct buffer {
    char *text; /* always ends in NUL once anything was added */
    size_t length;
    size_t room;
};

void buffer_init(struct buffer *b);
void buffer_free(struct buffer *b);
void buffer_clear(struct buffer *b);
void buffer_char(struct buffer *b, char c);
void buffer_text(struct buffer *b, const char *text);
void buffer_bytes(struct buffer *b, const char *bytes, size_t count);
void buffer_pad(struct buffer *b, char c, size_t count);

/* The text, which the caller frees; the buffer is empty afterwards. */
char *buffer_take(struct buffer *b);

#endif
