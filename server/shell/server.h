/* The server as its own parts see it: configuration (server.c) and running (server_run.c).
 *
 *   NEW --run: workers made, listening, threads started, READY--> SERVING
 *   SERVING --SIGTERM, stop--> DRAINING: the lifecycle's duplicates are closed, every worker is told
 *   DRAINING --all listeners closed--> supervisor told STOPPING
 *   DRAINING --all connections gone--> supervisor told the figures
 *   DRAINING --all workers done--> threads joined, run returns
 *
 * Everything here belongs to the thread of rp_server_run, except `stop_requests`, the board, and `wake`. */
#ifndef RP_SHELL_SERVER_H
#define RP_SHELL_SERVER_H

#include "shell/admission.h"
#include "shell/service.h"
#include "shell/worker.h"

#include <rp/server.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

struct rp_server {
    struct rp_service service;
    struct rp_admission admission;
    struct rp_lifecycle *lifecycle;
    struct rp_address *addresses;
    size_t address_count;
    int backlog;

    unsigned pool_threads;
    struct rp_pool pool;
    struct rp_worker *workers;
    unsigned worker_count;
    struct rp_worker_board board;

    uv_loop_t loop;
    bool loop_open;
    uv_async_t wake; /* the board has changed, or rp_server_stop was called */
    uv_signal_t sigterm;
    uv_signal_t sigint;
    uv_poll_t link; /* on the lifecycle's descriptor, if it has one */
    bool link_watched;
    atomic_uint stop_requests;
    unsigned stops_seen;

    bool signalled; /* a first signal has come */
    bool draining;
    bool stopping_told;
    bool drained_told;
    uint64_t drain_began_ms;
};

void rp_server_on_wake(uv_async_t *wake);

#endif
