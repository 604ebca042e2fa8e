#include "pure/line_buffer.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void rpctl_line_buffer_done(struct rpctl_line_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct rpctl_line_buffer){.max_bytes = buffer->max_bytes};
}

static void move_to_front(struct rpctl_line_buffer *buffer)
{
    if (buffer->start == 0) return;
    memmove(buffer->bytes, buffer->bytes + buffer->start, buffer->end - buffer->start);
    buffer->end -= buffer->start;
    buffer->scanned -= buffer->start;
    buffer->start = 0;
}

int rpctl_line_buffer_reserve(struct rpctl_line_buffer *buffer, size_t bytes, char **ret_room)
{
    move_to_front(buffer);
    size_t needed = buffer->end + bytes;
    if (needed > buffer->capacity) {
        size_t capacity = needed > 2 * buffer->capacity ? needed : 2 * buffer->capacity;
        char *grown = realloc(buffer->bytes, capacity);
        if (!grown) return -ENOMEM;
        buffer->bytes = grown;
        buffer->capacity = capacity;
    }
    *ret_room = buffer->bytes + buffer->end;
    return 0;
}

void rpctl_line_buffer_added(struct rpctl_line_buffer *buffer, size_t bytes)
{
    assert(buffer->end + bytes <= buffer->capacity);
    buffer->end += bytes;
}

int rpctl_line_buffer_next(struct rpctl_line_buffer *buffer, char **ret_line, size_t *ret_length)
{
    if (buffer->scanned == buffer->end)
        return buffer->end - buffer->start > buffer->max_bytes ? -EMSGSIZE : 0;
    char *newline = memchr(buffer->bytes + buffer->scanned, '\n', buffer->end - buffer->scanned);
    size_t line_end = newline ? (size_t)(newline - buffer->bytes) : buffer->end;
    buffer->scanned = line_end;
    if (line_end - buffer->start > buffer->max_bytes) return -EMSGSIZE;
    if (!newline) return 0;
    *newline = '\0';
    *ret_line = buffer->bytes + buffer->start;
    *ret_length = line_end - buffer->start;
    buffer->start = buffer->scanned = line_end + 1;
    return 1;
}
