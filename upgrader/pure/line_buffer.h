/* Cuts a stream of bytes into lines of a bounded length.
 *
 * Owns its memory. Zero-initialised with a `max_bytes` is empty and valid. Pure. */
#ifndef RPCTL_LINE_BUFFER_H
#define RPCTL_LINE_BUFFER_H

#include <stddef.h>

struct rpctl_line_buffer {
    size_t max_bytes; /* longest line, without its newline */
    char *bytes;
    size_t start, end, capacity;
    size_t scanned; /* no newline before this one */
};

void rpctl_line_buffer_done(struct rpctl_line_buffer *buffer);

/* Room for at least `bytes` more; write there and call `added` with what came. -ENOMEM. The pointer is valid
 * until the next call of any function here. */
int rpctl_line_buffer_reserve(struct rpctl_line_buffer *buffer, size_t bytes, char **ret_room);
void rpctl_line_buffer_added(struct rpctl_line_buffer *buffer, size_t bytes);

/* The next whole line, NUL-terminated in place of its newline, valid until the next call. Returns 1 and the
 * line, 0 when more bytes are needed, -EMSGSIZE when the line is longer than `max_bytes`. */
int rpctl_line_buffer_next(struct rpctl_line_buffer *buffer, char **ret_line, size_t *ret_length);

#endif
