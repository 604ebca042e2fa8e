/* The contract between a release and the supervisor: who am I, here are my listeners, I am ready, I am
 * stopping. For servers built on rp/server.h this is done already; it is here for programs with a protocol of
 * their own.
 *
 * Owns one datagram socket when run under a supervisor. Without one (no NOTIFY_SOCKET) every call succeeds
 * and does nothing, so programs need no second path. Works under systemd too (sd_notify(3), the same
 * protocol). Not thread-safe: use it from one thread. Reads the environment once, in rp_lifecycle_new. */
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

/* -EINVAL, -E2BIG or -ENAMETOOLONG when a variable of the contract is malformed: the message quotes it. Does
 * not talk to the supervisor yet. */
int rp_lifecycle_new(struct rp_lifecycle **ret_lifecycle, struct rp_error *error);
void rp_lifecycle_free(struct rp_lifecycle *lifecycle); /* NULL is fine */

/* Valid as long as the lifecycle. */
const struct rp_identity *rp_lifecycle_identity(const struct rp_lifecycle *lifecycle);

/* rp_listeners_bind, the check against RP_LISTEN, rp_listeners_listen, and, under rpctl, the listeners sent
 * to the supervisor in that order (FDSTORE=1), so that it can steer and close them. Before the first listen()
 * it hears X_RP_STARTING=1, so that it waits for rp_lifecycle_ready. The one call most need.
 * Errors of those three; or what sending said: may wait, up to 5 s, for the supervisor to be there and make
 * room. On error nothing stays open. */
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

/* STOPPING=1: the drain has begun, no listener of this process is open any more. Never blocks. */
void rp_lifecycle_stopping(struct rp_lifecycle *lifecycle);

/* The drain is over: how many connections finished by themselves, how many were cut at the deadline
 * (X_RP_FINISHED, X_RP_CUT). Never blocks. */
void rp_lifecycle_drained(struct rp_lifecycle *lifecycle, unsigned long finished, unsigned long cut);

#ifdef __cplusplus
}
#endif

#endif
