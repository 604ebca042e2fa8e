/* One start, upgrade, restart or stop: what is told about it, and to whom.
 *
 * Owns the list of clients that follow it, the phase under way and, at the end, the result. Decides nothing;
 * the events are those of rpctl-protocol(7). */
#ifndef RPCTL_OPERATION_H
#define RPCTL_OPERATION_H

#include "pure/policy.h"
#include "shell/control_server.h"
#include "shell/witness.h"
#include <jansson.h>
#include <stdint.h>

#define RPCTL_OPERATION_DETAIL_BYTES 320
#define RPCTL_OPERATION_PROGRESS_MS  100
#define RPCTL_OPERATION_EVENTS_MAX   64

struct rpctl_service;

struct rpctl_operation {
    struct rpctl_operation *next;
    struct rpctl_service *service;
    const char *kind;  /* "start", "upgrade", "restart", "stop" */
    unsigned from, to; /* generations, 0 = none */
    char release[256];
    struct rpctl_policy policy;
    int64_t since_s;     /* wall clock */
    uint64_t begun_ns;   /* monotonic */
    long by_uid, by_pid; /* who asked; -1 = the supervisor's own start */

    json_t *events; /* what a client that comes later has missed: ends of phases, warnings; bounded */

    const char *phase; /* under way, or NULL */
    uint64_t phase_begun_ns;
    unsigned phase_total_ms; /* for the progress; 0 = unknown */

    int exit; /* so far */
    char reason[RPCTL_OPERATION_DETAIL_BYTES];
    json_t *more; /* further members of the result, or NULL */
    json_t *log;  /* the new release's last lines, or NULL */
    unsigned long finished, cut;
    bool drained; /* the two figures above are there */
    bool aborted;
    bool refused;  /* by the checks before launch */
    bool draining; /* its rollout is over, its old generation is not gone yet */
    bool ended;    /* the result was sent, or waits for the witness only */
    struct rpctl_witness *witness;

    struct rpctl_control_client *followers[RPCTL_CONTROL_CLIENTS_MAX];
    size_t follower_count;
};

/* In the service's list from now on. NULL when memory is short. */
struct rpctl_operation *rpctl_operation_new(struct rpctl_service *service, const char *kind,
                                            const struct rpctl_policy *policy);
void rpctl_operation_free(struct rpctl_operation *operation);

void rpctl_operation_follow(struct rpctl_operation *operation, struct rpctl_control_client *client);
void rpctl_operation_forget(struct rpctl_operation *operation, const struct rpctl_control_client *client);

/* The heading. */
void rpctl_operation_announce(struct rpctl_operation *operation);

/* Ends the phase under way, if any, and begins this one. `total_ms` 0: unknown. */
void rpctl_operation_begin(struct rpctl_operation *operation, const char *phase, unsigned total_ms);

/* Ends the phase under way with its detail; `more` (stolen, may be NULL) are further members. */
void rpctl_operation_end(struct rpctl_operation *operation, json_t *more, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* … with failure: the reason stays for the result. The first reason is kept. Also without a phase under way.
 */
void rpctl_operation_fail(struct rpctl_operation *operation, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Time has passed in the phase under way. */
void rpctl_operation_progress(struct rpctl_operation *operation);

/* Something to look at that does not stop the operation. */
void rpctl_operation_warn(struct rpctl_operation *operation, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Waits for the witness, sends the result to all followers, remembers it as the service's last one, frees the
 * operation and tells the service (rpctl_service_on_operation_over). */
void rpctl_operation_finish(struct rpctl_operation *operation, int exit_code);

/* How long the phase under way has taken. */
double rpctl_operation_phase_ms(const struct rpctl_operation *operation);

/* "upgrade 1 -> 2 (bake) is under way since 2026-01-31T12:00:00Z, asked for by uid 0, pid 4711" */
void rpctl_operation_describe(const struct rpctl_operation *operation, char *text, size_t bytes);

#endif
