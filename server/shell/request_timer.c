#include "shell/request_timer.h"

#include <errno.h>
#include <stdlib.h>

struct rp_request_timer {
    uv_timer_t timer;
    struct rp_request *request;
    void (*callback)(struct rp_request *request, void *state);
    void *state;
};

int rp_request_timer_new(struct rp_request_timer **ret_timer, uv_loop_t *loop, struct rp_request *request)
{
    struct rp_request_timer *timer = malloc(sizeof *timer);
    if (!timer) return -ENOMEM;
    timer->request = request;
    uv_timer_init(loop, &timer->timer);
    timer->timer.data = timer;
    *ret_timer = timer;
    return 0;
}

static void on_timer(uv_timer_t *handle)
{
    struct rp_request_timer *timer = handle->data;
    timer->callback(timer->request, timer->state);
}

void rp_request_timer_start(struct rp_request_timer *timer, uint32_t delay_ms,
                            void (*callback)(struct rp_request *request, void *state), void *state)
{
    timer->callback = callback;
    timer->state = state;
    uv_timer_start(&timer->timer, on_timer, delay_ms, 0);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void rp_request_timer_close(struct rp_request_timer *timer)
{
    uv_close((uv_handle_t *)&timer->timer, on_closed);
}
