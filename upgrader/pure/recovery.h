/* What a supervisor does with a service whose former supervisor is gone: who serves from now on, and what
 * becomes of the operation that was under way.
 *
 *   was under way                    serves from now on       the other one
 *   nothing, or a drain              the one that served      goes on leaving
 *   before the shift, or in it       old                      new is stopped
 *   bake, quiesce                    new, if it answers well  old leaves
 *   the way back                     old                      new goes on leaving
 *
 * If whoever should serve has no process any more, the other one of the two does, if it was not told to stop.
 * If neither can, or there is no record, the newest that can serves, if it answers well: it may be one that
 * was being started. Else the next one does. If there is none, the recorded release is launched anew.
 *
 * Pure. */
#ifndef RPCTL_RECOVERY_H
#define RPCTL_RECOVERY_H

#include "pure/generation_state.h"
#include "pure/rollout.h"

#include <stdbool.h>
#include <stddef.h>

struct rpctl_recovery_generation {
    unsigned number;
    unsigned alive; /* processes */
    bool told_to_stop;
};

struct rpctl_recovery_facts {
    enum rpctl_rollout_state rollout;
    unsigned serving;                                    /* 0 = none */
    unsigned candidate;                                  /* 0 = none */
    const struct rpctl_recovery_generation *generations; /* newest first */
    size_t count;
};

enum rpctl_recovery_outcome {
    RPCTL_RECOVERY_NOTHING,   /* no operation was under way */
    RPCTL_RECOVERY_UNDONE,    /* new leaves, old serves */
    RPCTL_RECOVERY_FINISHED,  /* new serves, old leaves */
    RPCTL_RECOVERY_EXCHANGED, /* whoever should have served is dead: another one does */
    RPCTL_RECOVERY_GUESSED,   /* nobody of whom the record knows can serve: the newest that can does */
    RPCTL_RECOVERY_LOST,      /* nobody is left who could */
};

struct rpctl_recovery {
    unsigned serving; /* 0 = none: launch */
    unsigned other;   /* FINISHED, GUESSED: who can serve if that one does not answer well; 0 = nobody */
    enum rpctl_recovery_outcome outcome;
};

void rpctl_recovery_decide(const struct rpctl_recovery_facts *facts, struct rpctl_recovery *ret_recovery);

#endif
