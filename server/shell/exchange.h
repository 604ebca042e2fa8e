/* One request and its response, as the connection sees it. The handlers' side of the same struct is
 * rp/request.h and rp/response.h.
 *
 *   begin --route found--> [body…] --> handler --> response begun --> response done --> over --> finish
 *     '--no route, or refused--> response done ---(rest of the body is discarded)-------^
 *
 * The connection owns the request; rp_exchange_finish and nothing else gives it back to the worker's pool.
 * While work of the request is under way (shell/request_work.h) it stays behind its end, and no other begins.
 */
#ifndef RP_SHELL_EXCHANGE_H
#define RP_SHELL_EXCHANGE_H

#include "pure/buffer.h"
#include "pure/http_adapter.h"
#include "pure/response_head.h"
#include "pure/routes.h"

#include <rp/request.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rp_connection;
struct rp_request_timer;
struct rp_request_work;

/* A body that nobody wants is read to its end if no more than this is left, to keep the connection. */
#define RP_DISCARD_BYTES_MAX 65536

struct rp_header {
    const char *name;
    const char *value;
};

struct rp_request {
    size_t block_bytes;            /* of this struct, the headers and the head; the pool's */
    struct rp_request *next_spare; /* when it is over; the pool's */

    struct rp_connection *connection;
    const struct rp_route *route; /* NULL when there is none */

    unsigned method;
    unsigned minor;
    bool keep_alive;
    bool head_only; /* HEAD */
    const char *path;
    const char *query;
    struct rp_header *headers;
    size_t header_count;

    struct rp_buffer body; /* collected, unless the route streams */
    uint64_t body_bytes;   /* come so far */
    uint64_t length;       /* Content-Length, or UINT64_MAX when chunked */
    uint64_t discarded;
    bool expects_continue; /* and has not got it */
    bool body_ended;
    bool body_paused;

    bool begun;   /* the response's head is written */
    bool done;    /* the response is complete */
    bool close;   /* the connection ends with this response */
    bool aborted; /* and is not whole */
    struct rp_response_plan plan;
    uint64_t left; /* announced and not written yet */
    struct rp_buffer own_headers;
    size_t turn_bytes; /* written since the loop had a turn */
    bool wants_writable;

    const struct rp_request_events *events;
    void *state;
    struct rp_request_timer *timer;
    struct rp_request_work *work; /* under way on another thread: the request stays until it is over */
    bool complete;                /* it was finished as that before the work was over */
    bool over;                    /* `ended` is being told: nothing can be started for it any more */
};

/* ---- for the connection, from its parse loop ---- */

/* A head has come: finds the route and calls a streaming handler, or answers why not. */
void rp_exchange_begin(struct rp_connection *connection, const struct rp_http_event *event,
                       const struct rp_http_head *head);
void rp_exchange_body(struct rp_connection *connection, const char *bytes, size_t length);
void rp_exchange_body_end(struct rp_connection *connection);

/* What came is no request (RP_HTTP_BAD): answers it, if that is still possible, and ends the connection. */
void rp_exchange_refuse(struct rp_connection *connection, const struct rp_http_event *event);

/* The client took too long: 408 if nothing was answered yet; ends the connection. */
void rp_exchange_timeout(struct rp_connection *connection);

/* The socket takes bytes: calls `writable` if it was asked for. */
void rp_exchange_writable(struct rp_request *request);

bool rp_exchange_over(const struct rp_request *request);
bool rp_exchange_answered(const struct rp_request *request);
bool rp_exchange_aborted(const struct rp_request *request);
bool rp_exchange_closes(const struct rp_request *request);
bool rp_exchange_is_last(const struct rp_request *request); /* the client says so, and has sent all of it */
bool rp_exchange_wants_input(const struct rp_request *request); /* more of the body */
bool rp_exchange_paused(const struct rp_request *request);

/* Calls `ended` and lets go of the connection's request; unless its work is under way: then it is to be
 * called again. `complete`: as far as the connection knows. */
void rp_exchange_finish(struct rp_connection *connection, bool complete);

#endif
