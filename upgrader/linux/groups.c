#include "linux/groups_internal.h"
#include "linux/tcp_listener.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int rpctl_groups_new(struct rpctl_groups **ret_groups, struct rp_error *error)
{
    struct rpctl_groups *groups = calloc(1, sizeof(*groups));

    if (!groups) return rp_error_set(error, -ENOMEM, "cannot keep the listeners: out of memory");
    *ret_groups = groups;
    return 0;
}

static void free_group(struct rpctl_group *group)
{
    for (size_t i = 0; i < group->model.count; i++) close(group->members[i].fd);
    free(group->program);
    free(group);
}

void rpctl_groups_free(struct rpctl_groups *groups)
{
    if (!groups) return;
    for (size_t i = 0; i < groups->count; i++) free_group(groups->items[i]);
    free(groups);
}

const char *rpctl_group_name(const struct rpctl_group *group, char text[RP_ADDRESS_TEXT_BYTES])
{
    rp_address_format(&group->address, text);
    return text;
}

size_t rpctl_group_count_of(const struct rpctl_group *group, unsigned generation)
{
    size_t count = 0;

    for (size_t i = 0; i < group->model.count; i++)
        if (group->members[i].generation == generation) count++;
    return count;
}

void rpctl_group_remove(struct rpctl_group *group, size_t index)
{
    close(group->members[index].fd);
    group->members[index] = group->members[group->model.count - 1];
    rpctl_group_model_remove(&group->model, group->model.ids[index]);
}

void rpctl_groups_drop_empty(struct rpctl_groups *groups)
{
    size_t kept = 0;

    for (size_t i = 0; i < groups->count; i++) {
        if (groups->items[i]->model.count > 0)
            groups->items[kept++] = groups->items[i];
        else
            free_group(groups->items[i]);
    }
    groups->count = kept;
}

static struct rpctl_group *find_group(struct rpctl_groups *groups, const struct rpctl_tcp_listener *listener)
{
    for (size_t i = 0; i < groups->count; i++) {
        struct rpctl_group *group = groups->items[i];

        assert(group);
        if (group->device == listener->device && rp_address_equal(&group->address, &listener->address))
            return group;
    }
    return NULL;
}

/* The group a listener belongs to, made when it is the first one. */
static int group_for(struct rpctl_groups *groups, const struct rpctl_tcp_listener *listener,
                     struct rpctl_group **ret_group, struct rp_error *error)
{
    struct rpctl_group *group = find_group(groups, listener);

    if (!group) {
        if (groups->count == RPCTL_GROUPS_MAX)
            return rp_error_set(error, -ENOSPC, "more than %d addresses in one service", RPCTL_GROUPS_MAX);
        group = calloc(1, sizeof(*group));
        if (!group) return rp_error_set(error, -ENOMEM, "cannot keep a listener: out of memory");
        group->address = listener->address;
        group->device = listener->device;
        groups->items[groups->count++] = group;
    }
    *ret_group = group;
    return 0;
}

static struct rpctl_group_member *find_member(struct rpctl_groups *groups, uint64_t id)
{
    for (size_t i = 0; i < groups->count; i++) {
        int index = rpctl_group_model_index_of(&groups->items[i]->model, id);

        if (index >= 0) return &groups->items[i]->members[index];
    }
    return NULL;
}

bool rpctl_groups_has(const struct rpctl_groups *groups, uint64_t id)
{
    for (size_t i = 0; i < groups->count; i++)
        if (rpctl_group_model_index_of(&groups->items[i]->model, id) >= 0) return true;
    return false;
}

static int add_listener(struct rpctl_groups *groups, const struct rpctl_tcp_listener *listener,
                        const struct rpctl_group_member *member, struct rp_error *error)
{
    struct rpctl_group *group = NULL;
    int result = group_for(groups, listener, &group, error);

    if (result < 0) return result;
    assert(group);
    result = rpctl_group_model_append(&group->model, listener->id);
    if (result < 0)
        return rp_error_set(error, result, "more than %d listeners on one address", RPCTL_GROUP_MAX);
    group->members[group->model.count - 1] = *member;
    group->order_known = group->model.count == 1;
    return 0;
}

int rpctl_groups_add(struct rpctl_groups *groups, int fd, unsigned generation, unsigned instance,
                     struct rp_error *error)
{
    struct rpctl_group_member member = {.fd = fd, .generation = generation, .instance = instance};
    struct rpctl_tcp_listener listener;
    struct rpctl_group_member *known;
    int result = rpctl_tcp_listener_inspect(fd, &listener, error);

    if (result < 0) {
        close(fd);
        return result;
    }
    member.user = listener.user;
    member.hidden = listener.hidden;
    known = find_member(groups, listener.id);
    if (known) {
        close(fd);
        known->generation = generation;
        known->instance = instance;
        return 0;
    }
    result = add_listener(groups, &listener, &member, error);
    if (result < 0) close(fd);
    return result;
}

void rpctl_groups_set_served(struct rpctl_groups *groups, unsigned generation, unsigned instance, bool served)
{
    for (size_t i = 0; i < groups->count; i++)
        for (size_t k = 0; k < groups->items[i]->model.count; k++) {
            struct rpctl_group_member *member = &groups->items[i]->members[k];

            if (member->generation == generation && member->instance == instance) member->waiting = !served;
        }
}

void rpctl_groups_disown(struct rpctl_groups *groups, unsigned generation, unsigned instance)
{
    for (size_t i = 0; i < groups->count; i++)
        for (size_t k = 0; k < groups->items[i]->model.count; k++) {
            struct rpctl_group_member *member = &groups->items[i]->members[k];

            if (member->generation == generation && member->instance == instance)
                member->generation = RPCTL_GROUPS_NOBODY;
        }
}

bool rpctl_group_is_passed_over(const struct rpctl_group *group, size_t index)
{
    const struct rpctl_group_member *members = group->members;

    if (!members[index].waiting) return false;
    for (size_t i = 0; i < group->model.count; i++)
        if (members[i].generation == members[index].generation && !members[i].waiting) return true;
    return false;
}

static bool needs_steering(const struct rpctl_group *group)
{
    size_t disowned = rpctl_group_count_of(group, RPCTL_GROUPS_NOBODY);

    if (disowned > 0 && disowned < group->model.count) return true;
    for (size_t i = 0; i < group->model.count; i++)
        if (rpctl_group_is_passed_over(group, i)) return true;
    return false;
}

bool rpctl_groups_need_steering(const struct rpctl_groups *groups)
{
    for (size_t i = 0; i < groups->count; i++)
        if (needs_steering(groups->items[i])) return true;
    return false;
}

size_t rpctl_groups_count(const struct rpctl_groups *groups)
{
    return groups->count;
}

size_t rpctl_groups_listener_count(const struct rpctl_groups *groups, unsigned generation)
{
    size_t count = 0;

    for (size_t i = 0; i < groups->count; i++) count += rpctl_group_count_of(groups->items[i], generation);
    return count;
}

bool rpctl_groups_is_hidden(const struct rpctl_groups *groups, unsigned generation)
{
    for (size_t i = 0; i < groups->count; i++)
        for (size_t k = 0; k < groups->items[i]->model.count; k++) {
            const struct rpctl_group_member *member = &groups->items[i]->members[k];

            if (member->generation == generation && member->hidden) return true;
        }
    return false;
}

uid_t rpctl_groups_user(const struct rpctl_groups *groups, unsigned generation)
{
    for (size_t i = 0; i < groups->count; i++)
        for (size_t k = 0; k < groups->items[i]->model.count; k++)
            if (groups->items[i]->members[k].generation == generation)
                return groups->items[i]->members[k].user;
    return (uid_t)-1;
}

size_t rpctl_groups_addresses(const struct rpctl_groups *groups, unsigned generation,
                              struct rp_address *ret_addresses, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < groups->count; i++) {
        if (rpctl_group_count_of(groups->items[i], generation) == 0) continue;
        if (count < max) ret_addresses[count] = groups->items[i]->address;
        count++;
    }
    return count;
}

size_t rpctl_groups_listeners(const struct rpctl_groups *groups, unsigned generation, unsigned instance,
                              struct rpctl_groups_listener *ret_listeners, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < groups->count; i++) {
        const struct rpctl_group *group = groups->items[i];

        for (size_t k = 0; k < group->model.count; k++) {
            const struct rpctl_group_member *member = &group->members[k];

            if (member->generation != generation || member->instance != instance) continue;
            if (count < max)
                ret_listeners[count] = (struct rpctl_groups_listener){member->fd, group->model.ids[k],
                                                                      generation, instance, group->address};
            count++;
        }
    }
    return count;
}
