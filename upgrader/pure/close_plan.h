/* The order in which listeners leave a group so that no packet is ever sent to one that nobody serves.
 *
 * Owns nothing: a pure step from (model, roles) to what is to be done next.
 *
 * Theory. The steering program returns a fixed number, the kernel takes the listener that stands there. When
 * the listener at index k leaves, the last one moves to k and the last index ends to exist. For a program
 * that still names that last index the kernel falls back to a hash over all members, and that may choose a
 * listener that is about to leave, or one of another generation that is draining. So a serving listener must
 * not be named by the program while it moves:
 *
 *     steer to the serving listeners without those that will move
 *     wait until no packet is under way that saw the program before     (RCU grace period)
 *     close, from the highest index of a leaving listener down
 *     steer to the serving listeners at their new indices
 *
 * Going from the highest down, what stands behind the leaving listener is never a leaving one itself, so
 * nothing that leaves moves. A listener that is neither serving nor leaving may move freely, no program names
 * it.
 *
 * No exclusion and no wait is needed for
 *   - a leaving listener in the last slot: nothing moves;
 *   - the last listener that is not a serving one: behind it everyone in the group serves, so the fallback
 * can choose none but serving ones. That includes the exchange of one listener for one.
 *
 * Each round of exclusion costs a grace period, so several listeners are excluded at once, but never more
 * than half of the serving ones: the others carry the load for that long.
 *
 * One serving listener, and two or more others of which one must close below it: the serving one cannot be
 * excluded, and there is a window in which a packet falls on the others. That is refused (-EXDEV). */
#ifndef RPCTL_CLOSE_PLAN_H
#define RPCTL_CLOSE_PLAN_H

#include "pure/group_model.h"

#include <stdbool.h>

enum rpctl_close_role {
    RPCTL_CLOSE_IDLE,    /* stays, and gets nothing: a generation that is draining */
    RPCTL_CLOSE_SERVING, /* stays, and is steered to */
    RPCTL_CLOSE_LEAVING, /* to be closed; nothing is steered to it */
};

struct rpctl_close_step {
    bool excluded[RPCTL_GROUP_MAX];   /* by index: serving, but not to be steered to in this step */
    bool settle;                      /* a grace period is needed between steering and the first close */
    uint64_t closes[RPCTL_GROUP_MAX]; /* ids, in this order */
    size_t close_count;               /* 0: nothing leaves any more, the plan is done */
};

/* The next step; `roles` has one entry per index of the model. After it the caller steers, settles, closes,
 * and asks again with the model as it is then. -EXDEV when the group has the shape that is refused. */
int rpctl_close_plan_next(const struct rpctl_group_model *model, const enum rpctl_close_role *roles,
                          struct rpctl_close_step *ret_step);

/* True when a group of that many listeners has the shape that is refused, whatever their order. */
bool rpctl_close_plan_is_refused(size_t serving, size_t others);

#endif
