/* A worker: one thread, one loop, its own listeners and its own connections.
 *
 * Owns all of these. While it runs, everything in it belongs to its thread; other threads may only call
 * rp_worker_post, and workers hand connections over to each other (shell/balance.h). It tells the server's
 * thread through the board that its listeners are closed, that its connections are gone, and that it is done.
 *
 *   init --listen…--> --start--> RUNNING --DRAIN--> DRAINING --last connection closed--> FINISHED --join-->
 *     '----------------------------------abandon (never started)---------------------------------------->
 *
 * DRAINING: the accept queues are emptied and the listeners closed in the same turn; the last connection goes
 * when it has been answered, when its grace is over, or when the drain deadline or a CUT ends it. FINISHED:
 * the thread ends when the work is over that requests had on threads of the pool; work that is running cannot
 * be ended. */
#ifndef RP_SHELL_WORKER_H
#define RP_SHELL_WORKER_H

#include "pure/deadlines.h"
#include "pure/http_adapter.h"
#include "pure/http_date.h"
#include "pure/inbox.h"
#include "shell/pool.h"
#include "shell/request_pool.h"
#include "shell/service.h"

#include <stdatomic.h>
#include <time.h>
#include <uv.h>

#define RP_WORKER_INPUT_BYTES 65536
#define RP_WORKER_CORK_BYTES  65536

struct rp_acceptor;
struct rp_connection;

/* Written by the workers, read by the server's thread when it is woken. */
struct rp_worker_board {
    atomic_uint started;  /* workers whose worker_start has returned; `start_result` is there */
    atomic_uint stopped;  /* workers whose listeners are closed */
    atomic_uint finished; /* workers whose connections are gone; `drained` and `cut` are final */
    atomic_uint done;     /* workers whose thread is about to end */
    uv_async_t *wake;
};

enum rp_worker_message { RP_WORKER_DRAIN = 1, RP_WORKER_CUT = 2 };

struct rp_worker {
    const struct rp_service *service;
    struct rp_worker_board *board;
    void *state; /* the program's, of worker_start */
    unsigned number;
    int start_result;
    struct rp_error start_error;
    uv_loop_t loop;
    uv_thread_t thread;
    atomic_uint messages;
    uv_async_t wake;
    uv_mutex_t wake_lock;  /* held to wake, and to end being woken; and for the inbox */
    struct rp_inbox inbox; /* from other workers, see shell/balance.h */
    atomic_uint load;      /* connections that are not closing, and those in the inbox */
    unsigned compared;     /* the worker that was compared with last */

    struct rp_acceptor *acceptors; /* linked by their `next` */
    int spare_fd;                  /* given up for a moment when descriptors run out */
    uint64_t complained_ms;        /* last log line about trouble in accepting */
    unsigned long shed;            /* connections refused since that line */

    uv_timer_t tick; /* the earliest deadline of all connections */
    uint64_t tick_ms;
    struct rp_deadlines deadlines; /* one list per phase: every connection that is not closing is on one */
    uv_idle_t turn;                /* runs while `resume` is not empty */
    struct rp_list resume;         /* connections to go on with in the next turn */

    struct rp_request_pool requests;

    uint32_t connections;     /* not freed yet, the closing ones too */
    struct rp_pool_home home; /* where work of this worker's requests comes back to */
    uint32_t jobs;            /* such work under way */
    bool entered;             /* worker_start has succeeded */
    bool wake_closed;
    bool draining;
    bool finished; /* no connections any more, and there will be none */
    uv_timer_t cut_timer;
    unsigned long drained; /* connections there were when the drain began */
    unsigned long cut;

    struct rp_connection *corked; /* whose output is gathered in `cork`, or NULL */
    size_t cork_bytes;
    char *cork;
    char *input;              /* where connections are read into, one at a time */
    struct rp_http_head head; /* where heads are parsed into, one at a time */
    time_t date_second;
    char date[RP_HTTP_DATE_BYTES];
};

/* On the server's thread. `number`: as the program sees it. -ENOMEM or what libuv returns; then nothing is
 * left. */
int rp_worker_init(struct rp_worker *worker, unsigned number, const struct rp_service *service,
                   struct rp_worker_board *board, struct rp_error *error);

/* Takes the descriptor over, also on an error. Before start. */
int rp_worker_listen(struct rp_worker *worker, int fd, struct rp_error *error);

int rp_worker_start(struct rp_worker *worker, struct rp_error *error);

/* For one that was not started: closes everything. */
void rp_worker_abandon(struct rp_worker *worker);

/* Any thread, until join. One that has finished does not hear it. */
void rp_worker_post(struct rp_worker *worker, enum rp_worker_message message);

/* Waits for the thread's end. */
void rp_worker_join(struct rp_worker *worker);

/* When all have been joined: until then another one may want to hand something over. */
void rp_worker_done(struct rp_worker *worker);

/* ---- for connections and acceptors, on the worker's thread ---- */

uint64_t rp_worker_now_ms(const struct rp_worker *worker);
const char *rp_worker_date(struct rp_worker *worker);

/* A deadline was placed: see that the timer fires in time. */
void rp_worker_arm(struct rp_worker *worker);

/* The connection goes on in the next turn of the loop: nothing is called back from inside what it called. */
void rp_worker_resume(struct rp_worker *worker, struct rp_connection *connection);

/* Closes the connection that has been idle for longest, if there is one: its descriptor is free at once. */
void rp_worker_evict_idle(struct rp_worker *worker);

/* A connection has been freed. */
void rp_worker_connection_closed(struct rp_worker *worker);

#endif
