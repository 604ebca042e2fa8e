/* Evens out the connections of the workers: one that has more than another hands over what it accepts.
 *
 * A worker takes part from its worker_start until its drain, when it keeps what it has. What another one has
 * sent it by then is served like what stood in its accept queue: nothing is left between two workers. The
 * count that decides (`load`) is of connections that are open or on their way to the worker. It is touched
 * when a connection comes and when it goes, never for a request; and so is the lock, where one is handed
 * over. */
#ifndef RP_SHELL_BALANCE_H
#define RP_SHELL_BALANCE_H

#include <stdbool.h>
#include <sys/socket.h>

struct rp_worker;

/* On the worker's thread, all of them. */
void rp_balance_join(struct rp_worker *worker);
void rp_balance_part(struct rp_worker *worker); /* and serves what has come until now */

/* Serves what others have handed over. */
void rp_balance_collect(struct rp_worker *worker);

/* A connection that was just accepted, and admitted. True: it is another worker's now; false: this worker
 * has to serve it. It is counted in either case, and has to be uncounted by who serves it. */
bool rp_balance_hand_over(struct rp_worker *worker, int fd, const struct sockaddr_storage *peer);
void rp_balance_uncount(struct rp_worker *worker);

#endif
