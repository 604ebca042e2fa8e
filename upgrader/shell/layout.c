#include "shell/layout.h"

#include <string.h>

int rpctl_layout_init(struct rpctl_layout *layout)
{
    memset(layout, 0, sizeof *layout);
    return uv_mutex_init(&layout->lock);
}

void rpctl_layout_done(struct rpctl_layout *layout)
{
    rpctl_state_groups_free(layout->groups, layout->count);
    uv_mutex_destroy(&layout->lock);
}

void rpctl_layout_update(struct rpctl_layout *layout, const struct rpctl_groups *groups)
{
    struct rpctl_state_group now[RPCTL_STATE_GROUPS_MAX];
    size_t count = 0;

    if (rpctl_groups_describe(groups, now, &count) < 0) {
        rpctl_state_groups_free(now, count);
        count = 0;
    }
    uv_mutex_lock(&layout->lock);
    rpctl_state_groups_free(layout->groups, layout->count);
    memcpy(layout->groups, now, count * sizeof *now);
    layout->count = count;
    uv_mutex_unlock(&layout->lock);
}
