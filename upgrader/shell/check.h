/* One request to a server, and what came of it: a health check, a probe, a witness's request.
 *
 * Owns its connection and its timer from start to callback. Runs on the loop's thread. */
#ifndef RPCTL_CHECK_H
#define RPCTL_CHECK_H

#include "pure/policy.h"
#include <rp/address.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define RPCTL_CHECK_ANSWER_MAX 65536 /* bytes read of one answer; a longer one is judged by what was seen */
#define RPCTL_CHECK_TEXT_BYTES 160

struct rpctl_check;

struct rpctl_check_request {
    struct rp_address target; /* a wildcard is connected by the loopback of its family */
    int bound_fd;             /* -1, or a bound, unconnected socket of that family; taken over in any case */
    enum rpctl_health_kind kind; /* RPCTL_HEALTH_HTTP: GET path; RPCTL_HEALTH_TCP: connect; no other */
    const char *path;            /* of HTTP: begins with '/'; only needed during rpctl_check_start */
    unsigned timeout_ms;         /* for all of it */
};

struct rpctl_check_result {
    bool good;      /* connected (TCP); a whole 2xx answer (HTTP) */
    int error;      /* 0 when an answer came, or -errno: -ECONNREFUSED, -ECONNRESET, -ETIMEDOUT (no answer
                       in time), -EPROTO (garbage), -ENODATA (closed without a whole answer), -ECANCELED, … */
    bool no_socket; /* this process could open none (EMFILE, ENFILE, …): nothing is said of the server */
    int status;     /* HTTP status, 0 = none */
    uint64_t latency_ns;               /* from start to the last byte of the answer, or to the failure */
    char text[RPCTL_CHECK_TEXT_BYTES]; /* "GET /healthz 200", "connection refused", "no answer in 2 s" */
};

/* `result` is valid during the call only. */
typedef void rpctl_check_cb(const struct rpctl_check_result *result, void *data);

/* Begins. When 0 is returned, the callback fires exactly once, on a later turn of the loop, when nothing of
 * the check is on the loop any more; *ret_check (may be NULL) is valid until then. Else -ENOMEM: no callback.
 * SIGPIPE is ignored in the process from then on. */
int rpctl_check_start(uv_loop_t *loop, const struct rpctl_check_request *request, rpctl_check_cb *callback,
                      void *data, struct rpctl_check **ret_check);

/* Ends it early: the callback fires with -ECANCELED on a later turn, or with the result when it was there
 * already. Idempotent until the callback. */
void rpctl_check_cancel(struct rpctl_check *check);

#endif
