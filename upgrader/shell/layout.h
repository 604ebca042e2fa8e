/* The groups as they were after the last job: the jobs write it down, the loop reads it.
 *
 * Owns the lists. The one thing that both threads touch; a lock guards it. */
#ifndef RPCTL_LAYOUT_H
#define RPCTL_LAYOUT_H

#include "linux/groups.h"

#include <uv.h>

struct rpctl_layout {
    uv_mutex_t lock;
    struct rpctl_state_group groups[RPCTL_STATE_GROUPS_MAX];
    size_t count;
};

int rpctl_layout_init(struct rpctl_layout *layout); /* a negative errno when there is no lock to be had */
void rpctl_layout_done(struct rpctl_layout *layout);

/* By a job, at its end. Without memory it becomes empty: then a successor learns all by itself. */
void rpctl_layout_update(struct rpctl_layout *layout, const struct rpctl_groups *groups);

#endif
