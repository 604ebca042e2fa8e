#include "pure/close_plan.h"

#include <errno.h>
#include <string.h>

/* A group that is closed on paper: `from` says where a listener stood before the step. */
struct rehearsal {
    uint16_t from[RPCTL_GROUP_MAX];
    size_t count;
    size_t serving;
};

static void rehearse(struct rehearsal *rehearsal, const struct rpctl_group_model *model,
                     const enum rpctl_close_role *roles)
{
    rehearsal->count = model->count;
    rehearsal->serving = 0;
    for (size_t i = 0; i < model->count; i++) {
        rehearsal->from[i] = (uint16_t)i;
        if (roles[i] == RPCTL_CLOSE_SERVING) rehearsal->serving++;
    }
}

/* The highest leaving index, or -1. */
static int highest_leaving(const struct rehearsal *rehearsal, const enum rpctl_close_role *roles)
{
    for (size_t i = rehearsal->count; i-- > 0;)
        if (roles[rehearsal->from[i]] == RPCTL_CLOSE_LEAVING) return (int)i;
    return -1;
}

/* Does closing `index` move a serving listener while the kernel's fallback could still choose a wrong one? */
static bool moves_serving(const struct rehearsal *rehearsal, const enum rpctl_close_role *roles, size_t index)
{
    size_t last = rehearsal->count - 1;

    if (index == last || roles[rehearsal->from[last]] != RPCTL_CLOSE_SERVING) return false;
    return last != rehearsal->serving;
}

int rpctl_close_plan_next(const struct rpctl_group_model *model, const enum rpctl_close_role *roles,
                          struct rpctl_close_step *ret_step)
{
    struct rehearsal rehearsal = {.count = 0};
    size_t excluded = 0, budget;
    int index;

    memset(ret_step, 0, sizeof(*ret_step));
    rehearse(&rehearsal, model, roles);
    budget = rehearsal.serving == 1 ? 0 : rehearsal.serving > 3 ? rehearsal.serving / 2 : 1;
    while ((index = highest_leaving(&rehearsal, roles)) >= 0) {
        uint16_t mover = rehearsal.from[rehearsal.count - 1];

        if (moves_serving(&rehearsal, roles, (size_t)index) && !ret_step->excluded[mover]) {
            if (excluded == budget) break;
            ret_step->excluded[mover] = true;
            ret_step->settle = true;
            excluded++;
        }
        ret_step->closes[ret_step->close_count++] = model->ids[rehearsal.from[index]];
        rehearsal.from[index] = mover;
        rehearsal.count--;
    }
    return index >= 0 && ret_step->close_count == 0 ? -EXDEV : 0;
}

bool rpctl_close_plan_is_refused(size_t serving, size_t others)
{
    return serving == 1 && others > 1;
}
