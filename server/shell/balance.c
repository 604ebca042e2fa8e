#include "shell/balance.h"

#include "pure/balance.h"
#include "shell/acceptor.h"
#include "shell/worker.h"

static unsigned load_of(struct rp_worker *worker)
{
    return atomic_load_explicit(&worker->load, memory_order_relaxed);
}

static void count(struct rp_worker *worker)
{
    atomic_fetch_add_explicit(&worker->load, 1, memory_order_relaxed);
}

void rp_balance_uncount(struct rp_worker *worker)
{
    atomic_fetch_sub_explicit(&worker->load, 1, memory_order_relaxed);
}

static void set_open(struct rp_worker *worker, bool open)
{
    uv_mutex_lock(&worker->wake_lock);
    worker->inbox.open = open;
    uv_mutex_unlock(&worker->wake_lock);
}

void rp_balance_join(struct rp_worker *worker)
{
    set_open(worker, true);
}

void rp_balance_part(struct rp_worker *worker)
{
    set_open(worker, false);
    rp_balance_collect(worker);
}

void rp_balance_collect(struct rp_worker *worker)
{
    struct rp_arrival arrivals[RP_INBOX_MAX];
    uv_mutex_lock(&worker->wake_lock);
    unsigned arrived = rp_inbox_take(&worker->inbox, arrivals);
    uv_mutex_unlock(&worker->wake_lock);
    for (unsigned i = 0; i < arrived; i++) rp_acceptor_serve(worker, arrivals[i].fd, &arrivals[i].peer);
}

/* The others in turn. */
static struct rp_worker *next_other(struct rp_worker *worker)
{
    const struct rp_service *service = worker->service;
    if (service->worker_count < 2) return NULL;
    worker->compared = (worker->compared + 1) % service->worker_count;
    if (worker->compared == worker->number) worker->compared = (worker->compared + 1) % service->worker_count;
    return &service->workers[worker->compared];
}

/* An open inbox means that the worker has not begun to drain: it can be woken. */
static bool send_to(struct rp_worker *other, int fd, const struct sockaddr_storage *peer, uint64_t now_ms)
{
    uv_mutex_lock(&other->wake_lock);
    bool taken = rp_inbox_put(&other->inbox, fd, peer, now_ms);
    if (taken) {
        count(other);
        uv_async_send(&other->wake);
    }
    uv_mutex_unlock(&other->wake_lock);
    return taken;
}

bool rp_balance_hand_over(struct rp_worker *worker, int fd, const struct sockaddr_storage *peer)
{
    struct rp_worker *other = worker->draining ? NULL : next_other(worker);
    if (other && rp_balance_hands_over(load_of(worker) + 1, load_of(other)) &&
        send_to(other, fd, peer, rp_worker_now_ms(worker)))
        return true;
    count(worker);
    return false;
}
