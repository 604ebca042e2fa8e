#include "pure/rollout.h"

#include <assert.h>

/* The raw events that count something become one of these before the table is asked. */
enum {
    VIRTUAL_FIRST = RPCTL_ROLLOUT_EVENT_COUNT,
    ON_BEGIN_FIRST = VIRTUAL_FIRST, /* BEGIN without an old generation */
    ON_ALL_READY,                   /* the last INSTANCE_READY, or LAUNCHED when all are ready already */
    ON_CHECKED_UNPROBED,            /* CHECKED with --health none, an old generation is there */
    ON_CHECKED_UNPROBED_FIRST,      /* … and at the first start */
    ON_PROVEN,                      /* the last PROBE_GOOD that was wanted */
    ON_PROVEN_FIRST,                /* … at the first start */
    ON_SHIFTED_UNPROBED,            /* SHIFTED with --health none */
    ON_SICK,                        /* too many PROBE_BAD in a row */
    ON_SICK_ALONE,                  /* … and nobody is there to go back to */
    ON_BAKE_OVER_SICK,              /* BAKE_OVER of one that would be sick if there were a way back */
    ON_NEW_LOSES_ONE,               /* NEW_EXITED after the shift: others of it run, and of old nobody */
    ON_ABORT_IN_VAIN,               /* ABORT after the shift, and nobody is there to go back to */
    TABLE_EVENT_COUNT
};

enum kind {
    IMPOSSIBLE, /* cannot come: the action that causes it is not under way */
    LATE,       /* can come, means nothing any more */
    MOVE,
};

struct row {
    enum kind kind;
    enum rpctl_rollout_state next;
    enum rpctl_rollout_action actions[RPCTL_ROLLOUT_ACTIONS_MAX];
};

#define S(name)  RPCTL_ROLLOUT_##name
#define ON(name) RPCTL_ROLLOUT_ON_##name
#define DO(name) RPCTL_ROLLOUT_DO_##name
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

/* Steering jobs run one after the other, so an answer to a job that was overtaken by a decision is LATE, and
 * the job that undoes it runs after it. */
static const struct row table[RPCTL_ROLLOUT_STATE_COUNT][TABLE_EVENT_COUNT] =
    {
        [S(IDLE)] =
            {
                [ON(BEGIN)] = TO(PINNING, DO(PIN)),
                [ON_BEGIN_FIRST] = TO(LAUNCHING, DO(ARM_DEADLINE), DO(LAUNCH)),
                [ON(PROBE_GOOD)] = TOO_LATE,
                [ON(PROBE_BAD)] = TOO_LATE,
                [ON(PROBE_TIMER)] = TOO_LATE,
                [ON(NEW_EXITED)] = TOO_LATE,
                [ON(ABORT)] = TOO_LATE,
            },
        [S(PINNING)] =
            {
                [ON(PINNED)] = TO(LAUNCHING, DO(ARM_DEADLINE), DO(LAUNCH)),
                [ON(PIN_FAILED)] = TO(IDLE, DO(FINISH)),
                [ON(ABORT)] = TO(RETRACTING, DO(STOP_NEW)),
                [ON(PROBE_GOOD)] = TOO_LATE,
                [ON(PROBE_BAD)] = TOO_LATE,
            },
        [S(LAUNCHING)] =
            {
                [ON(LAUNCHED)] = TO(WAITING),
                [ON_ALL_READY] = TO(CHECKING, DO(CHECK)),
                [ON(LAUNCH_FAILED)] = TO(RETRACTING, DO(DISARM), DO(STOP_NEW)),
                [ON(CHECK_FAILED)] = TO(RETRACTING, DO(DISARM), DO(STOP_NEW)),
                [ON(NEW_EXITED)] = TO(RETRACTING, DO(DISARM), DO(STOP_NEW)),
                [ON(DEADLINE)] = TO(RETRACTING, DO(DISARM), DO(STOP_NEW)),
                [ON(ABORT)] = TO(RETRACTING, DO(DISARM), DO(STOP_NEW)),
                [ON(INSTANCE_READY)] = TOO_LATE,
            },
        [S(WAITING)] =
            {
                [ON(INSTANCE_READY)] = TO(WAITING),
                /* A listener was handed over that cannot take part. */
                [ON(CHECK_FAILED)] = TO(RETRACTING, DO(DISARM), DO(STOP_NEW)),
                [ON_ALL_READY] = TO(CHECKING, DO(CHECK)),
                [ON(NEW_EXITED)] = TO(RETRACTING, DO(DISARM), DO(STOP_NEW)),
                [ON(DEADLINE)] = TO(RETRACTING, DO(DISARM), DO(STOP_NEW)),
                [ON(ABORT)] = TO(RETRACTING, DO(DISARM), DO(STOP_NEW)),
            },
        [S(CHECKING)] =
            {
                [ON(CHECKED)] = TO(PROVING, DO(PROBE)),
                [ON_CHECKED_UNPROBED] = TO(SHIFTING, DO(DISARM), DO(SHIFT)),
                [ON_CHECKED_UNPROBED_FIRST] = TO(IDLE, DO(DISARM), DO(COMMIT), DO(FINISH)),
                [ON(CHECK_FAILED)] = TO(RETRACTING, DO(DISARM), DO(STOP_NEW)),
                [ON(NEW_EXITED)] = TO(RETRACTING, DO(DISARM), DO(STOP_NEW)),
                [ON(DEADLINE)] = TO(RETRACTING, DO(DISARM), DO(STOP_NEW)),
                [ON(ABORT)] = TO(RETRACTING, DO(DISARM), DO(STOP_NEW)),
                [ON(INSTANCE_READY)] = TOO_LATE,
            },
        [S(PROVING)] =
            {
                [ON(PROBE_GOOD)] = TO(PROVING, DO(PROBE)),
                [ON(PROBE_BAD)] = TO(PROVING, DO(ARM_PROBE)),
                [ON(PROBE_TIMER)] = TO(PROVING, DO(PROBE)),
                [ON(CHECK_FAILED)] = TO(RETRACTING, DO(DISARM), DO(STOP_NEW)),
                [ON_PROVEN] = TO(SHIFTING, DO(DISARM), DO(SHIFT)),
                [ON_PROVEN_FIRST] = TO(IDLE, DO(DISARM), DO(COMMIT), DO(FINISH)),
                [ON(NEW_EXITED)] = TO(RETRACTING, DO(DISARM), DO(STOP_NEW)),
                [ON(DEADLINE)] = TO(RETRACTING, DO(DISARM), DO(STOP_NEW)),
                [ON(ABORT)] = TO(RETRACTING, DO(DISARM), DO(STOP_NEW)),
                [ON(INSTANCE_READY)] = TOO_LATE,
            },
        [S(SHIFTING)] =
            {
                [ON(SHIFTED)] = TO(BAKING, DO(ARM_BAKE), DO(ARM_PROBE)),
                [ON_SHIFTED_UNPROBED] = TO(BAKING, DO(ARM_BAKE)),
                /* A step over several groups happens on all or is undone: old has everything. */
                [ON(SHIFT_FAILED)] = TO(RETRACTING, DO(STOP_NEW)),
                [ON(NEW_EXITED)] = TO(UNDOING, DO(UNSHIFT)),
                [ON(ABORT)] = TO(UNDOING, DO(UNSHIFT)),
                [ON_ABORT_IN_VAIN] = TOO_LATE,
                [ON_NEW_LOSES_ONE] = TOO_LATE,
                [ON(INSTANCE_READY)] = TOO_LATE,
                [ON(DEADLINE)] = TOO_LATE,
                [ON(PROBE_TIMER)] = TOO_LATE,
                [ON(PROBE_GOOD)] = TOO_LATE,
                [ON(PROBE_BAD)] = TOO_LATE,
                [ON(CHECK_FAILED)] = TOO_LATE,
            },
        [S(BAKING)] =
            {
                [ON(PROBE_TIMER)] = TO(BAKING, DO(PROBE)),
                [ON(PROBE_GOOD)] = TO(BAKING, DO(ARM_PROBE)),
                [ON(PROBE_BAD)] = TO(BAKING, DO(ARM_PROBE)),
                [ON_SICK] = TO(UNDOING, DO(DISARM), DO(UNSHIFT)),
                [ON_SICK_ALONE] = TO(BAKING, DO(ARM_PROBE), DO(WARN_SICK)),
                [ON(BAKE_OVER)] = TO(QUIESCING, DO(DISARM), DO(RETIRE_OLD)),
                [ON_BAKE_OVER_SICK] = TO(BAKING, DO(ARM_DEADLINE)),
                [ON(NEW_EXITED)] = TO(UNDOING, DO(DISARM), DO(UNSHIFT)),
                [ON(ABORT)] = TO(UNDOING, DO(DISARM), DO(UNSHIFT)),
                [ON_ABORT_IN_VAIN] = TOO_LATE,
                [ON_NEW_LOSES_ONE] = TOO_LATE,
                [ON(INSTANCE_READY)] = TOO_LATE,
                [ON(DEADLINE)] = TOO_LATE,
                [ON(CHECK_FAILED)] = TOO_LATE,
            },
        [S(QUIESCING)] =
            {
                [ON(OLD_QUIET)] = TO(IDLE, DO(COMMIT), DO(FINISH)),
                [ON(NEW_EXITED)] = TO(UNDOING, DO(UNRETIRE_OLD), DO(UNSHIFT)),
                [ON(ABORT)] = TO(UNDOING, DO(UNRETIRE_OLD), DO(UNSHIFT)),
                [ON_ABORT_IN_VAIN] = TOO_LATE,
                [ON_NEW_LOSES_ONE] = TOO_LATE,
                [ON(INSTANCE_READY)] = TOO_LATE,
                [ON(DEADLINE)] = TOO_LATE,
                [ON(BAKE_OVER)] = TOO_LATE,
                [ON(PROBE_TIMER)] = TOO_LATE,
                [ON(PROBE_GOOD)] = TOO_LATE,
                [ON(PROBE_BAD)] = TOO_LATE,
                [ON(CHECK_FAILED)] = TOO_LATE,
            },
        [S(UNDOING)] =
            {
                [ON(UNSHIFTED)] = TO(RETIRING, DO(DISARM), DO(RETIRE_NEW)),
                /* There is no way but back: try again until it works. */
                [ON(UNSHIFT_FAILED)] = TO(UNDOING, DO(ARM_PROBE)),
                [ON(PROBE_TIMER)] = TO(UNDOING, DO(UNSHIFT)),
                [ON(SHIFTED)] = TOO_LATE,
                [ON(SHIFT_FAILED)] = TOO_LATE,
                [ON(OLD_QUIET)] = TOO_LATE,
                [ON(NEW_EXITED)] = TOO_LATE,
                [ON(ABORT)] = TOO_LATE,
                [ON(INSTANCE_READY)] = TOO_LATE,
                [ON(DEADLINE)] = TOO_LATE,
                [ON(BAKE_OVER)] = TOO_LATE,
                [ON(PROBE_GOOD)] = TOO_LATE,
                [ON(PROBE_BAD)] = TOO_LATE,
                [ON(CHECK_FAILED)] = TOO_LATE,
            },
        [S(RETIRING)] =
            {
                [ON(NEW_RETIRED)] = TO(IDLE, DO(FINISH)),
                [ON(OLD_QUIET)] = TOO_LATE,
                [ON(NEW_EXITED)] = TOO_LATE,
                [ON(ABORT)] = TOO_LATE,
                [ON(INSTANCE_READY)] = TOO_LATE,
                [ON(DEADLINE)] = TOO_LATE,
                [ON(BAKE_OVER)] = TOO_LATE,
                [ON(PROBE_TIMER)] = TOO_LATE,
                [ON(PROBE_GOOD)] = TOO_LATE,
                [ON(PROBE_BAD)] = TOO_LATE,
                [ON(CHECK_FAILED)] = TOO_LATE,
            },
        [S(RETRACTING)] =
            {
                [ON(NEW_GONE)] = TO(IDLE, DO(FINISH)),
                [ON(PINNED)] = TOO_LATE,
                [ON(PIN_FAILED)] = TOO_LATE,
                [ON(LAUNCHED)] = TOO_LATE,
                [ON(LAUNCH_FAILED)] = TOO_LATE,
                [ON(CHECKED)] = TOO_LATE,
                [ON(CHECK_FAILED)] = TOO_LATE,
                [ON(NEW_EXITED)] = TOO_LATE,
                [ON(ABORT)] = TOO_LATE,
                [ON(INSTANCE_READY)] = TOO_LATE,
                [ON(DEADLINE)] = TOO_LATE,
                [ON(PROBE_TIMER)] = TOO_LATE,
                [ON(PROBE_GOOD)] = TOO_LATE,
                [ON(PROBE_BAD)] = TOO_LATE,
            },
};

void rpctl_rollout_init(struct rpctl_rollout *rollout)
{
    *rollout = (struct rpctl_rollout){.state = S(IDLE), .instances = 1, .health_count = 1, .probes = true};
}

static bool is_sick(const struct rpctl_rollout *rollout)
{
    return rollout->state == S(BAKING) && rollout->bad >= rollout->health_count;
}

static int count_probe_good(struct rpctl_rollout *rollout)
{
    rollout->bad = 0;
    rollout->good++;
    if (rollout->baked) return ON(BAKE_OVER);
    if (rollout->state != S(PROVING) || rollout->good < rollout->health_count) return ON(PROBE_GOOD);
    return rollout->has_old ? (int)ON_PROVEN : (int)ON_PROVEN_FIRST;
}

static int count_probe_bad(struct rpctl_rollout *rollout)
{
    rollout->good = 0;
    rollout->bad++;
    if (!is_sick(rollout)) return ON(PROBE_BAD);
    if (rollout->old == RPCTL_ROLLOUT_OLD_SERVES) return ON_SICK;
    return rollout->bad == rollout->health_count ? (int)ON_SICK_ALONE : (int)ON(PROBE_BAD);
}

static int bake_over(struct rpctl_rollout *rollout)
{
    rollout->baked = is_sick(rollout) && rollout->old == RPCTL_ROLLOUT_OLD_RETURNS;
    return rollout->baked ? (int)ON_BAKE_OVER_SICK : (int)ON(BAKE_OVER);
}

static bool is_shifted(const struct rpctl_rollout *rollout)
{
    return rollout->state == S(SHIFTING) || rollout->state == S(BAKING) || rollout->state == S(QUIESCING);
}

static bool nobody_to_go_back_to(const struct rpctl_rollout *rollout)
{
    return rollout->old != RPCTL_ROLLOUT_OLD_SERVES;
}

static bool all_ready(const struct rpctl_rollout *rollout)
{
    return rollout->ready >= rollout->instances;
}

static int count_ready(struct rpctl_rollout *rollout)
{
    rollout->ready++;
    return rollout->state == S(WAITING) && all_ready(rollout) ? (int)ON_ALL_READY : (int)ON(INSTANCE_READY);
}

static int checked(const struct rpctl_rollout *rollout)
{
    if (rollout->probes) return ON(CHECKED);
    return rollout->has_old ? (int)ON_CHECKED_UNPROBED : (int)ON_CHECKED_UNPROBED_FIRST;
}

/* Counts what the event counts and says which column of the table it is. */
static int column(struct rpctl_rollout *rollout, enum rpctl_rollout_event event)
{
    switch (event) {
    case ON(BEGIN): return rollout->has_old ? (int)ON(BEGIN) : (int)ON_BEGIN_FIRST;
    case ON(INSTANCE_READY): return count_ready(rollout);
    case ON(LAUNCHED):
        return rollout->state == S(LAUNCHING) && all_ready(rollout) ? (int)ON_ALL_READY : (int)event;
    case ON(CHECKED): return rollout->state == S(CHECKING) ? checked(rollout) : (int)ON(CHECKED);
    case ON(PROBE_GOOD): return count_probe_good(rollout);
    case ON(PROBE_BAD): return count_probe_bad(rollout);
    case ON(BAKE_OVER): return bake_over(rollout);
    case ON(DEADLINE): return rollout->baked ? (int)ON(BAKE_OVER) : (int)event;
    case ON(NEW_EXITED):
        return is_shifted(rollout) && nobody_to_go_back_to(rollout) && rollout->running > 0
                   ? (int)ON_NEW_LOSES_ONE
                   : (int)event;
    case ON(ABORT):
        return is_shifted(rollout) && !rpctl_rollout_can_abort(rollout) ? (int)ON_ABORT_IN_VAIN : (int)event;
    case ON(SHIFTED):
        return rollout->state == S(SHIFTING) && !rollout->probes ? (int)ON_SHIFTED_UNPROBED : (int)event;
    default: return (int)event;
    }
}

/* What the operation's outcome becomes when it moves to `next`. */
static void judge(struct rpctl_rollout *rollout, enum rpctl_rollout_state next)
{
    if (rollout->state == S(IDLE)) {
        rollout->outcome = RPCTL_ROLLOUT_DONE;
        rollout->ready = 0;
    }
    if (next != rollout->state && (next == S(PROVING) || next == S(BAKING))) rollout->good = rollout->bad = 0;
    if (next == S(RETRACTING) || (rollout->state == S(PINNING) && next == S(IDLE)))
        rollout->outcome = RPCTL_ROLLOUT_FAILED;
    if (next != S(BAKING)) rollout->baked = false;
    if (next == S(UNDOING)) rollout->outcome = RPCTL_ROLLOUT_ROLLED_BACK;
}

struct rpctl_rollout_step rpctl_rollout_step(struct rpctl_rollout *rollout, enum rpctl_rollout_event event)
{
    struct rpctl_rollout_step step = {.possible = true};
    struct rpctl_rollout after = *rollout;
    const struct row *row = &table[rollout->state][column(&after, event)];

    if (row->kind == IMPOSSIBLE) step.possible = false;
    /* A process may be ready before the last one of its generation runs: that counts, though nothing moves.
     */
    if (row->kind == LATE && event == ON(INSTANCE_READY)) rollout->ready = after.ready;
    if (row->kind != MOVE) return step;

    judge(&after, row->next);
    after.state = row->next;
    while (step.action_count < RPCTL_ROLLOUT_ACTIONS_MAX && row->actions[step.action_count] != DO(NONE)) {
        step.actions[step.action_count] = row->actions[step.action_count];
        step.action_count++;
    }
    *rollout = after;
    return step;
}

bool rpctl_rollout_can_abort(const struct rpctl_rollout *rollout)
{
    if (rpctl_rollout_is_undoing(rollout)) return false;
    return !is_shifted(rollout) || rollout->old == RPCTL_ROLLOUT_OLD_SERVES;
}

bool rpctl_rollout_is_starting(const struct rpctl_rollout *rollout)
{
    switch (rollout->state) {
    case S(PINNING):
    case S(LAUNCHING):
    case S(WAITING):
    case S(CHECKING):
    case S(RETRACTING): return true;
    default: return false;
    }
}

bool rpctl_rollout_is_undoing(const struct rpctl_rollout *rollout)
{
    return rollout->state == S(UNDOING) || rollout->state == S(RETIRING) || rollout->state == S(RETRACTING);
}

const char *rpctl_rollout_phase(enum rpctl_rollout_state state)
{
    static const char *const phases[] = {
#define X(name, phase) phase,
        RPCTL_ROLLOUT_STATES(X)
#undef X
    };
    assert(state < RPCTL_ROLLOUT_STATE_COUNT);
    return phases[state];
}

const char *rpctl_rollout_state_name(enum rpctl_rollout_state state)
{
    static const char *const names[] = {
#define X(name, phase) #name,
        RPCTL_ROLLOUT_STATES(X)
#undef X
    };
    assert(state < RPCTL_ROLLOUT_STATE_COUNT);
    return names[state];
}

const char *rpctl_rollout_event_name(enum rpctl_rollout_event event)
{
    static const char *const names[] = {
#define X(name) #name,
        RPCTL_ROLLOUT_EVENTS(X)
#undef X
    };
    assert(event < RPCTL_ROLLOUT_EVENT_COUNT);
    return names[event];
}

const char *rpctl_rollout_action_name(enum rpctl_rollout_action action)
{
    static const char *const names[] = {
#define X(name) #name,
        RPCTL_ROLLOUT_ACTIONS(X)
#undef X
    };
    assert(action < RPCTL_ROLLOUT_ACTION_COUNT);
    return names[action];
}
