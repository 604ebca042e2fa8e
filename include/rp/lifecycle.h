/* The contract between a release and the supervisor: who am I, here are my listeners, I am ready, I am
 * stopping. For servers built on rp/server.h this is done already; it is here for programs with a protocol of
 * their own.
 *
 * Owns one datagram socket when run under a supervisor. Without one (no NOTIFY_SOCKET) rp_lifecycle_listen
 * listens, and every other call succeeds and does nothing, so programs need no second path. Works under
 * systemd too (sd_notify(3), the same protocol). Not thread-safe: use it from one thread. Reads the
 * environment once, in rp_lifecycle_new.
 *
 * A supervisor may be killed, and another one started in its place. So that this one can take the process
 * over, there is a link to the supervisor (RP_SOCKET, set by rpctl): a connection whose end tells that the
 * supervisor is gone. The process serves on; rp_lifecycle_dispatch connects to the new one and tells it all
 * anew. For that the lifecycle owns the connection, a timer, an epoll descriptor, and a duplicate of every
 * listener until the drain. */
#ifndef RP_LIFECYCLE_H
#define RP_LIFECYCLE_H

#include <rp/error.h>
#include <rp/listener.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RP_DRAIN_TIMEOUT_MS_DEFAULT 30000
#define RP_IDLE_GRACE_MS_DEFAULT    2000

struct rp_lifecycle;

struct rp_identity {
    bool supervised;           /* under rpctl: RP_SERVICE is set */
    const char *service;       /* RP_SERVICE, or "" */
    unsigned generation;       /* RP_GENERATION, or 0 */
    unsigned instance;         /* RP_INSTANCE, or 0 */
    unsigned drain_timeout_ms; /* RP_DRAIN_TIMEOUT_MS, the supervisor's deadline after SIGTERM; 0 = not given,
                                  and a given 0 is 1 here */
    unsigned idle_grace_ms;    /* RP_IDLE_GRACE_MS; the same */
    const struct rp_address *expected; /* RP_LISTEN: the addresses of the old generation */
    size_t expected_count;
    bool allow_drop; /* RP_ALLOW_DROP=1: an address of the old generation may be missing */
};

/* -EINVAL, -E2BIG or -ENAMETOOLONG when a variable of the contract is malformed: the message quotes it; or
 * -EMFILE and the like. Makes the link, if there is somebody to be linked to, but tells nothing yet. */
int rp_lifecycle_new(struct rp_lifecycle **ret_lifecycle, struct rp_error *error);
void rp_lifecycle_free(struct rp_lifecycle *lifecycle); /* NULL is fine */

/* Valid as long as the lifecycle. */
const struct rp_identity *rp_lifecycle_identity(const struct rp_lifecycle *lifecycle);

/* rp_listeners_bind, the check against RP_LISTEN, rp_listeners_listen, and, under rpctl, the listeners sent
 * to the supervisor in that order (FDSTORE=1), so that it can steer and close them. Before the first listen()
 * it hears X_RP_STARTING=1, so that it waits for rp_lifecycle_ready. The one call most need.
 * Errors of those three; under rpctl -EADDRINUSE where a process that is not of the service listens on an
 * address that the old generation has not: it would lose connections to this one; what sending said: may
 * wait, up to 5 s, for the supervisor to be there and make room; or, with RP_SOCKET, of keeping the
 * duplicates: -EMFILE, and -E2BIG for more than RP_LISTENERS_MAX in all calls together. On error nothing
 * stays open. */
int rp_lifecycle_listen(struct rp_lifecycle *lifecycle, struct rp_listeners *ret_listeners,
                        const struct rp_address *addresses, size_t count, unsigned per_address, int backlog,
                        struct rp_error *error);

/* READY=1: every listener is served from now on. `health` tells rpctl how `--health auto` shall probe this
 * process: "http:/healthz", or "tcp" or NULL for a TCP connect. May wait, up to 5 s, for the supervisor to be
 * there and make room; an error when it does not. -EINVAL for another `health`. */
int rp_lifecycle_ready(struct rp_lifecycle *lifecycle, const char *health, struct rp_error *error);

/* STATUS=text: one line of at most 255 bytes; control characters become blanks. Never blocks; dropped when
 * the supervisor is not reading. */
void rp_lifecycle_status(struct rp_lifecycle *lifecycle, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The drain has begun, and some listeners of this process are still open: closes the lifecycle's own
 * duplicates, for a duplicate keeps the queue of a closed listener alive, and whoever comes into it waits for
 * nobody. For programs in which several threads close listeners, each in its time: call it before the first
 * of them does. A new supervisor is told nothing between this and rp_lifecycle_stopping. Idempotent. */
void rp_lifecycle_draining(struct rp_lifecycle *lifecycle);

/* STOPPING=1: the drain has begun, and the listeners of this process are closed now, also the lifecycle's own
 * duplicates. Never blocks; without room at the supervisor rp_lifecycle_dispatch tries again. */
void rp_lifecycle_stopping(struct rp_lifecycle *lifecycle);

/* The drain is over: how many connections finished by themselves, how many were cut at the deadline
 * (X_RP_FINISHED, X_RP_CUT). Never blocks. */
void rp_lifecycle_drained(struct rp_lifecycle *lifecycle, unsigned long finished, unsigned long cut);

/* For programs with a loop of their own: a descriptor that is readable (POLLIN) whenever
 * rp_lifecycle_dispatch has something to do; -1 when RP_SOCKET is not set. The lifecycle's own, and the same
 * one as long as it lives; only to be polled. A program that does not care serves as well, but a supervisor
 * that was killed cannot get its listeners back from it. */
int rp_lifecycle_fd(const struct rp_lifecycle *lifecycle);

/* Sees that the link has ended; tries to make it anew, every 250 ms; tells a supervisor that is new what was
 * told the old one: FDSTORE=1 with the listeners, then READY=1 with the health check or STOPPING=1. Never
 * blocks; what finds no room is told at the next turn. Has no errors: the program serves on whatever happens
 * to the supervisor. Harmless when there is nothing to do. */
void rp_lifecycle_dispatch(struct rp_lifecycle *lifecycle);

#ifdef __cplusplus
}
#endif

#endif
