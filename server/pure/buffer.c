#include "pure/buffer.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES_MIN 512

static int buffer_reserve(struct rp_buffer *buffer, size_t more)
{
    size_t before = (size_t)(buffer->bytes - buffer->memory);
    if (buffer->capacity - before - buffer->length >= more) return 0;
    if (before > 0) memmove(buffer->memory, buffer->bytes, buffer->length);
    buffer->bytes = buffer->memory;
    if (buffer->capacity - buffer->length >= more) return 0;
    if (more > SIZE_MAX / 2 - buffer->length) return -ENOMEM;
    size_t capacity = buffer->capacity * 2;
    if (capacity < BUFFER_BYTES_MIN) capacity = BUFFER_BYTES_MIN;
    if (capacity < buffer->length + more) capacity = buffer->length + more;
    char *memory = realloc(buffer->memory, capacity);
    if (!memory) return -ENOMEM;
    buffer->memory = buffer->bytes = memory;
    buffer->capacity = capacity;
    return 0;
}

int rp_buffer_append(struct rp_buffer *buffer, const void *bytes, size_t length)
{
    if (length == 0) return 0;
    int result = buffer_reserve(buffer, length);
    if (result < 0) return result;
    memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
    return 0;
}

void rp_buffer_consume(struct rp_buffer *buffer, size_t length)
{
    assert(length <= buffer->length);
    buffer->bytes += length;
    buffer->length -= length;
    if (buffer->length == 0) rp_buffer_free(buffer);
}

void rp_buffer_clear(struct rp_buffer *buffer, size_t keep_bytes)
{
    buffer->bytes = buffer->memory;
    buffer->length = 0;
    if (buffer->capacity > keep_bytes) rp_buffer_free(buffer);
}

void rp_buffer_free(struct rp_buffer *buffer)
{
    free(buffer->memory);
    *buffer = (struct rp_buffer){0};
}
