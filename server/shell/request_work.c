#include "shell/request_work.h"

#include "shell/connection.h"
#include "shell/exchange.h"
#include "shell/pool.h"
#include "shell/worker.h"

#include <errno.h>
#include <stdlib.h>

struct rp_request_work {
    struct rp_job job;
    struct rp_request *request;
    void (*done)(struct rp_request *request, int status, void *data);
};

int rp_request_work(struct rp_request *request, void (*work)(void *data),
                    void (*done)(struct rp_request *request, int status, void *data), void *data)
{
    struct rp_worker *worker = request->connection->worker;
    const struct rp_service *service = worker->service;
    if (request->over || request->connection->closing) return -ECANCELED;
    if (service->pool->thread_count == 0) return -ENOTSUP;
    if (request->work) return -EBUSY;
    if (worker->jobs >= service->limits.jobs_per_worker) return -EAGAIN;
    struct rp_request_work *started = malloc(sizeof *started);
    if (!started) return -ENOMEM;
    *started = (struct rp_request_work){
        .job = {.home = &worker->home, .work = work, .data = data}, .request = request, .done = done};
    request->work = started;
    worker->jobs++;
    rp_pool_submit(service->pool, &started->job);
    return 0;
}

void rp_request_work_cancel(struct rp_request *request)
{
    rp_pool_cancel(request->connection->worker->service->pool, &request->work->job);
}

static void tell(struct rp_request_work *work)
{
    struct rp_request_work told = *work;
    struct rp_connection *connection = told.request->connection;
    int status = !told.job.has_run ? -ECANCELED : connection->closing ? -ECONNRESET : 0;
    free(work);
    told.request->work = NULL; /* the next may be started now */
    told.done(told.request, status, told.job.data);
    rp_connection_work_over(connection);
}

void rp_request_work_collect(struct rp_worker *worker)
{
    struct rp_list finished;
    if (worker->jobs == 0) return;
    rp_pool_collect(worker->service->pool, &worker->home, &finished);
    while (!rp_list_empty(&finished)) {
        struct rp_request_work *work = RP_LIST_ENTRY(finished.next, struct rp_request_work, job.node);
        rp_list_remove(&work->job.node);
        worker->jobs--;
        tell(work);
    }
}
