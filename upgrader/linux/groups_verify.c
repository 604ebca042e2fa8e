/* Membership, order and shape: what is known about the groups, held against the kernel. */
#include "linux/groups_internal.h"
#include "linux/index_probe.h"
#include "linux/listener_hide.h"
#include "linux/sock_diag.h"
#include "linux/socket_owner.h"
#include "linux/tcp_listener.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int report_stranger(const struct rpctl_group *group, const struct rpctl_diag_entry *stranger,
                           struct rp_error *error)
{
    char text[RP_ADDRESS_TEXT_BYTES];
    char holder[RPCTL_PROGRAM_NAME_BYTES + 32] = "";
    struct rpctl_socket_owner owner;

    if (rpctl_socket_owner_find(stranger->inode, &owner) == 0)
        snprintf(holder, sizeof(holder), ", pid %d (%s)", (int)owner.pid, owner.program);
    return rp_error_set(error, -EEXIST,
                        "a stranger's listener on %s would get connections: inode %" PRIu64
                        ", uid %u%s: stop that process",
                        rpctl_group_name(group, text), stranger->inode, (unsigned)stranger->uid, holder);
}

static bool is_listed(const struct rpctl_diag_list *list, uint64_t id)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->entries[i].inode == id) return true;
    return false;
}

static int compare_members(const struct rpctl_group *group, const struct rpctl_diag_list *list,
                           struct rp_error *error)
{
    char text[RP_ADDRESS_TEXT_BYTES];

    for (size_t i = 0; i < list->count; i++) {
        const struct rpctl_diag_entry *entry = &list->entries[i];

        if (rpctl_listener_device(entry->device, NULL) != group->device) continue;
        if (rpctl_group_model_index_of(&group->model, entry->inode) < 0)
            return report_stranger(group, entry, error);
    }
    for (size_t i = 0; i < group->model.count; i++) {
        if (is_listed(list, group->model.ids[i])) continue;
        return rp_error_set(error, -ESTALE,
                            "the listener with inode %" PRIu64
                            " on %s is not in its group any more: its process "
                            "shut it down, or it belongs to another network namespace",
                            group->model.ids[i], rpctl_group_name(group, text));
    }
    return 0;
}

int rpctl_group_verify(const struct rpctl_group *group, struct rp_error *error)
{
    struct rpctl_diag_list list = {0};
    int result = rpctl_sock_diag_listeners(&group->address, &list, error);

    if (result < 0) return result;
    result = compare_members(group, &list, error);
    rpctl_diag_list_free(&list);
    return result;
}

int rpctl_groups_verify(struct rpctl_groups *groups, struct rp_error *error)
{
    for (size_t i = 0; i < groups->count; i++) {
        int result = rpctl_group_verify(groups->items[i], error);

        if (result < 0) return result;
    }
    return 0;
}

/* A listener that its process shut down has left the kernel's array, at a moment nobody saw. */
static int remove_shut_down(struct rpctl_group *group, struct rp_error *error)
{
    for (size_t i = group->model.count; i-- > 0;) {
        bool listening = false;
        int result = rpctl_tcp_listener_is_listening(group->members[i].fd, &listening, error);

        if (result < 0) return result;
        if (listening) continue;
        rpctl_group_remove(group, i);
        group->order_known = false;
    }
    return 0;
}

static void reorder(struct rpctl_group *group, const uint16_t *order)
{
    uint64_t ids[RPCTL_GROUP_MAX];
    struct rpctl_group_member members[RPCTL_GROUP_MAX];

    memcpy(ids, group->model.ids, sizeof(ids));
    memcpy(members, group->members, sizeof(members));
    for (size_t i = 0; i < group->model.count; i++) {
        group->model.ids[i] = ids[order[i]];
        group->members[i] = members[order[i]];
    }
}

/* The program for everybody but the probes: what is steered now, or an equal part for each. */
static int program_meanwhile(struct rpctl_groups *groups, const struct rpctl_group *group,
                             struct rp_error *error)
{
    uint16_t indices[RPCTL_GROUP_MAX];
    struct rpctl_steering_share all = {.indices = indices, .count = group->model.count, .weight = 1};
    int result = 0;

    rpctl_filter_program_init(&groups->scratch);
    if (group->program) {
        rpctl_filter_program_append(&groups->scratch, group->program, group->program_length);
    } else {
        for (size_t i = 0; i < group->model.count; i++) indices[i] = (uint16_t)i;
        result = rpctl_steering_compile(&groups->scratch, &all, 1, NULL, 0);
    }
    if (result < 0) return rp_error_set(error, result, "cannot steer to %zu listeners", group->model.count);
    return 0;
}

static int learn_group(struct rpctl_groups *groups, struct rpctl_group *group, struct rp_error *error)
{
    struct rp_error second;
    uint16_t order[RPCTL_GROUP_MAX];
    int fds[RPCTL_GROUP_MAX];
    struct rpctl_index_probe probe = {.address = &group->address,
                                      .fds = fds,
                                      .count = group->model.count,
                                      .otherwise = groups->scratch.code};
    int result, restored;

    if (group->model.count > 1) {
        result = program_meanwhile(groups, group, error);
        if (result < 0) return result;
        probe.otherwise_length = groups->scratch.length;
        for (size_t i = 0; i < group->model.count; i++) fds[i] = group->members[i].fd;
        result = rpctl_index_probe_run(&probe, order, error);
        restored = rpctl_group_reattach(group, &second);
        if (result == 0 && restored < 0) result = rp_error_set(error, restored, "%s", second.message);
        if (result < 0) return result;
        reorder(group, order);
    }
    group->order_known = true;
    return 0;
}

static int learn_some(struct rpctl_groups *groups, bool steered_only, struct rp_error *error)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < groups->count; i++)
        result = remove_shut_down(groups->items[i], error);
    rpctl_groups_drop_empty(groups);
    for (size_t i = 0; result == 0 && i < groups->count; i++) {
        if (steered_only && !rpctl_group_is_steered(groups, groups->items[i])) continue;
        result = rpctl_group_verify(groups->items[i], error);
        if (result == 0) result = learn_group(groups, groups->items[i], error);
    }
    return result;
}

int rpctl_groups_learn(struct rpctl_groups *groups, struct rp_error *error)
{
    return learn_some(groups, false, error);
}

int rpctl_groups_learn_steered(struct rpctl_groups *groups, struct rp_error *error)
{
    return learn_some(groups, true, error);
}

static int check_group_shape(const struct rpctl_group *group, unsigned old_generation,
                             unsigned new_generation, bool allow_drop, struct rp_error *error)
{
    char text[RP_ADDRESS_TEXT_BYTES];
    size_t old_count = rpctl_group_count_of(group, old_generation);
    size_t new_count = rpctl_group_count_of(group, new_generation);

    if (old_count > 0 && new_count == 0 && !allow_drop)
        return rp_error_set(
            error, -EADDRNOTAVAIL,
            "the new version does not listen on %s, which the old one serves: make it listen there, "
            "or drop the address with --allow-drop",
            rpctl_group_name(group, text));
    if (old_count > 0 && rpctl_close_plan_is_refused(new_count, group->model.count - new_count))
        return rp_error_set(
            error, -EXDEV,
            "one new listener on %s beside %zu older ones: closing those would lose connections: let "
            "the new version open at least two listeners per address, or wait until older ones have "
            "drained",
            rpctl_group_name(group, text), group->model.count - new_count);
    return 0;
}

int rpctl_groups_check_shape(const struct rpctl_groups *groups, unsigned old_generation,
                             unsigned new_generation, bool allow_drop, struct rp_error *error)
{
    for (size_t i = 0; i < groups->count; i++) {
        int result = check_group_shape(groups->items[i], old_generation, new_generation, allow_drop, error);

        if (result < 0) return result;
    }
    return 0;
}

/* A socket that is shut down has no say any more, and is taken out before the order is learnt. */
int rpctl_groups_check_shareable(const struct rpctl_groups *groups, unsigned generation,
                                 struct rp_error *error)
{
    for (size_t i = 0; i < groups->count; i++) {
        const struct rpctl_group *group = groups->items[i];

        for (size_t k = 0; k < group->model.count; k++) {
            struct rpctl_tcp_listener listener;
            int result;

            if (group->members[k].generation != generation) continue;
            result = rpctl_tcp_listener_inspect(group->members[k].fd, &listener, error);
            if (result == -ENOPROTOOPT) return result;
        }
    }
    return 0;
}
