/* One HTTP request, from its head to the end of its response.
 *
 * Owned by the server. A handler may use it until it has completed the response (rp_response_send or
 * rp_response_end) and, when it watches the request, until `ended` has been called: that call comes exactly
 * once, whatever way the request ends. While work of it is under way (rp_request_work) it stays in any case.
 * All functions: on the thread of the handler's call only. Nothing is copied to be looked at: strings, and
 * pointers with a length, lead into the request and live as long as it. */
#ifndef RP_REQUEST_H
#define RP_REQUEST_H

#include <rp/address.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RP_REQUEST_TIMER_MS_MAX 86400000u

struct rp_request;

/* "GET" */
const char *rp_request_method(const struct rp_request *request);
/* As sent, not decoded: "/a%20b". */
const char *rp_request_path(const struct rp_request *request);
/* What stands behind '?', not decoded; "" if nothing does. */
const char *rp_request_query(const struct rp_request *request);

/* The first header of that name (any case), or NULL. */
const char *rp_request_header(const struct rp_request *request, const char *name);

/* The header lines one after another, from index 0 on, in the order in which they came; names as sent. False
 * behind the last, and then nothing is written. For headers that may come more than once. */
bool rp_request_header_at(const struct rp_request *request, size_t index, const char **ret_name,
                          const char **ret_value);

/* What a parameter of the route's path ("{id}", "{path...}") has taken of the path, without a copy: not
 * decoded, not terminated. NULL: the route has no parameter of that name, and *ret_length is untouched. */
const char *rp_request_parameter(const struct rp_request *request, const char *name, size_t *ret_length);

/* The same, decoded (%XX, once) and terminated. A decoded '/' was "%2F" in one segment; "." and ".." are
 * handed over as they are: who makes a file name of a value must refuse them. -ENOENT: no such parameter;
 * -ENOBUFS: longer than size - 1; -EINVAL: a bad escape, or %00. On an error `value` is undefined. */
int rp_request_parameter_value(const struct rp_request *request, const char *name, char *value, size_t size);

/* The value of a query parameter (its first occurrence) without a copy: not decoded, not terminated. NULL:
 * there is none, and *ret_length is untouched. "a" and "a=" have a value of length 0. */
const char *rp_request_query_parameter(const struct rp_request *request, const char *name,
                                       size_t *ret_length);

/* The same, decoded ('+' and %XX) and terminated. Errors as rp_request_parameter_value. */
int rp_request_query_value(const struct rp_request *request, const char *name, char *value, size_t size);

/* The whole body, also when it is empty (never NULL); only for handlers added with rp_server_route. Not
 * terminated, not copied. */
const void *rp_request_body(const struct rp_request *request, size_t *ret_length);

/* The client's address; an IPv4 client of a dual-stack listener has its IPv4 address. */
void rp_request_peer(const struct rp_request *request, struct rp_address *ret_peer);

/* What worker_start has left for this worker (rp/server.h), or NULL. Only this thread uses it. */
void *rp_request_worker_state(const struct rp_request *request);

/* What a handler that does not answer at once wants to hear of. Any may be NULL. None is called from inside a
 * function of this header or of rp/response.h. */
struct rp_request_events {
    /* The next piece of the body; `bytes` only during the call. Streaming handlers only. */
    void (*body)(struct rp_request *request, const void *bytes, size_t length, void *state);
    /* The body is complete. Streaming handlers only. */
    void (*body_end)(struct rp_request *request, void *state);
    /* After RP_WRITE_WAIT: write on. */
    void (*writable)(struct rp_request *request, void *state);
    /* The request is over: `complete` if the whole response was handed to the kernel or is queued for it.
     * Free the state here; the request is invalid afterwards. No work and no timer can be started any more
     * (-ECANCELED). */
    void (*ended)(struct rp_request *request, bool complete, void *state);
};

/* `events` must outlive the request (usually static const); `state` is handed to them and stays the caller's.
 * Call it in the handler; a second call replaces the first. */
void rp_request_watch(struct rp_request *request, const struct rp_request_events *events, void *state);

/* Calls `callback` once, `delay_ms` from now, on this thread, unless the request ends before. A request has
 * one timer: a second call replaces the first. `state` is handed to the callback and stays the caller's.
 * -EINVAL: over RP_REQUEST_TIMER_MS_MAX; -ENOMEM; then a timer that was set goes on. */
int rp_request_after(struct rp_request *request, uint32_t delay_ms,
                     void (*callback)(struct rp_request *request, void *state), void *state);

/* For work that blocks (a file, a lookup, a hash of a password) or takes long: calls work(data) on a thread
 * of the server's pool, and then done(request, status, data) on this thread, exactly once. At least until
 * `done` has been called the request is valid, and all that its functions have returned; `work` may read that
 * (path, headers, collected body), but must call nothing of this header or of rp/response.h. `data` stays the
 * caller's. `status`:
 *
 *   0            the work has been done; answer now, or start more work, or do anything a handler may
 *   -ECONNRESET  the work has been done, but the client has gone meanwhile, or was cut at the drain deadline
 *   -ECANCELED   for the same reason the work has not been begun, and will not be
 *
 * With the last two there is nobody to answer; `ended` comes next, as ever. A drain waits for the answer, up
 * to its deadline; but work that is running cannot be ended, and rp_server_run returns only behind its
 * `done`.
 *
 * One at a time for each request. -EBUSY: it is under way; -EAGAIN: the worker has jobs_per_worker of them:
 * answer with 503; -ECANCELED: the client has gone, or the request is over; -ENOTSUP: pool_threads is 0;
 * -ENOMEM. Then neither is called. */
int rp_request_work(struct rp_request *request, void (*work)(void *data),
                    void (*done)(struct rp_request *request, int status, void *data), void *data);

/* Back-pressure, for streaming handlers: while paused, no `body` and no `body_end` comes, the client is not
 * read from (what came with the last piece is held), and no time runs out for it. Both idempotent. */
void rp_request_pause_body(struct rp_request *request);
void rp_request_resume_body(struct rp_request *request);

#ifdef __cplusplus
}
#endif

#endif
