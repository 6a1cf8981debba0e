#include "buffer.h"
#include "memory.h"

#include <stdlib.h>
#include <string.h>

static void reserve(struct buffer *b, size_t more)
{
    size_t need = b->length + more + 1;
    if (need <= b->room)
        return;
    b->room = b->room * 2 > need ? b->room * 2 : need + 31;
    b->text = grow(b->text, b->room);
}

void buffer_init(struct buffer *b)
{
    b->text = NULL;
    b->length = b->room = 0;
}

void buffer_free(struct buffer *b)
{
    free(b->text);
    buffer_init(b);
}

void buffer_clear(struct buffer *b)
{
    b->length = 0;
    if (b->text != NULL)
        b->text[0] = '\0';
}

void buffer_bytes(struct buffer *b, const char *bytes, size_t count)
{
    reserve(b, count);
    if (count > 0)
        memcpy(b->text + b->length, bytes, count);
    b->length += count;
    b->text[b->length] = '\0';
}

void buffer_char(struct buffer *b, char c)
{
    buffer_bytes(b, &c, 1);
}

void buffer_text(struct buffer *b, const char *text)
{
    buffer_bytes(b, text, strlen(text));
}

void buffer_pad(struct buffer *b, char c, size_t count)
{
    reserve(b, count);
    memset(b->text + b->length, c, count);
    b->length += count;
    b->text[b->length] = '\0';
}

char *buffer_take(struct buffer *b)
{
    char *text = b->text != NULL ? b->text : copy_text("");
    buffer_init(b);
    return text;
}
