/* A growing run of bytes: appended to at the end, consumed from the front.
 *
 * Owns its memory, and none while it is empty, so that an idle connection costs none. Not thread-safe. */
#ifndef RP_PURE_BUFFER_H
#define RP_PURE_BUFFER_H

#include <stddef.h>

struct rp_buffer {
    char *bytes; /* the first byte not consumed */
    size_t length;
    char *memory;
    size_t capacity;
};

/* A buffer of zeros is empty. Appends a copy; 0 or -ENOMEM, then nothing has changed. */
int rp_buffer_append(struct rp_buffer *buffer, const void *bytes, size_t length);

/* Takes `length` bytes, at most all, from the front. Frees the memory with the last. */
void rp_buffer_consume(struct rp_buffer *buffer, size_t length);

/* Empties it, and keeps its memory if that is no more than `keep_bytes`. */
void rp_buffer_clear(struct rp_buffer *buffer, size_t keep_bytes);

void rp_buffer_free(struct rp_buffer *buffer);

#endif
