/* What a supervisor hands over to the program that it is replaced by, in the same process: all that the state
 * (pure/state.h) does not hold because it means nothing to another process. Descriptors, clients, figures.
 *
 * A decoded handoff owns its document, its lists and its state (rpctl_handoff_done); one to be encoded
 * borrows everything. Pure. The form is private to rpctl: one line of JSON with a version, then the state.
 * Every member must be there. */
#ifndef RPCTL_HANDOFF_H
#define RPCTL_HANDOFF_H

#include "pure/state.h"

#include <jansson.h>
#include <rp/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef RPCTL_HANDOFF_VERSION
#define RPCTL_HANDOFF_VERSION 2
#endif
#define RPCTL_HANDOFF_BYTES_MAX      (16u << 20)
#define RPCTL_HANDOFF_CLIENTS_MAX    256
#define RPCTL_HANDOFF_OPERATIONS_MAX 256
#define RPCTL_HANDOFF_LOGS_MAX       64

/* One for each generation of the state. */
struct rpctl_handoff_generation {
    unsigned number;
    int log_fd; /* -1 = none */
    bool taken_over;
    int64_t leaving_since_ms; /* wall clock */
    unsigned quiesce_left;
    bool had_to_be_killed;
    const char *crash;
};

/* One for each instance of each generation. */
struct rpctl_handoff_instance {
    unsigned generation;
    unsigned number;
    int64_t pid; /* also of one that has ended */
    int pidfd;   /* -1: it does not run */
    bool is_child;
    int exit_status;
    bool exit_unknown, notifies, handed_over, said_ready, found, told, killed;
    const char *unfit;
    const char *status;
    int64_t next_try_ms;            /* wall clock, of the launch that is due; 0 = none */
    uint64_t launched_ms, clear_ns; /* monotonic */
    uint64_t ended;                 /* clock ticks since boot */
};

struct rpctl_handoff_operation {
    const char *kind;
    unsigned from, to;
    const char *release;
    json_t *policy; /* settings */
    int64_t since_s;
    uint64_t begun_ns; /* monotonic, as are all of the kind */
    int64_t by_uid, by_pid;
    json_t *events;    /* or NULL */
    const char *phase; /* "" = none */
    uint64_t phase_begun_ns;
    unsigned phase_total_ms;
    unsigned leaving; /* the generation whose drain is its own; 0 = none */
    bool draining;
    bool witnessed; /* the figures are there, and go on */
    unsigned long requests, failed;
    uint64_t slowest_ns;
    const char *first_failure;
};

enum rpctl_handoff_role {
    RPCTL_HANDOFF_ASKS,    /* has not sent its whole request */
    RPCTL_HANDOFF_FOLLOWS, /* an operation */
    RPCTL_HANDOFF_WATCHES,
    RPCTL_HANDOFF_FINISHES, /* gets the rest of its answer */
    RPCTL_HANDOFF_ROLE_COUNT
};

struct rpctl_handoff_client {
    int fd;
    unsigned role;
    unsigned operation; /* index, of one that follows */
    const char *input;  /* what it has sent of its request */
    const char *output; /* what was not sent to it yet */
};

/* A log that is relayed, and how far. */
struct rpctl_handoff_log {
    unsigned generation;
    int fd;
    int64_t offset;
};

struct rpctl_handoff {
    const char *version; /* of the rpctl that writes it */
    const char *program; /* path of rpctl */
    const char *name;
    const char *dir; /* absolute path of DIR/NAME */
    int dir_fd, log_dir_fd, lock_fd, notify_fd, instances_fd, control_fd;
    bool foreground, json, quiet;
    const char *binary; /* of the first release */
    const char *const *args;
    const char *const *env;
    unsigned steered;    /* generation that all traffic is steered to; 0 = nothing is */
    json_t *last_result; /* or NULL */
    const char *plain_result;
    int64_t last_result_s;
    const struct rpctl_handoff_generation *generations;
    size_t generation_count;
    const struct rpctl_handoff_instance *instances;
    size_t instance_count;
    const struct rpctl_handoff_operation *operations; /* newest first */
    size_t operation_count;
    const struct rpctl_handoff_client *clients;
    size_t client_count;
    const struct rpctl_handoff_log *logs;
    size_t log_count;
    struct rpctl_state state; /* with descriptors in its groups; not encoded, but appended */
    json_t *document;         /* of a decoded one; else NULL */
};

/* `state`, of `state_length` bytes, is what rpctl_state_encode has written. -ENOMEM, -E2BIG. The caller frees
 * *ret_text. */
int rpctl_handoff_encode(const struct rpctl_handoff *handoff, const char *state, size_t state_length,
                         char **ret_text, size_t *ret_length, struct rp_error *error);

/* -EPROTONOSUPPORT: of another version, which the message names; -EPROTO: what is wrong with it; -ENOMEM. On
 * an error *ret_handoff is untouched. */
int rpctl_handoff_decode(struct rpctl_handoff *ret_handoff, const char *text, size_t length,
                         struct rp_error *error);

/* Idempotent. */
void rpctl_handoff_done(struct rpctl_handoff *handoff);

/* Every descriptor that it names, with room for one more behind them; the caller frees. NULL when memory is
 * short. */
int *rpctl_handoff_fds(const struct rpctl_handoff *handoff, size_t *ret_count);

/* NULL when there is none. */
const struct rpctl_handoff_generation *rpctl_handoff_generation(const struct rpctl_handoff *handoff,
                                                                unsigned number);
const struct rpctl_handoff_instance *rpctl_handoff_instance(const struct rpctl_handoff *handoff,
                                                            unsigned generation, unsigned number);

#endif
