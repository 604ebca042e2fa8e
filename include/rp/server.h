/* An HTTP/1.1 server whose releases can be upgraded without losing a connection.
 *
 * Owns the worker threads, their event loops, the listening sockets and every connection. Does not own what
 * the `user` pointers of handlers, hooks and log point to: that must outlive the server. All functions: on
 * one thread at a time, except rp_server_stop. One thread (the caller's) handles signals and the lifecycle;
 * each worker thread has a loop and listeners of its own, so that a request never meets a lock or another
 * thread, unless its handler sends work to the threads for blocking work (rp_request_work). The kernel
 * spreads new connections over the listeners by a hash; a worker that has got clearly more than another hands
 * over what it accepts, so a connection stays with one worker from its first request on, and all have about
 * as many.
 *
 *   rp_server_new -> rp_server_route… -> rp_server_run (blocks until the drain is over) -> rp_server_free
 *
 * SIGTERM (and SIGINT, when not under rpctl) begins the drain: accept queues are emptied, listeners closed,
 * requests in progress finished; responses say `Connection: close`, where the client has sent more requests
 * already the last of them does; idle connections stay for the idle grace, so that a request on its way is
 * answered; at the drain deadline the rest is cut and counted. A second such signal ends the process at once
 * with exit status 128 + signal. SIGPIPE is ignored from rp_server_run on. */
#ifndef RP_SERVER_H
#define RP_SERVER_H

#include <rp/address.h>
#include <rp/error.h>
#include <rp/lifecycle.h>
#include <rp/request.h>
#include <rp/response.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RP_HEAD_BYTES_DEFAULT        16384u /* request line and headers; beyond: 431 */
#define RP_HEAD_BYTES_MAX            65536u
#define RP_TARGET_BYTES_DEFAULT      8192u      /* the request target; beyond: 414 */
#define RP_BODY_BYTES_DEFAULT        (1u << 20) /* a body collected for its handler; beyond: 413 */
#define RP_BODY_BYTES_UNLIMITED      UINT64_MAX
#define RP_IDLE_TIMEOUT_MS_DEFAULT   60000u  /* no request begun */
#define RP_HEAD_TIMEOUT_MS_DEFAULT   10000u  /* from a request's first byte to the end of its head */
#define RP_BODY_TIMEOUT_MS_DEFAULT   30000u  /* between two pieces of a request body */
#define RP_WRITE_TIMEOUT_MS_DEFAULT  30000u  /* the client takes nothing of a response */
#define RP_LINGER_TIMEOUT_MS_DEFAULT 1000u   /* after our FIN, the client sends nothing and not its own */
#define RP_LINGER_MAX_MS_DEFAULT     30000u  /* after our FIN, whatever the client sends */
#define RP_CONNECTIONS_DEFAULT       100000u /* of all workers together; beyond: 503 and close */
/* Connections of one IPv4 address or one IPv6 /64; beyond: 503 and close. No limit by default, for a proxy or
 * a NAT is one address and stands for many clients. */
#define RP_ADDRESS_CONNECTIONS_DEFAULT 0u
#define RP_POOL_THREADS_DEFAULT        4u /* for blocking work (rp_request_work), of all workers together */
#define RP_POOL_THREADS_MAX            128u
#define RP_WORKER_JOBS_DEFAULT         1024u /* such work under way, per worker; beyond: -EAGAIN */
#define RP_WORKERS_AUTO                0u    /* one per CPU this process may use */
#define RP_WORKERS_AUTO_MAX            64u
#define RP_WORKERS_MAX                 128u
#define RP_MS_UNSET                    UINT32_MAX /* not set by the program: the contract or the default */
#define RP_MS_MAX                      86400000u  /* one day: the longest of all times here */

struct rp_server_limits {
    size_t head_bytes;
    size_t target_bytes;
    uint64_t body_bytes; /* for rp_server_route; rp_server_route_streaming has one per route */
    uint32_t idle_timeout_ms;
    uint32_t head_timeout_ms;
    uint32_t body_timeout_ms;
    uint32_t write_timeout_ms;
    uint32_t linger_timeout_ms;
    uint32_t linger_max_ms;
    uint32_t connections;
    uint32_t connections_per_address; /* 0: no limit */
    uint32_t jobs_per_worker;         /* rp_request_work: waiting for a thread and running ones together */
};

struct rp_server_config {
    const struct rp_address *addresses; /* copied by rp_server_new */
    size_t address_count;
    const char *listen; /* the same as text, separated by single blanks (rp/address.h), and instead of it: one
                           of the two must be given. Read by rp_server_new only */
    unsigned workers;   /* RP_WORKERS_AUTO or 1…RP_WORKERS_MAX */
    unsigned pool_threads; /* for rp_request_work; 0: none, and it gives -ENOTSUP */
    int backlog;           /* of each listener; cut by net.core.somaxconn */
    /* Time from SIGTERM to the cut. Under rpctl its own deadline less a second counts instead, so that what
     * is cut is cut, counted and reported by the server itself. */
    uint32_t drain_timeout_ms;
    uint32_t idle_grace_ms; /* RP_MS_UNSET: what rpctl says, else RP_IDLE_GRACE_MS_DEFAULT */
    struct rp_server_limits limits;
    /* One line of key=value pairs without newline, beginning with event=. May be NULL. Called on any thread
     * of the server, also on two at a time. What clients can cause is rate-limited. */
    void (*log)(const char *line, void *user);
    void *log_user;
};

struct rp_server;
struct uv_loop_s;

/* Answers a request: now, before it returns, or later (see rp/response.h). Runs on a worker's thread, on
 * several at a time for different requests; must not block. */
typedef void rp_handler(struct rp_request *request, void *user);

/* What a program does at the turning points of its server. Each may be NULL; `user` is that of
 * rp_server_set_hooks. The server's thread is the one that has called rp_server_run.
 *
 *   start -> listening -> worker_start, of each worker -> ready -> drain -> worker_exit -> exit */
struct rp_server_hooks {
    /* Server's thread, before it listens. A negative errno ends rp_server_run with it, and no other hook is
     * called. */
    int (*start)(void *user, struct rp_error *error);

    /* The worker's thread, several at a time, before readiness is told. Workers are numbered from 0. What is
     * left in *ret_state (NULL before) is what rp_request_worker_state returns on this worker; no other
     * thread sees it. `loop` is the worker's (libuv): the program may open handles on it, to which
     * worker_exit must put an end. A negative errno ends rp_server_run with it: such a worker has no
     * worker_exit, and closes here what it has opened. */
    int (*worker_start)(unsigned worker, struct uv_loop_s *loop, void **ret_state, void *user,
                        struct rp_error *error);

    /* Server's thread: the drain begins. The listeners are still open and wait for this to return, so it must
     * not block. Not called when the start has failed. */
    void (*drain)(void *user);

    /* The worker's thread, after its last request has ended. Frees the state; uv_close on its handles is
     * enough, for the loop runs on until they are closed. */
    void (*worker_exit)(unsigned worker, void *state, void *user);

    /* Server's thread, after every worker has ended. Called whenever `start` has succeeded. */
    void (*exit)(void *user);
};

/* Every default, and no address. */
void rp_server_config_init(struct rp_server_config *config);

/* Reads the environment of the process contract. The server does not listen yet; it is the caller's, for
 * rp_server_free. Copies all of the configuration. -EINVAL for a value out of range or a malformed variable,
 * naming it; -ENOMEM, -EMFILE and the like; then *ret_server is untouched. */
int rp_server_new(struct rp_server **ret_server, const struct rp_server_config *config,
                  struct rp_error *error);

/* The server must not be running. NULL is fine. */
void rp_server_free(struct rp_server *server);

/* Who this process is under rpctl. Valid as long as the server. */
const struct rp_identity *rp_server_identity(const struct rp_server *server);

/* Adds a handler for a path and the given methods ("GET", "PUT,POST"); GET answers HEAD too. The body is
 * collected first (rp_request_body). Server's thread, only before rp_server_run; `path` is copied, `user` is
 * handed to the handler and stays the caller's.
 *
 *   "/users/me"        that path; escapes are decoded on both sides before they are compared, so that
 *                      "/%75sers/me" is the same path. "/a" and "/a/" are two paths
 *   "/users/{id}"      one segment that is not empty (rp_request_parameter). Paths are cut at each '/' before
 *                      anything is decoded: "%2F" is no border
 *   "/files/{path...}" all that is left, slashes and all, or nothing; at the end only
 *
 * At every segment, from the left, text goes before a parameter, and a parameter before a tail; of the routes
 * that take the path the first one that has the method answers, in whatever order they were added. A path
 * that only routes with other methods take gets 405 with all their methods in `Allow`, any other path 404.
 * `GET /healthz` answers "ok" unless the program adds its own for this very path.
 *
 * -EINVAL: bad path or unknown method; -EEXIST: there is one that takes the same paths and one of the methods
 * (the names of parameters make no difference); -ENOSPC: more than 1024; -ENOMEM. */
int rp_server_route(struct rp_server *server, const char *methods, const char *path, rp_handler *handler,
                    void *user, struct rp_error *error);

/* As above, but the handler is called when the head is there, and gets the body piece by piece
 * (rp_request_watch). A body of more than `max_body_bytes` (RP_BODY_BYTES_UNLIMITED: none) is answered with
 * 413. */
int rp_server_route_streaming(struct rp_server *server, const char *methods, const char *path,
                              uint64_t max_body_bytes, rp_handler *handler, void *user,
                              struct rp_error *error);

/* Copies the hooks; `user` stays the caller's. Server's thread, only before rp_server_run; a second call
 * replaces the first. */
void rp_server_set_hooks(struct rp_server *server, const struct rp_server_hooks *hooks, void *user);

/* Adds a header to every response, also those the server makes itself. Only before rp_server_run. -EINVAL:
 * not a header name, a control character in the value, or a header that the server sets itself; -ENOBUFS:
 * more than 4096 bytes in all; -ENOMEM. Both texts are copied. */
int rp_server_header(struct rp_server *server, const char *name, const char *value, struct rp_error *error);

/* Listens, starts the workers, reports readiness, and serves until the drain is over: then 0. On an error
 * nothing is left running: those of rp_lifecycle_listen and rp_lifecycle_ready, of a hook, and -ENOMEM,
 * -EMFILE, -EAGAIN for threads and loops. Once per server. Afterwards SIGTERM (and SIGINT, when not under
 * rpctl) stays blocked on this thread, so that a late one does not make a kill of a clean end. */
int rp_server_run(struct rp_server *server, struct rp_error *error);

/* Begins the drain, like SIGTERM; again: cuts what is left at once. From any thread, also before
 * rp_server_run, as long as the server exists. */
void rp_server_stop(struct rp_server *server);

#ifdef __cplusplus
}
#endif

#endif
