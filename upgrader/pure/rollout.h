/* The decisions of one start, upgrade or restart, as a pure state machine: (state, event) -> (state,
 * actions).
 *
 *                  begin                    pinned                launched              ready (all)
 *         IDLE ------------> PINNING -----------------> LAUNCHING --------> WAITING ---------------->
 * CHECKING ^  (no old generation: straight to LAUNCHING)                                                 |
 * checked |                                                                                             v |
 * old_quiet                bake_over             shifted              proven               PROVING
 *           +------------ QUIESCING <------------- BAKING <----------- SHIFTING <-------------------------+
 *           |                 |                       |                   |       (no old one: done)
 *           |                 |  new_exited, abort    |  … or sick        |  shift_failed, …
 *           |                 v                       v                   v
 *           |                 +-------------------> UNDOING <-------------+
 *           |  new_retired                             | unshifted
 *           +------------------ RETIRING <-------------+
 *           |  new_gone
 *           +------------------ RETRACTING <--- anything that goes wrong before SHIFTING
 *
 * Up to PROVING the old generation has all traffic and only probes reach the new one; what fails there leaves
 * everything as it was. From SHIFTING to the end of QUIESCING the old generation still listens, so one
 * steering call brings all traffic back. When the old accept queues are empty the old generation may be told
 * to stop; its drain is a machine of its own (pure/drain.h), and this one is IDLE again: the next upgrade may
 * begin.
 *
 * Should the old generation die after the shift, there is no way back while nobody of it is there: an abort
 * does nothing, a process of the new one that ends is missed, and a new one that answers badly is better than
 * none. One that does so at the end of its bake stays until the old one is back, and for good if that takes
 * longer than a release may take to be ready. */
#ifndef RPCTL_ROLLOUT_H
#define RPCTL_ROLLOUT_H

#include <stdbool.h>
#include <stddef.h>

#define RPCTL_ROLLOUT_STATES(X)                                                                              \
    X(IDLE, "idle")                                                                                          \
    X(PINNING, "pin")                                                                                        \
    X(LAUNCHING, "launch")                                                                                   \
    X(WAITING, "ready")                                                                                      \
    X(CHECKING, "ready")                                                                                     \
    X(PROVING, "health")                                                                                     \
    X(SHIFTING, "shift")                                                                                     \
    X(BAKING, "bake")                                                                                        \
    X(QUIESCING, "quiesce")                                                                                  \
    X(UNDOING, "undo")                                                                                       \
    X(RETIRING, "undo")                                                                                      \
    X(RETRACTING, "undo")

enum rpctl_rollout_state {
#define X(name, phase) RPCTL_ROLLOUT_##name,
    RPCTL_ROLLOUT_STATES(X)
#undef X
        RPCTL_ROLLOUT_STATE_COUNT
};

#define RPCTL_ROLLOUT_EVENTS(X)                                                                              \
    X(BEGIN)          /* the checks before launch have passed */                                             \
    X(PINNED)         /* all groups send everything to the old generation, and the disk knows it */          \
    X(PIN_FAILED)     /*                                                   */                                \
    X(LAUNCHED)       /* every process of the new generation runs */                                         \
    X(LAUNCH_FAILED)  /* one could not be run */                                                             \
    X(INSTANCE_READY) /* one more process of the new generation is ready */                                  \
    X(CHECKED)        /* its listeners are the right ones, and their order is known */                       \
    X(CHECK_FAILED)   /*                                                   */                                \
    X(PROBE_GOOD)     /* one round: every new listener answered well */                                      \
    X(PROBE_BAD)      /* one round: at least one did not */                                                  \
    X(PROBE_TIMER)    /* time for the next round */                                                          \
    X(SHIFTED)        /* all groups send everything to the new generation */                                 \
    X(SHIFT_FAILED)   /* … or none does */                                                                 \
    X(BAKE_OVER)      /* the bake time is over */                                                            \
    X(OLD_QUIET)      /* nothing is left in the old accept queues, or its bound has passed */                \
    X(UNSHIFTED)      /* all groups send everything to the old generation again */                           \
    X(UNSHIFT_FAILED) /*                                                   */                                \
    X(NEW_EXITED)     /* a process of the new generation has ended */                                        \
    X(NEW_GONE)       /* every process of it has ended and its listeners have left the groups */             \
    X(NEW_RETIRED)    /* its drain is over, after a rollback */                                              \
    X(DEADLINE)       /* the ready timeout has passed */                                                     \
    X(ABORT)          /* asked for by a person */

enum rpctl_rollout_event {
#define X(name) RPCTL_ROLLOUT_ON_##name,
    RPCTL_ROLLOUT_EVENTS(X)
#undef X
        RPCTL_ROLLOUT_EVENT_COUNT
};

#define RPCTL_ROLLOUT_ACTIONS(X)                                                                             \
    X(NONE)                                                                                                  \
    X(PIN)          /* steer all to old -> PINNED, PIN_FAILED */                                             \
    X(LAUNCH)       /* -> LAUNCHED, LAUNCH_FAILED */                                                         \
    X(CHECK)        /* membership, shape, order -> CHECKED, CHECK_FAILED */                                  \
    X(PROBE)        /* one round -> PROBE_GOOD, PROBE_BAD */                                                 \
    X(SHIFT)        /* steer all to new -> SHIFTED, SHIFT_FAILED */                                          \
    X(UNSHIFT)      /* steer all to old -> UNSHIFTED, UNSHIFT_FAILED */                                      \
    X(RETIRE_OLD)   /* begin the drain machine of old -> OLD_QUIET */                                        \
    X(UNRETIRE_OLD) /* it has not been told to stop yet: call that off */                                    \
    X(RETIRE_NEW)   /* begin the drain machine of new -> NEW_RETIRED */                                      \
    X(STOP_NEW)     /* end the processes of new, close its listeners -> NEW_GONE */                          \
    X(ARM_DEADLINE) /* ready timeout -> DEADLINE */                                                          \
    X(ARM_PROBE)    /* health interval -> PROBE_TIMER */                                                     \
    X(ARM_BAKE)     /* bake time -> BAKE_OVER */                                                             \
    X(WARN_SICK)    /* tell that new is sick and stays, for nobody of old is there */                        \
    X(DISARM)       /* stop all three timers */                                                              \
    X(COMMIT)       /* new is the generation that serves */                                                  \
    X(FINISH)       /* the operation is over; the exit code stands in the rollout */

enum rpctl_rollout_action {
#define X(name) RPCTL_ROLLOUT_DO_##name,
    RPCTL_ROLLOUT_ACTIONS(X)
#undef X
        RPCTL_ROLLOUT_ACTION_COUNT
};

#define RPCTL_ROLLOUT_ACTIONS_MAX 5

/* What became of it; the numbers are the exit codes. */
enum rpctl_rollout_outcome {
    RPCTL_ROLLOUT_DONE = 0,
    RPCTL_ROLLOUT_FAILED = 1,      /* before the shift: the service is as before */
    RPCTL_ROLLOUT_ROLLED_BACK = 3, /* after it: old serves all again */
};

/* Whether somebody is there to go back to. */
enum rpctl_rollout_old {
    RPCTL_ROLLOUT_OLD_SERVES,
    RPCTL_ROLLOUT_OLD_RETURNS, /* no process of it is ready, and one is being launched */
    RPCTL_ROLLOUT_OLD_GONE,    /* no process of it is ready */
};

struct rpctl_rollout {
    enum rpctl_rollout_state state;
    enum rpctl_rollout_outcome outcome;
    bool has_old;               /* false at the first start */
    unsigned running;           /* processes of the new generation; kept up to date like `old` */
    enum rpctl_rollout_old old; /* kept up to date by the caller, before each event */
    bool probes;                /* false with --health none */
    unsigned instances;         /* processes of the new generation */
    unsigned ready;             /* … of which are ready */
    unsigned health_count;      /* good rounds in a row that prove it, bad ones in a row that make it sick */
    unsigned good;
    unsigned bad;
    bool baked; /* the bake time is over, and how it ends is not decided yet */
};

struct rpctl_rollout_step {
    enum rpctl_rollout_action actions[RPCTL_ROLLOUT_ACTIONS_MAX];
    size_t action_count;
    bool possible; /* false: this event cannot come in this state; the rollout is unchanged */
};

/* A rollout at rest. The caller fills has_old … health_count before BEGIN. */
void rpctl_rollout_init(struct rpctl_rollout *rollout);

/* One transition. Events that come late (a probe's answer after the decision, a timer already on its way) are
 * possible and have no actions. */
struct rpctl_rollout_step rpctl_rollout_step(struct rpctl_rollout *rollout, enum rpctl_rollout_event event);

/* False where ABORT would do nothing: it is being undone already, or traffic has been shifted and of the old
 * generation nobody is there to take it back. */
bool rpctl_rollout_can_abort(const struct rpctl_rollout *rollout);

/* True while the new generation may be listening on sockets that we do not know yet: their places among the
 * others are unknown, so no listener of anybody else may be closed. */
bool rpctl_rollout_is_starting(const struct rpctl_rollout *rollout);

/* True on the way back: it has failed, or was aborted. */
bool rpctl_rollout_is_undoing(const struct rpctl_rollout *rollout);

const char *rpctl_rollout_phase(enum rpctl_rollout_state state); /* as printed */
const char *rpctl_rollout_state_name(enum rpctl_rollout_state state);
const char *rpctl_rollout_event_name(enum rpctl_rollout_event event);
const char *rpctl_rollout_action_name(enum rpctl_rollout_action action);

#endif
