#include "shell/worker.h"

#include "linux/accept.h"
#include "pure/phase.h"
#include "shell/acceptor.h"
#include "shell/balance.h"
#include "shell/connection.h"
#include "shell/request_work.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static struct rp_connection *connection_of(struct rp_list *node)
{
    return RP_LIST_ENTRY(node, struct rp_connection, deadline.node);
}

uint64_t rp_worker_now_ms(const struct rp_worker *worker)
{
    return uv_now(&worker->loop);
}

const char *rp_worker_date(struct rp_worker *worker)
{
    time_t second = time(NULL);
    if (second != worker->date_second) {
        worker->date_second = second;
        rp_http_date_format(second, worker->date);
    }
    return worker->date;
}

/* ---- deadlines ---- */

static void on_tick(uv_timer_t *timer)
{
    struct rp_worker *worker = timer->data;
    struct rp_deadline *entry;
    worker->tick_ms = RP_NEVER_MS;
    while ((entry = rp_deadlines_expire(&worker->deadlines, rp_worker_now_ms(worker))) != NULL)
        rp_connection_expired(connection_of(&entry->node));
    rp_worker_arm(worker);
}

void rp_worker_arm(struct rp_worker *worker)
{
    uint64_t next_ms = rp_deadlines_next(&worker->deadlines);
    if (worker->finished || next_ms >= worker->tick_ms) return;
    uint64_t now_ms = rp_worker_now_ms(worker);
    worker->tick_ms = next_ms;
    uv_timer_start(&worker->tick, on_tick, next_ms > now_ms ? next_ms - now_ms : 0, 0);
}

void rp_worker_evict_idle(struct rp_worker *worker)
{
    struct rp_list *idle = &worker->deadlines.lists[RP_PHASE_IDLE];
    if (rp_list_empty(idle)) return;
    struct rp_connection *connection = connection_of(idle->next);
    rp_deadlines_remove(&connection->deadline);
    rp_connection_expired(connection);
}

/* ---- turns ---- */

static void on_turn(uv_idle_t *idle)
{
    struct rp_worker *worker = idle->data;
    struct rp_list batch;
    if (rp_list_empty(&worker->resume)) return;
    /* Those who ask again while they are served wait for the turn after this one. */
    batch = worker->resume;
    batch.next->previous = batch.previous->next = &batch;
    rp_list_init(&worker->resume);
    while (!rp_list_empty(&batch)) {
        struct rp_connection *connection = RP_LIST_ENTRY(batch.next, struct rp_connection, resume);
        rp_list_remove(&connection->resume);
        rp_connection_continue(connection);
    }
    if (rp_list_empty(&worker->resume)) uv_idle_stop(idle);
}

void rp_worker_resume(struct rp_worker *worker, struct rp_connection *connection)
{
    if (!rp_list_empty(&connection->resume)) return;
    rp_list_append(&worker->resume, &connection->resume);
    if (!uv_is_active((uv_handle_t *)&worker->turn)) uv_idle_start(&worker->turn, on_turn);
}

/* ---- the end ---- */

/* uv_async_send to a handle that is closed writes to a descriptor that may be somebody else's by now. */
static void close_wake(struct rp_worker *worker)
{
    uv_mutex_lock(&worker->wake_lock);
    worker->wake_closed = true;
    uv_mutex_unlock(&worker->wake_lock);
    uv_close((uv_handle_t *)&worker->wake, NULL);
}

static void close_handles(struct rp_worker *worker)
{
    worker->finished = true;
    uv_close((uv_handle_t *)&worker->tick, NULL);
    uv_close((uv_handle_t *)&worker->turn, NULL);
    uv_close((uv_handle_t *)&worker->cut_timer, NULL);
}

static void report(struct rp_worker *worker, atomic_uint *count)
{
    atomic_fetch_add(count, 1);
    uv_async_send(worker->board->wake);
}

static void exit_hook(struct rp_worker *worker)
{
    const struct rp_service *service = worker->service;
    if (worker->entered && service->hooks.worker_exit)
        service->hooks.worker_exit(worker->number, worker->state, service->hooks_user);
}

/* What work wakes is the last of our handles to go: without it, and the program's own, the loop ends. */
static void end_if_finished(struct rp_worker *worker)
{
    if (!worker->finished || worker->jobs > 0 || worker->wake_closed) return;
    close_wake(worker);
    exit_hook(worker);
}

static void finish_if_empty(struct rp_worker *worker)
{
    if (!worker->draining || worker->connections > 0 || worker->finished) return;
    close_handles(worker);
    if (worker->jobs > 0)
        rp_service_log(worker->service, "event=work_under_way jobs=%u", (unsigned)worker->jobs);
    report(worker, &worker->board->finished);
    end_if_finished(worker);
}

void rp_worker_connection_closed(struct rp_worker *worker)
{
    worker->connections--;
    finish_if_empty(worker);
}

static void cut(struct rp_worker *worker)
{
    on_turn(&worker->turn); /* what has just been answered shall not count as cut */
    for (enum rp_phase phase = 0; phase < RP_PHASE_COUNT; phase++) {
        struct rp_list *list = &worker->deadlines.lists[phase];
        while (!rp_list_empty(list)) {
            struct rp_connection *connection = connection_of(list->next);
            if (rp_connection_owes(connection)) worker->cut++;
            rp_connection_close(connection);
        }
    }
}

static void on_cut_timer(uv_timer_t *timer)
{
    cut(timer->data);
}

static void close_acceptors(struct rp_worker *worker)
{
    while (worker->acceptors) {
        struct rp_acceptor *acceptor = worker->acceptors;
        worker->acceptors = acceptor->next;
        rp_acceptor_close(acceptor);
    }
}

static void drain(struct rp_worker *worker)
{
    const struct rp_drain_policy *policy = &worker->service->drain;
    if (worker->draining) return;
    worker->draining = true;
    uv_update_time(&worker->loop);
    for (struct rp_acceptor *acceptor = worker->acceptors; acceptor; acceptor = acceptor->next)
        rp_acceptor_drain(acceptor);
    close_acceptors(worker);
    rp_balance_part(worker);
    worker->drained = worker->connections;
    rp_deadlines_shorten(&worker->deadlines, RP_PHASE_IDLE, policy->grace_ms, rp_worker_now_ms(worker));
    rp_worker_arm(worker);
    uv_timer_start(&worker->cut_timer, on_cut_timer, policy->deadline_ms, 0);
    report(worker, &worker->board->stopped);
    finish_if_empty(worker);
}

static void on_wake(uv_async_t *wake)
{
    struct rp_worker *worker = wake->data;
    unsigned messages = atomic_load(&worker->messages);
    rp_request_work_collect(worker);
    rp_balance_collect(worker);
    if (!worker->finished && messages & RP_WORKER_DRAIN) drain(worker);
    if (!worker->finished && messages & RP_WORKER_CUT) cut(worker);
    end_if_finished(worker);
}

void rp_worker_post(struct rp_worker *worker, enum rp_worker_message message)
{
    atomic_fetch_or(&worker->messages, message);
    uv_mutex_lock(&worker->wake_lock);
    if (!worker->wake_closed) uv_async_send(&worker->wake);
    uv_mutex_unlock(&worker->wake_lock);
}

/* ---- thread ---- */

static void release(struct rp_worker *worker)
{
    if (worker->spare_fd >= 0) close(worker->spare_fd);
    free(worker->input);
    free(worker->cork);
    rp_request_pool_free(&worker->requests);
    int result = uv_loop_close(&worker->loop);
    assert(result == 0);
}

/* Without its hook a worker does not begin: its loop only runs until its handles are closed. */
static void start_hook(struct rp_worker *worker)
{
    const struct rp_service *service = worker->service;
    if (service->hooks.worker_start)
        worker->start_result = service->hooks.worker_start(worker->number, &worker->loop, &worker->state,
                                                           service->hooks_user, &worker->start_error);
    worker->entered = worker->start_result >= 0;
    if (worker->entered) {
        rp_balance_join(worker);
    } else {
        close_acceptors(worker);
        close_handles(worker);
        end_if_finished(worker);
    }
    report(worker, &worker->board->started);
}

static void thread_main(void *argument)
{
    struct rp_worker *worker = argument;
    start_hook(worker);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    release(worker);
    report(worker, &worker->board->done);
}

int rp_worker_start(struct rp_worker *worker, struct rp_error *error)
{
    int result = uv_thread_create(&worker->thread, thread_main, worker);
    if (result < 0)
        return rp_error_set(error, result, "cannot start a worker thread: %s", uv_strerror(result));
    return 0;
}

void rp_worker_join(struct rp_worker *worker)
{
    int result = uv_thread_join(&worker->thread);
    assert(result == 0);
}

void rp_worker_done(struct rp_worker *worker)
{
    uv_mutex_destroy(&worker->wake_lock);
}

void rp_worker_abandon(struct rp_worker *worker)
{
    close_acceptors(worker);
    close_handles(worker);
    end_if_finished(worker);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    release(worker);
    uv_mutex_destroy(&worker->wake_lock);
}

static void init_lists(struct rp_worker *worker)
{
    const struct rp_server_limits *limits = &worker->service->limits;
    const uint64_t wait_ms[RP_PHASE_COUNT] = {
        [RP_PHASE_IDLE] = limits->idle_timeout_ms,   [RP_PHASE_HEAD] = limits->head_timeout_ms,
        [RP_PHASE_BODY] = limits->body_timeout_ms,   [RP_PHASE_HANDLER] = RP_NEVER_MS,
        [RP_PHASE_WRITE] = limits->write_timeout_ms, [RP_PHASE_LINGER] = limits->linger_timeout_ms,
    };
    rp_deadlines_init(&worker->deadlines, RP_PHASE_COUNT, wait_ms);
    rp_list_init(&worker->resume);
    worker->tick_ms = RP_NEVER_MS;
}

/* Of the handles only uv_async_init can fail, and then nothing else has been initialised on the loop. */
static int init_handles(struct rp_worker *worker)
{
    int result = uv_mutex_init(&worker->wake_lock);
    if (result < 0) return result;
    result = uv_async_init(&worker->loop, &worker->wake, on_wake);
    if (result < 0) {
        uv_mutex_destroy(&worker->wake_lock);
        return result;
    }
    uv_timer_init(&worker->loop, &worker->tick);
    uv_timer_init(&worker->loop, &worker->cut_timer);
    uv_idle_init(&worker->loop, &worker->turn);
    rp_pool_home_init(&worker->home, &worker->wake);
    worker->wake.data = worker->tick.data = worker->cut_timer.data = worker->turn.data = worker;
    return 0;
}

int rp_worker_init(struct rp_worker *worker, unsigned number, const struct rp_service *service,
                   struct rp_worker_board *board, struct rp_error *error)
{
    *worker = (struct rp_worker){.service = service, .board = board, .number = number, .spare_fd = -1};
    int result = uv_loop_init(&worker->loop);
    if (result < 0)
        return rp_error_set(error, result, "cannot make a worker's loop: %s", uv_strerror(result));
    init_lists(worker);
    worker->input = malloc(RP_WORKER_INPUT_BYTES);
    worker->cork = malloc(RP_WORKER_CORK_BYTES);
    worker->spare_fd = rp_accept_spare();
    if (!worker->input || !worker->cork)
        result = -ENOMEM;
    else if (worker->spare_fd < 0)
        result = -errno;
    else
        result = init_handles(worker);
    if (result == 0) return 0;
    release(worker);
    return rp_error_set(error, result, "cannot make a worker: %s", uv_strerror(result));
}

int rp_worker_listen(struct rp_worker *worker, int fd, struct rp_error *error)
{
    int result = rp_acceptor_open(worker, fd);
    if (result < 0) return rp_error_set(error, result, "cannot watch a listener: %s", uv_strerror(result));
    return 0;
}
