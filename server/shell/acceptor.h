/* Takes connections from one listening socket of a worker.
 *
 * Owns the descriptor and a poll handle on it (not uv_listen, which stops for good when an accept fails, and
 * closes the listener without emptying its queue). Accepts in bounded batches, so that a flood of connections
 * does not starve those that are there. On the worker's thread only. */
#ifndef RP_SHELL_ACCEPTOR_H
#define RP_SHELL_ACCEPTOR_H

#include <sys/socket.h>
#include <uv.h>

struct rp_worker;

struct rp_acceptor {
    uv_poll_t poll;
    uv_timer_t retry; /* runs while accepting is pointless: no memory, no descriptor */
    struct rp_worker *worker;
    struct rp_acceptor *next;
    int fd;
    unsigned open_handles;
};

/* Starts accepting; the worker's list takes the acceptor. Owns `fd`, also on an error. */
int rp_acceptor_open(struct rp_worker *worker, int fd);

/* A connection that was accepted, admitted and counted, by this worker or by another: takes the descriptor
 * over. */
void rp_acceptor_serve(struct rp_worker *worker, int fd, const struct sockaddr_storage *peer);

/* Accepts until the queue is empty. */
void rp_acceptor_drain(struct rp_acceptor *acceptor);

/* Closes the listener now; frees the acceptor on a later turn. The worker's list must not hold it any more.
 */
void rp_acceptor_close(struct rp_acceptor *acceptor);

#endif
