/* What a supervisor must know of a service to go on with it: the document that it keeps on disk for the one
 * that comes after it, and hands over in a re-execution.
 *
 * A decoded state owns its document and its lists (rpctl_state_done); one to be encoded borrows everything.
 * Pure. The form is private to rpctl: a JSON object with a version. What is read was written by somebody: it
 * is checked member by member, and never trusted for whom to signal: a pid counts together with its start
 * time and the boot it belongs to. */
#ifndef RPCTL_STATE_H
#define RPCTL_STATE_H

#include "pure/drain.h"
#include "pure/generation_state.h"
#include "pure/group_model.h"
#include "pure/policy.h"
#include "pure/rollout.h"

#include <jansson.h>
#include <rp/address.h>
#include <rp/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RPCTL_STATE_VERSION         2
#define RPCTL_STATE_BYTES_MAX       (8u << 20)
#define RPCTL_STATE_GENERATIONS_MAX (RPCTL_DRAINING_MAX + 8)
#define RPCTL_STATE_GROUPS_MAX      RP_ADDRESS_LIST_MAX
#define RPCTL_STATE_TEXTS_MAX       65536 /* arguments, or environment entries */

struct rpctl_state_process {
    pid_t pid;           /* 0 = none */
    uint64_t start_time; /* clock ticks since boot */
};

struct rpctl_state_instance {
    unsigned number;
    struct rpctl_state_process process;
    enum rpctl_instance_state state;
    bool collected; /* its listeners were looked up: it does not send them, and takes none over */
    unsigned restarts;
    unsigned failures; /* of its back-off */
    int64_t since_ms;  /* wall clock */
};

struct rpctl_state_generation {
    unsigned number;
    enum rpctl_generation_state state;
    const char *binary;
    const char *const *args; /* NULL-terminated, without argv[0] */
    const char *const *env;  /* NULL-terminated */
    struct rpctl_policy policy;
    struct rpctl_health health; /* as declared, or AUTO */
    const char *unfit;          /* "" = nothing is */
    int64_t since_ms;
    uint64_t first_start_time;
    enum rpctl_drain_state drain;
    int64_t drain_deadline_ms; /* wall clock; 0 = none runs */
    unsigned long finished, cut;
    const struct rpctl_state_instance *instances;
    size_t instance_count;
};

struct rpctl_state_listener {
    uint64_t id; /* inode */
    unsigned generation;
    unsigned instance;
    int fd; /* in a re-execution; else -1 */
};

/* In the order of the kernel's array, where that is known. */
struct rpctl_state_group {
    struct rp_address address;
    unsigned device;
    bool order_known;
    const struct rpctl_state_listener *listeners;
    size_t listener_count;
};

/* The last time that a process of the generation that serves has ended unasked. */
struct rpctl_state_crash {
    unsigned long
        count; /* of all since the service was started that were seen; 0 = none, and nothing else counts */
    unsigned generation, instance;
    pid_t pid;
    const char *how;
    int64_t at_ms; /* wall clock */
    uint64_t lived_ms;
    unsigned failures; /* in a row */
    bool given_up;
};

struct rpctl_state {
    const char *boot_id; /* of /proc/sys/kernel/random/boot_id */
    const char *service;
    struct rpctl_state_process supervisor;
    int64_t since_s; /* wall clock; when the service was started */
    struct rpctl_policy policy;
    unsigned last_number;
    unsigned serving;   /* generation; 0 = none */
    unsigned candidate; /* 0 = none */
    enum rpctl_rollout_state rollout;
    const char *operation; /* "upgrade", …; "" = none is under way */
    struct rpctl_state_crash crash;
    const struct rpctl_state_generation *generations; /* newest first */
    size_t generation_count;
    const struct rpctl_state_group *groups;
    size_t group_count;
    json_t *document; /* of a decoded state; else NULL */
};

/* Writes the text, with a newline at its end. -E2BIG for more than RPCTL_STATE_BYTES_MAX, -ENOMEM. The caller
 * frees. */
int rpctl_state_encode(const struct rpctl_state *state, char **ret_text, size_t *ret_length,
                       struct rp_error *error);

/* -EPROTONOSUPPORT: of another version, which the message names; -EPROTO: torn, or no state at all: what is
 * wrong with it; -ENOMEM. On an error *ret_state is untouched. */
int rpctl_state_decode(struct rpctl_state *ret_state, const char *text, size_t length,
                       struct rp_error *error);

/* Idempotent. */
void rpctl_state_done(struct rpctl_state *state);

const struct rpctl_state_generation *rpctl_state_find(const struct rpctl_state *state, unsigned number);

#endif
