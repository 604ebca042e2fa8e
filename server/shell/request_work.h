/* The work of a request on a thread of the pool (rp_request_work).
 *
 *   start --> UNDER WAY --collected--> over: `done` is called, exactly once
 *
 * While it is under way the request stays, and with it its connection's memory, though the client may have
 * gone: a connection that is closed meanwhile is freed behind `done`. Work that has not begun when its
 * connection is closed does not run any more. */
#ifndef RP_SHELL_REQUEST_WORK_H
#define RP_SHELL_REQUEST_WORK_H

struct rp_request;
struct rp_request_work;
struct rp_worker;

/* The client has gone. */
void rp_request_work_cancel(struct rp_request *request);

/* From the worker's wake-up: tells the requests whose work is over. */
void rp_request_work_collect(struct rp_worker *worker);

#endif
