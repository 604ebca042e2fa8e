/* The timer of a request (rp_request_after). It has a life of its own, because closing it takes a turn of the
 * loop and the request may be freed before. */
#ifndef RP_SHELL_REQUEST_TIMER_H
#define RP_SHELL_REQUEST_TIMER_H

#include <stdint.h>
#include <uv.h>

struct rp_request;
struct rp_request_timer;

/* -ENOMEM. */
int rp_request_timer_new(struct rp_request_timer **ret_timer, uv_loop_t *loop, struct rp_request *request);

/* Replaces what it was set to before. */
void rp_request_timer_start(struct rp_request_timer *timer, uint32_t delay_ms,
                            void (*callback)(struct rp_request *request, void *state), void *state);

/* It calls nothing any more, and is freed later. */
void rp_request_timer_close(struct rp_request_timer *timer);

#endif
