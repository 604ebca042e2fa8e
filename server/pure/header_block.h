/* Header lines that a program adds to responses, checked and ready to send.
 *
 * Refuses what would let a value break out of its line, and the headers that say where a response ends or
 * what becomes of the connection: those are the server's. */
#ifndef RP_PURE_HEADER_BLOCK_H
#define RP_PURE_HEADER_BLOCK_H

#include "pure/buffer.h"

#include <stddef.h>

/* Appends "name: value\r\n". -EINVAL, -ENOBUFS when the block would become longer than max_bytes, -ENOMEM. */
int rp_header_block_add(struct rp_buffer *block, const char *name, const char *value, size_t max_bytes);

#endif
