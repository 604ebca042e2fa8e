#include "pure/drain.h"

#include <assert.h>

enum {
    ON_QUIET = RPCTL_DRAIN_EVENT_COUNT, /* the last LOOK_EMPTY that was wanted */
    ON_TIMEOUT_UNSEEN,                  /* QUIESCE_TIMEOUT before the first look has ended */
    TABLE_EVENT_COUNT
};

enum kind {
    IMPOSSIBLE,
    LATE,
    MOVE,
};

struct row {
    enum kind kind;
    enum rpctl_drain_state next;
    enum rpctl_drain_action actions[RPCTL_DRAIN_ACTIONS_MAX];
};

#define S(name)  RPCTL_DRAIN_##name
#define ON(name) RPCTL_DRAIN_ON_##name
#define DO(name) RPCTL_DRAIN_DO_##name
#define TO(state, ...)                                                                                       \
    {                                                                                                        \
        MOVE, S(state),                                                                                      \
        {                                                                                                    \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }
#define TOO_LATE                                                                                             \
    {                                                                                                        \
        .kind = LATE                                                                                         \
    }

static const struct row table[RPCTL_DRAIN_STATE_COUNT][TABLE_EVENT_COUNT] = {
    [S(IDLE)] =
        {
            [ON(BEGIN)] = TO(SETTLING, DO(ARM_QUIESCE), DO(SETTLE)),
            [ON(SETTLED)] = TOO_LATE,
            [ON(LOOK_EMPTY)] = TOO_LATE,
            [ON(LOOK_BUSY)] = TOO_LATE,
            [ON(LOOK_TIMER)] = TOO_LATE,
            [ON(QUIESCE_TIMEOUT)] = TOO_LATE,
            [ON(EXITED)] = TOO_LATE,
            [ON(CANCEL)] = TOO_LATE,
        },
    [S(SETTLING)] =
        {
            [ON(SETTLED)] = TO(QUIESCING, DO(LOOK)),
            /* A SETTLE that takes longer than the bound (a machine under great strain) still has to end. */
            [ON(QUIESCE_TIMEOUT)] = TO(SETTLING, DO(ARM_QUIESCE)),
            [ON(EXITED)] = TO(CLOSING, DO(DISARM), DO(QUIET), DO(CLOSE)),
            [ON(CANCEL)] = TO(IDLE, DO(DISARM)),
            [ON(LOOK_EMPTY)] = TOO_LATE,
            [ON(LOOK_BUSY)] = TOO_LATE,
            [ON(LOOK_TIMER)] = TOO_LATE,
        },
    [S(QUIESCING)] =
        {
            [ON(LOOK_EMPTY)] = TO(QUIESCING, DO(ARM_LOOK)),
            [ON(LOOK_BUSY)] = TO(QUIESCING, DO(ARM_LOOK)),
            [ON(LOOK_TIMER)] = TO(QUIESCING, DO(LOOK)),
            [ON_QUIET] = TO(DRAINING, DO(DISARM), DO(QUIET), DO(ARM_DEADLINE), DO(STOP), DO(ARM_LOOK)),
            [ON_TIMEOUT_UNSEEN] = TO(QUIESCING, DO(ARM_QUIESCE)),
            [ON(QUIESCE_TIMEOUT)] =
                TO(DRAINING, DO(DISARM), DO(QUIET), DO(ARM_DEADLINE), DO(STOP), DO(ARM_LOOK)),
            [ON(EXITED)] = TO(CLOSING, DO(DISARM), DO(QUIET), DO(CLOSE)),
            [ON(CANCEL)] = TO(IDLE, DO(DISARM)),
            [ON(SETTLED)] = TOO_LATE,
        },
    [S(DRAINING)] =
        {
            [ON(LOOK_TIMER)] = TO(DRAINING, DO(WATCH)),
            [ON(LISTENERS_HELD)] = TO(DRAINING, DO(ARM_LOOK)),
            [ON(LISTENERS_CLOSED)] = TO(UNLISTENING, DO(DISARM_LOOK), DO(CLOSE)),
            [ON(EXITED)] = TO(CLOSING, DO(DISARM), DO(CLOSE)),
            [ON(DEADLINE)] = TO(KILLING, DO(DISARM_LOOK), DO(KILL)),
            [ON(LOOK_EMPTY)] = TOO_LATE,
            [ON(LOOK_BUSY)] = TOO_LATE,
            [ON(QUIESCE_TIMEOUT)] = TOO_LATE,
            [ON(SETTLED)] = TOO_LATE,
            [ON(CANCEL)] = TOO_LATE,
        },
    [S(UNLISTENING)] =
        {
            [ON(CLOSED)] = TO(UNLISTENED, DO(NONE)),
            [ON(CLOSE_FAILED)] = TO(UNLISTENING, DO(ARM_LOOK)),
            [ON(LOOK_TIMER)] = TO(UNLISTENING, DO(CLOSE)),
            [ON(EXITED)] = TO(OVERTAKEN, DO(NONE)),
            [ON(DEADLINE)] = TO(UNLISTENING, DO(KILL)),
            [ON(LISTENERS_HELD)] = TOO_LATE,
            [ON(LISTENERS_CLOSED)] = TOO_LATE,
            [ON(LOOK_EMPTY)] = TOO_LATE,
            [ON(LOOK_BUSY)] = TOO_LATE,
            [ON(QUIESCE_TIMEOUT)] = TOO_LATE,
            [ON(SETTLED)] = TOO_LATE,
            [ON(CANCEL)] = TOO_LATE,
        },
    [S(UNLISTENED)] =
        {
            [ON(EXITED)] = TO(CLOSING, DO(DISARM), DO(CLOSE)),
            [ON(DEADLINE)] = TO(KILLING, DO(KILL)),
            [ON(LISTENERS_HELD)] = TOO_LATE,
            [ON(LISTENERS_CLOSED)] = TOO_LATE,
            [ON(LOOK_EMPTY)] = TOO_LATE,
            [ON(LOOK_BUSY)] = TOO_LATE,
            [ON(QUIESCE_TIMEOUT)] = TOO_LATE,
            [ON(SETTLED)] = TOO_LATE,
            [ON(CANCEL)] = TOO_LATE,
        },
    [S(OVERTAKEN)] =
        {
            [ON(CLOSED)] = TO(CLOSING, DO(DISARM), DO(CLOSE)),
            [ON(CLOSE_FAILED)] = TO(CLOSING, DO(DISARM), DO(ARM_LOOK)),
            [ON(LOOK_TIMER)] =
                TO(CLOSING, DO(DISARM), DO(CLOSE)), /* it has failed, and was to be tried again */
            [ON(LISTENERS_HELD)] = TOO_LATE,
            [ON(LISTENERS_CLOSED)] = TOO_LATE,
            [ON(LOOK_EMPTY)] = TOO_LATE,
            [ON(LOOK_BUSY)] = TOO_LATE,
            [ON(SETTLED)] = TOO_LATE,
            [ON(DEADLINE)] = TOO_LATE,
            [ON(QUIESCE_TIMEOUT)] = TOO_LATE,
            [ON(CANCEL)] = TOO_LATE,
        },
    [S(KILLING)] =
        {
            [ON(EXITED)] = TO(CLOSING, DO(DISARM), DO(CLOSE)),
            [ON(LISTENERS_HELD)] = TOO_LATE,
            [ON(LISTENERS_CLOSED)] = TOO_LATE,
            [ON(LOOK_EMPTY)] = TOO_LATE,
            [ON(LOOK_BUSY)] = TOO_LATE,
            [ON(SETTLED)] = TOO_LATE,
            [ON(CANCEL)] = TOO_LATE,
        },
    [S(CLOSING)] =
        {
            [ON(CLOSED)] = TO(DONE, DO(FINISH)),
            [ON(CLOSE_FAILED)] = TO(CLOSING, DO(ARM_LOOK)),
            [ON(LOOK_TIMER)] = TO(CLOSING, DO(CLOSE)),
            [ON(LISTENERS_HELD)] = TOO_LATE,
            [ON(LISTENERS_CLOSED)] = TOO_LATE,
            [ON(LOOK_EMPTY)] = TOO_LATE,
            [ON(LOOK_BUSY)] = TOO_LATE,
            [ON(SETTLED)] = TOO_LATE,
            [ON(DEADLINE)] = TOO_LATE,
            [ON(QUIESCE_TIMEOUT)] = TOO_LATE,
            [ON(CANCEL)] = TOO_LATE,
        },
    [S(DONE)] =
        {
            [ON(LISTENERS_HELD)] = TOO_LATE,
            [ON(LISTENERS_CLOSED)] = TOO_LATE,
            [ON(LOOK_EMPTY)] = TOO_LATE,
            [ON(LOOK_BUSY)] = TOO_LATE,
            [ON(SETTLED)] = TOO_LATE,
            [ON(CANCEL)] = TOO_LATE,
        },
};

void rpctl_drain_init(struct rpctl_drain *drain)
{
    *drain = (struct rpctl_drain){.state = S(IDLE)};
}

static int column(struct rpctl_drain *drain, enum rpctl_drain_event event)
{
    if (event == ON(BEGIN) || event == ON(LOOK_BUSY)) drain->empty_looks = 0;
    if (event == ON(BEGIN)) drain->looked = false;
    if (event == ON(QUIESCE_TIMEOUT) && drain->state == S(QUIESCING) && !drain->looked)
        return ON_TIMEOUT_UNSEEN;
    if (event == ON(LOOK_EMPTY) || event == ON(LOOK_BUSY)) drain->looked = true;
    if (event != ON(LOOK_EMPTY) || drain->state != S(QUIESCING)) return (int)event;
    drain->empty_looks++;
    return drain->empty_looks >= RPCTL_DRAIN_QUIET_LOOKS ? (int)ON_QUIET : (int)event;
}

struct rpctl_drain_step rpctl_drain_step(struct rpctl_drain *drain, enum rpctl_drain_event event)
{
    struct rpctl_drain_step step = {.possible = true};
    struct rpctl_drain after = *drain;
    const struct row *row = &table[drain->state][column(&after, event)];

    if (row->kind == IMPOSSIBLE) step.possible = false;
    if (row->kind != MOVE) return step;

    after.state = row->next;
    while (step.action_count < RPCTL_DRAIN_ACTIONS_MAX && row->actions[step.action_count] != DO(NONE)) {
        step.actions[step.action_count] = row->actions[step.action_count];
        step.action_count++;
    }
    *drain = after;
    return step;
}

bool rpctl_drain_is_emptied(enum rpctl_drain_state state)
{
    return state >= S(OVERTAKEN);
}

const char *rpctl_drain_state_name(enum rpctl_drain_state state)
{
    static const char *const names[] = {
#define X(name) #name,
        RPCTL_DRAIN_STATES(X)
#undef X
    };
    assert(state < RPCTL_DRAIN_STATE_COUNT);
    return names[state];
}

const char *rpctl_drain_event_name(enum rpctl_drain_event event)
{
    static const char *const names[] = {
#define X(name) #name,
        RPCTL_DRAIN_EVENTS(X)
#undef X
    };
    assert(event < RPCTL_DRAIN_EVENT_COUNT);
    return names[event];
}
