#include "shell/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static void init_job(struct rp_job *job)
{
    rp_list_init(&job->node);
    job->queued = true;
    job->has_run = false;
}

static void finish(struct rp_job *job, bool has_run)
{
    job->has_run = has_run;
    rp_list_append(&job->home->finished, &job->node);
    uv_async_send(job->home->wake);
}

/* The lock is held; it is given up while the work is done. */
static void run_next(struct rp_pool *pool)
{
    struct rp_job *job = RP_LIST_ENTRY(pool->queue.next, struct rp_job, node);
    rp_list_remove(&job->node);
    job->queued = false;
    uv_mutex_unlock(&pool->lock);
    job->work(job->data);
    uv_mutex_lock(&pool->lock);
    finish(job, true);
}

static void thread_main(void *argument)
{
    struct rp_pool *pool = argument;
    uv_mutex_lock(&pool->lock);
    for (;;) {
        if (!rp_list_empty(&pool->queue))
            run_next(pool);
        else if (pool->stopping)
            break;
        else
            uv_cond_wait(&pool->changed, &pool->lock);
    }
    uv_mutex_unlock(&pool->lock);
}

static int start_threads(struct rp_pool *pool, unsigned threads)
{
    pool->threads = calloc(threads, sizeof *pool->threads);
    if (!pool->threads) return -ENOMEM;
    for (; pool->thread_count < threads; pool->thread_count++) {
        int result = uv_thread_create(&pool->threads[pool->thread_count], thread_main, pool);
        if (result < 0) return result;
    }
    return 0;
}

static int init_lock(struct rp_pool *pool)
{
    int result = uv_mutex_init(&pool->lock);
    if (result < 0) return result;
    result = uv_cond_init(&pool->changed);
    if (result < 0) uv_mutex_destroy(&pool->lock);
    return result;
}

int rp_pool_start(struct rp_pool *pool, unsigned threads, struct rp_error *error)
{
    *pool = (struct rp_pool){0};
    if (threads == 0) return 0;
    rp_list_init(&pool->queue);
    int result = init_lock(pool);
    if (result < 0)
        *pool = (struct rp_pool){0};
    else if ((result = start_threads(pool, threads)) < 0)
        rp_pool_stop(pool);
    if (result < 0)
        return rp_error_set(error, result, "cannot start %u threads for blocking work: %s", threads,
                            uv_strerror(result));
    return 0;
}

void rp_pool_stop(struct rp_pool *pool)
{
    if (!pool->queue.next) return;
    uv_mutex_lock(&pool->lock);
    assert(rp_list_empty(&pool->queue));
    pool->stopping = true;
    uv_cond_broadcast(&pool->changed);
    uv_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->thread_count; i++) {
        int result = uv_thread_join(&pool->threads[i]);
        assert(result == 0);
    }
    uv_cond_destroy(&pool->changed);
    uv_mutex_destroy(&pool->lock);
    free(pool->threads);
    *pool = (struct rp_pool){0};
}

void rp_pool_home_init(struct rp_pool_home *home, uv_async_t *wake)
{
    rp_list_init(&home->finished);
    home->wake = wake;
}

void rp_pool_submit(struct rp_pool *pool, struct rp_job *job)
{
    assert(pool->thread_count > 0);
    init_job(job);
    uv_mutex_lock(&pool->lock);
    rp_list_append(&pool->queue, &job->node);
    uv_cond_signal(&pool->changed);
    uv_mutex_unlock(&pool->lock);
}

void rp_pool_cancel(struct rp_pool *pool, struct rp_job *job)
{
    uv_mutex_lock(&pool->lock);
    if (job->queued) {
        rp_list_remove(&job->node);
        job->queued = false;
        finish(job, false);
    }
    uv_mutex_unlock(&pool->lock);
}

void rp_pool_collect(struct rp_pool *pool, struct rp_pool_home *home, struct rp_list *ret_finished)
{
    rp_list_init(ret_finished);
    uv_mutex_lock(&pool->lock);
    while (!rp_list_empty(&home->finished)) {
        struct rp_list *node = home->finished.next;
        rp_list_remove(node);
        rp_list_append(ret_finished, node);
    }
    uv_mutex_unlock(&pool->lock);
}
