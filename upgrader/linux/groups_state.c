/* The groups as a part of the service's state: described for a successor, arranged as a predecessor says. */
#include "linux/groups_internal.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

static int describe_group(const struct rpctl_group *group, struct rpctl_state_group *ret_group)
{
    struct rpctl_state_listener *listeners = calloc(group->model.count + 1, sizeof(*listeners));

    if (!listeners) return -ENOMEM;
    for (size_t i = 0; i < group->model.count; i++)
        listeners[i] = (struct rpctl_state_listener){group->model.ids[i], group->members[i].generation,
                                                     group->members[i].instance, group->members[i].fd};
    *ret_group = (struct rpctl_state_group){.address = group->address,
                                            .device = group->device,
                                            .order_known = group->order_known,
                                            .listeners = listeners,
                                            .listener_count = group->model.count};
    return 0;
}

int rpctl_groups_describe(const struct rpctl_groups *groups, struct rpctl_state_group *ret_groups,
                          size_t *ret_count)
{
    *ret_count = 0;
    for (size_t i = 0; i < groups->count && i < RPCTL_STATE_GROUPS_MAX; i++) {
        int result = describe_group(groups->items[i], &ret_groups[i]);

        if (result < 0) return result;
        (*ret_count)++;
    }
    return 0;
}

void rpctl_state_groups_free(struct rpctl_state_group *groups, size_t count)
{
    for (size_t i = 0; i < count; i++) free((void *)(uintptr_t)groups[i].listeners);
}

static struct rpctl_state_listener *copy_listeners(const struct rpctl_state_group *group)
{
    struct rpctl_state_listener *copy = calloc(group->listener_count + 1, sizeof(*copy));

    for (size_t i = 0; copy && i < group->listener_count; i++) copy[i] = group->listeners[i];
    return copy;
}

int rpctl_state_groups_copy(const struct rpctl_state_group *groups, size_t count,
                            struct rpctl_state_group **ret_copy)
{
    struct rpctl_state_group *copy = calloc(count + 1, sizeof(*copy));

    if (!copy) return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        copy[i] = groups[i];
        copy[i].listeners = copy_listeners(&groups[i]);
        if (copy[i].listeners) continue;
        rpctl_state_groups_free(copy, i);
        free(copy);
        return -ENOMEM;
    }
    *ret_copy = copy;
    return 0;
}

static const struct rpctl_state_group *find_recorded(const struct rpctl_group *group,
                                                     const struct rpctl_state_group *recorded, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (recorded[i].device == group->device && rp_address_equal(&recorded[i].address, &group->address))
            return &recorded[i];
    return NULL;
}

static bool is_trustworthy(const struct rpctl_group *group, const struct rpctl_state_group *recorded)
{
    if (!recorded || !recorded->order_known || recorded->listener_count == 0) return false;
    for (size_t i = 0; i < recorded->listener_count; i++)
        if (rpctl_group_model_index_of(&group->model, recorded->listeners[i].id) < 0) return false;
    return true;
}

static void swap(struct rpctl_group *group, size_t a, size_t b)
{
    uint64_t id = group->model.ids[a];
    struct rpctl_group_member member = group->members[a];

    group->model.ids[a] = group->model.ids[b];
    group->members[a] = group->members[b];
    group->model.ids[b] = id;
    group->members[b] = member;
}

static void arrange(struct rpctl_group *group, const struct rpctl_state_group *recorded)
{
    for (size_t i = 0; i < recorded->listener_count; i++)
        swap(group, i, (size_t)rpctl_group_model_index_of(&group->model, recorded->listeners[i].id));
    group->order_known = true;
}

bool rpctl_groups_assume_order(struct rpctl_groups *groups, const struct rpctl_state_group *recorded,
                               size_t count)
{
    for (size_t i = 0; i < groups->count; i++)
        if (!is_trustworthy(groups->items[i], find_recorded(groups->items[i], recorded, count))) return false;
    for (size_t i = 0; i < groups->count; i++)
        arrange(groups->items[i], find_recorded(groups->items[i], recorded, count));
    return true;
}
