/* How one generation leaves: the drain as a pure state machine, one for each generation that is leaving, so
 * that drains overlap with each other and with later upgrades.
 *
 *           begin              settled                quiet, or timeout
 *     IDLE ----------> SETTLING ----------> QUIESCING -------------------> DRAINING
 *      ^                   |                   |
 *      +---- cancel -------+-------------------+---- exited ---> CLOSING
 *
 *                  listeners closed                closed                  exited
 *     DRAINING -----------------------> UNLISTENING ------> UNLISTENED -------------> CLOSING
 *      |    |                               |                   |
 *      |    | deadline                      | exited            | deadline
 *      |    +------------> KILLING <--------)-------------------+
 *      |                      |             v
 *      |                      |         OVERTAKEN
 *      |                      |             | closed, close failed
 *      |       exited         | exited      v      closed
 *      +----------------------+---------> CLOSING ----------> DONE
 *
 * SETTLING: traffic has been steered away; packets that saw the old program are still under way (an RCU grace
 * period). QUIESCING: the generation goes on accepting until its accept queues are empty, several looks in a
 * row, and no handshake that was half-open is left. Only then is it told to stop. Its listeners leave the
 * groups as soon as no process holds one open any more (UNLISTENING), at the latest when no process is left
 * (CLOSING): as long as our duplicates alone hold them there, the end of this supervisor would take them out
 * in no order. The close in CLOSING comes when the last process has ended, even after an earlier one: a
 * process that was still starting when it was told to stop hands its listeners over late, and nobody may be
 * let go of while one that runs could begin to listen. */
#ifndef RPCTL_DRAIN_H
#define RPCTL_DRAIN_H

#include <stdbool.h>
#include <stddef.h>

/* One empty look may fall into the moment between the end of a handshake and its place in the accept queue.
 */
#define RPCTL_DRAIN_QUIET_LOOKS 3

#define RPCTL_DRAIN_STATES(X)                                                                                \
    X(IDLE)                                                                                                  \
    X(SETTLING)                                                                                              \
    X(QUIESCING)                                                                                             \
    X(DRAINING)                                                                                              \
    X(UNLISTENING) /* as DRAINING, with the ordered close under way */                                       \
    X(UNLISTENED)  /* as DRAINING, and its listeners have left the groups */                                 \
    X(KILLING)                                                                                               \
    X(OVERTAKEN) /* the last process has ended while that close is under way */                              \
    X(CLOSING)                                                                                               \
    X(DONE)

enum rpctl_drain_state {
#define X(name) RPCTL_DRAIN_##name,
    RPCTL_DRAIN_STATES(X)
#undef X
        RPCTL_DRAIN_STATE_COUNT
};

#define RPCTL_DRAIN_EVENTS(X)                                                                                \
    X(BEGIN)                                                                                                 \
    X(SETTLED)          /* the grace period is over, half-open handshakes are noted */                       \
    X(LOOK_EMPTY)       /* accept queues empty, no noted handshake left */                                   \
    X(LOOK_BUSY)        /* something is left */                                                              \
    X(LOOK_TIMER)       /* time for the next look, or try */                                                 \
    X(QUIESCE_TIMEOUT)  /* --quiesce-timeout has passed; what is left was counted */                         \
    X(EXITED)           /* the last process of the generation has ended */                                   \
    X(LISTENERS_HELD)   /* a process of it still has a listener open */                                      \
    X(LISTENERS_CLOSED) /* none has */                                                                       \
    X(DEADLINE)         /* --drain-timeout has passed */                                                     \
    X(CLOSED)           /* its listeners have left the groups */                                             \
    X(CLOSE_FAILED)     /*                                */                                                 \
    X(CANCEL)           /* traffic is coming back: stay */

enum rpctl_drain_event {
#define X(name) RPCTL_DRAIN_ON_##name,
    RPCTL_DRAIN_EVENTS(X)
#undef X
        RPCTL_DRAIN_EVENT_COUNT
};

#define RPCTL_DRAIN_ACTIONS(X)                                                                               \
    X(NONE)                                                                                                  \
    X(SETTLE)       /* -> SETTLED */                                                                         \
    X(LOOK)         /* -> LOOK_EMPTY, LOOK_BUSY */                                                           \
    X(ARM_LOOK)     /* -> LOOK_TIMER */                                                                      \
    X(DISARM_LOOK)  /* */                                                                                    \
    X(WATCH)        /* -> LISTENERS_HELD, LISTENERS_CLOSED */                                                \
    X(ARM_QUIESCE)  /* -> QUIESCE_TIMEOUT */                                                                 \
    X(ARM_DEADLINE) /* -> DEADLINE */                                                                        \
    X(DISARM)       /* all timers of this drain */                                                           \
    X(QUIET)        /* tell the rollout: this generation may go */                                           \
    X(STOP)         /* the stop signal to every process */                                                   \
    X(KILL)         /* count the connections, then SIGKILL to every process */                               \
    X(CLOSE)        /* the ordered close of its listeners -> CLOSED, CLOSE_FAILED */                         \
    X(FINISH)       /* the generation is gone */

enum rpctl_drain_action {
#define X(name) RPCTL_DRAIN_DO_##name,
    RPCTL_DRAIN_ACTIONS(X)
#undef X
        RPCTL_DRAIN_ACTION_COUNT
};

#define RPCTL_DRAIN_ACTIONS_MAX 5

struct rpctl_drain {
    enum rpctl_drain_state state;
    unsigned empty_looks; /* in a row */
    bool looked;          /* what is left is known */
};

struct rpctl_drain_step {
    enum rpctl_drain_action actions[RPCTL_DRAIN_ACTIONS_MAX];
    size_t action_count;
    bool possible; /* false: this event cannot come in this state; the drain is unchanged */
};

void rpctl_drain_init(struct rpctl_drain *drain);

/* One transition; late answers to an action that a decision has overtaken are possible and do nothing. */
struct rpctl_drain_step rpctl_drain_step(struct rpctl_drain *drain, enum rpctl_drain_event event);

/* True when no process of the generation is left to be signalled, counted or waited for. */
bool rpctl_drain_is_emptied(enum rpctl_drain_state state);

const char *rpctl_drain_state_name(enum rpctl_drain_state state);
const char *rpctl_drain_event_name(enum rpctl_drain_event event);

#endif
