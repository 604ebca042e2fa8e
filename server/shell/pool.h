/* Threads for work that blocks, shared by all workers of a server.
 *
 * Not libuv's pool: that one belongs to the whole process, has no bound, and aborts when it cannot start a
 * thread, which would be after the shift. This one is started before the server listens, or not at all.
 *
 *   submit --> QUEUED --a thread takes it--> RUNNING --work has returned--> FINISHED --collect--> the owner's
 *                 '------------------ cancel (it has not run) ----------------^
 *
 * A job is the owner's memory and belongs to the pool from submit to collect. Where it comes back to is its
 * home: one per worker, with that worker's wake-up. A home is woken under the lock, so that after it has
 * collected its last job no thread touches the wake-up any more.
 *
 * One lock for all of it; nobody takes it who has no job under way. */
#ifndef RP_SHELL_POOL_H
#define RP_SHELL_POOL_H

#include "pure/list.h"

#include <rp/error.h>
#include <stdbool.h>
#include <uv.h>

struct rp_pool_home {
    struct rp_list finished;
    uv_async_t *wake;
};

struct rp_job {
    struct rp_list node;
    struct rp_pool_home *home;
    void (*work)(void *data);
    void *data;
    bool queued;
    bool has_run; /* of a finished one */
};

struct rp_pool {
    uv_mutex_t lock;
    uv_cond_t changed;
    struct rp_list queue;
    bool stopping;
    uv_thread_t *threads;
    unsigned thread_count;
};

/* Server's thread. With `threads` 0 there is no pool, and nothing may be submitted. -ENOMEM or what libuv
 * returns; then nothing is left. */
int rp_pool_start(struct rp_pool *pool, unsigned threads, struct rp_error *error);

/* Server's thread, when every job is collected and nobody submits any more. A pool of zeros is stopped. */
void rp_pool_stop(struct rp_pool *pool);

void rp_pool_home_init(struct rp_pool_home *home, uv_async_t *wake);

/* The home's thread. Fills in all of the job but home, work and data. */
void rp_pool_submit(struct rp_pool *pool, struct rp_job *job);

/* The home's thread. One that is queued is finished now and has not run; any other goes on. */
void rp_pool_cancel(struct rp_pool *pool, struct rp_job *job);

/* The home's thread: moves what is finished to *ret_finished, in the order in which it did. */
void rp_pool_collect(struct rp_pool *pool, struct rp_pool_home *home, struct rp_list *ret_finished);

#endif
