/* The way of bytes to a client.
 *
 * Queue empty: try to write at once. What the socket does not take is copied and queued; while something is
 * queued, everything is. While a connection is corked (one per worker, for as long as it is being parsed),
 * small writes are gathered, so that the responses to many pipelined requests leave in one system call. */
#ifndef RP_SHELL_OUTPUT_H
#define RP_SHELL_OUTPUT_H

#include <stddef.h>
#include <uv.h>

struct rp_connection;
struct rp_worker;

/* Writes or queues all of it. -ECANCELED: the connection is closing, or has been closed because the socket is
 * broken; -ENOMEM: closed too. */
int rp_output_write(struct rp_connection *connection, const uv_buf_t *buffers, unsigned count);

/* Does nothing when another connection is corked. */
void rp_output_cork(struct rp_connection *connection);

/* Sends what was gathered. */
void rp_output_uncork(struct rp_connection *connection);

/* Sends what was gathered, and stays corked. */
void rp_output_flush(struct rp_connection *connection);

#endif
