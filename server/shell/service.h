/* What all workers share: filled before the first one starts, read by all, changed by none; but for the
 * counts of connections (shell/admission.h), and what of a worker is for the others (shell/balance.h). */
#ifndef RP_SHELL_SERVICE_H
#define RP_SHELL_SERVICE_H

#include "pure/buffer.h"
#include "pure/drain_policy.h"
#include "pure/http_adapter.h"
#include "pure/routes.h"

#include <rp/server.h>

struct rp_pool;
struct rp_worker;

#define RP_SERVICE_HEADER_BYTES 4096 /* of all rp_server_header */
#define RP_SERVICE_LOG_BYTES    512

struct rp_admission;

struct rp_service {
    struct rp_server_limits limits;
    struct rp_http_limits http;
    struct rp_routes routes;
    struct rp_buffer headers; /* on every response */
    struct rp_drain_policy drain;
    struct rp_pool *pool;
    struct rp_server_hooks hooks;
    void *hooks_user;
    struct rp_admission *admission;
    struct rp_worker *workers; /* all of them */
    unsigned worker_count;
    void (*log)(const char *line, void *user);
    void *log_user;
};

/* Any thread. */
void rp_service_log(const struct rp_service *service, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
