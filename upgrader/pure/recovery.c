#include "pure/recovery.h"

static bool is_after_the_shift(enum rpctl_rollout_state rollout)
{
    return rollout == RPCTL_ROLLOUT_BAKING || rollout == RPCTL_ROLLOUT_QUIESCING;
}

static bool can_serve(const struct rpctl_recovery_facts *facts, unsigned number)
{
    for (size_t i = 0; i < facts->count; i++) {
        const struct rpctl_recovery_generation *generation = &facts->generations[i];

        if (generation->number == number) return generation->alive > 0 && !generation->told_to_stop;
    }
    return false;
}

/* … but for `without`. */
static unsigned newest_that_can(const struct rpctl_recovery_facts *facts, unsigned without)
{
    for (size_t i = 0; i < facts->count; i++) {
        unsigned number = facts->generations[i].number;

        if (number != without && can_serve(facts, number)) return number;
    }
    return 0;
}

static struct rpctl_recovery guess(const struct rpctl_recovery_facts *facts)
{
    unsigned newest = newest_that_can(facts, 0);

    return (struct rpctl_recovery){.serving = newest,
                                   .other = newest_that_can(facts, newest),
                                   .outcome = newest ? RPCTL_RECOVERY_GUESSED : RPCTL_RECOVERY_LOST};
}

void rpctl_recovery_decide(const struct rpctl_recovery_facts *facts, struct rpctl_recovery *ret_recovery)
{
    bool forward = is_after_the_shift(facts->rollout) || facts->serving == 0;
    unsigned wanted = forward ? facts->candidate : facts->serving;
    unsigned other = forward ? facts->serving : facts->candidate;

    if (can_serve(facts, wanted)) {
        enum rpctl_recovery_outcome outcome = forward ? RPCTL_RECOVERY_FINISHED : RPCTL_RECOVERY_UNDONE;

        if (facts->rollout == RPCTL_ROLLOUT_IDLE) outcome = RPCTL_RECOVERY_NOTHING;
        *ret_recovery = (struct rpctl_recovery){.serving = wanted, .outcome = outcome};
        if (outcome == RPCTL_RECOVERY_FINISHED && can_serve(facts, other)) ret_recovery->other = other;
        return;
    }
    *ret_recovery = can_serve(facts, other)
                        ? (struct rpctl_recovery){.serving = other, .outcome = RPCTL_RECOVERY_EXCHANGED}
                        : guess(facts);
}
