#include "shell/acceptor.h"

#include "linux/accept.h"
#include "shell/admission.h"
#include "shell/balance.h"
#include "shell/connection.h"
#include "shell/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH            64
#define DRAIN_BATCHES    1024 /* an end, even if connections come faster than they are taken */
#define RETRY_MS         100
#define COMPLAIN_EACH_MS 10000

/* Clients can cause this at will, so it is one line per interval, with a count. */
static void complain(struct rp_worker *worker, const char *reason)
{
    uint64_t now_ms = rp_worker_now_ms(worker);
    worker->shed++;
    if (worker->complained_ms != 0 && now_ms - worker->complained_ms < COMPLAIN_EACH_MS) return;
    worker->complained_ms = now_ms;
    rp_service_log(worker->service, "event=accept_trouble reason=%s refused=%lu", reason, worker->shed);
    worker->shed = 0;
}

static const char *refusal_text(int code)
{
    if (code == -ENFILE) return "connection_limit";
    return code == -EUSERS ? "address_limit" : "no_memory";
}

void rp_acceptor_serve(struct rp_worker *worker, int fd, const struct sockaddr_storage *peer)
{
    if (rp_connection_open(worker, fd, peer) < 0) complain(worker, "no_memory");
}

static void take(struct rp_worker *worker, int fd, const struct sockaddr_storage *peer)
{
    int result = rp_admission_enter(worker->service->admission, (const struct sockaddr *)peer);
    if (result < 0) {
        complain(worker, refusal_text(result));
        rp_accept_refuse(fd);
    } else if (!rp_balance_hand_over(worker, fd, peer)) {
        rp_acceptor_serve(worker, fd, peer);
    }
}

/* While the spare was given up for a moment, another thread took its place: without another one nobody could
 * be refused, and who waits in the queue would wait until somebody leaves. */
static bool regain_spare(struct rp_worker *worker)
{
    if (worker->spare_fd >= 0) return false;
    rp_worker_evict_idle(worker);
    worker->spare_fd = rp_accept_spare();
    return worker->spare_fd >= 0;
}

static enum rp_accepted accept_one(struct rp_acceptor *acceptor)
{
    struct rp_worker *worker = acceptor->worker;
    struct sockaddr_storage peer;
    int fd;
    int code = 0;
    enum rp_accepted result = rp_accept(acceptor->fd, &fd, &peer, &code);
    if (result == RP_ACCEPTED) take(worker, fd, &peer);
    if (result == RP_ACCEPT_NO_FD) {
        complain(worker, uv_err_name(-code));
        result = rp_accept_shed(acceptor->fd, &worker->spare_fd);
        if (result == RP_ACCEPT_TROUBLE && regain_spare(worker)) result = RP_ACCEPT_LOST;
    } else if (result == RP_ACCEPT_TROUBLE) {
        complain(worker, uv_err_name(-code));
    }
    return result;
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_retry(uv_timer_t *timer)
{
    struct rp_acceptor *acceptor = timer->data;
    uv_poll_start(&acceptor->poll, UV_READABLE, on_readable);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct rp_acceptor *acceptor = poll->data;
    (void)status; /* an error on the descriptor is what accept reports */
    (void)events;
    for (unsigned i = 0; i < BATCH; i++) {
        enum rp_accepted result = accept_one(acceptor);
        if (result == RP_ACCEPT_EMPTY) return;
        if (result != RP_ACCEPT_TROUBLE) continue;
        uv_poll_stop(poll);
        uv_timer_start(&acceptor->retry, on_retry, RETRY_MS, 0);
        return;
    }
}

void rp_acceptor_drain(struct rp_acceptor *acceptor)
{
    for (unsigned i = 0; i < BATCH * DRAIN_BATCHES; i++) {
        enum rp_accepted result = accept_one(acceptor);
        if (result == RP_ACCEPT_EMPTY || result == RP_ACCEPT_TROUBLE) return;
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct rp_acceptor *acceptor = handle->data;
    if (--acceptor->open_handles == 0) free(acceptor);
}

void rp_acceptor_close(struct rp_acceptor *acceptor)
{
    uv_close((uv_handle_t *)&acceptor->retry, on_handle_closed);
    if (acceptor->open_handles == 2) uv_close((uv_handle_t *)&acceptor->poll, on_handle_closed);
    close(acceptor->fd);
}

int rp_acceptor_open(struct rp_worker *worker, int fd)
{
    struct rp_acceptor *acceptor = calloc(1, sizeof *acceptor);
    if (!acceptor) {
        close(fd);
        return -ENOMEM;
    }
    acceptor->worker = worker;
    acceptor->fd = fd;
    acceptor->retry.data = acceptor;
    uv_timer_init(&worker->loop, &acceptor->retry);
    acceptor->open_handles = 1;
    rp_accept_set_nodelay(fd);
    int result = uv_poll_init(&worker->loop, &acceptor->poll, fd);
    if (result < 0) {
        rp_acceptor_close(acceptor);
        return result;
    }
    acceptor->open_handles = 2;
    acceptor->poll.data = acceptor;
    acceptor->next = worker->acceptors;
    worker->acceptors = acceptor;
    return uv_poll_start(&acceptor->poll, UV_READABLE, on_readable);
}
