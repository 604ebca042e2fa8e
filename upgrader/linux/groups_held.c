/* Whether processes hold listeners of the groups open, by the inodes of their descriptors. */
#include "linux/groups_internal.h"
#include "linux/process.h"

#include <errno.h>
#include <stdlib.h>

static bool is_of(const struct rpctl_groups *groups, unsigned generation, uint64_t inode)
{
    for (size_t i = 0; i < groups->count; i++) {
        const struct rpctl_group *group = groups->items[i];
        int index = rpctl_group_model_index_of(&group->model, inode);

        if (index >= 0) return group->members[index].generation == generation;
    }
    return false;
}

static int look_at_process(const struct rpctl_groups *groups, unsigned generation, pid_t pid, bool *held,
                           struct rp_error *error)
{
    struct rpctl_process_socket *sockets = NULL;
    size_t count = 0;
    int result = rpctl_process_sockets(pid, &sockets, &count, error);

    if (result < 0) return result == -ESRCH ? 0 : result;
    for (size_t i = 0; i < count && !*held; i++) *held = is_of(groups, generation, sockets[i].inode);
    free(sockets);
    return 0;
}

int rpctl_groups_is_held(const struct rpctl_groups *groups, unsigned generation, const pid_t *pids,
                         size_t pid_count, bool *ret_held, struct rp_error *error)
{
    struct rpctl_process_member *members = calloc(RPCTL_PROCESS_TREE_MAX, sizeof *members);
    bool held = false;
    size_t count = 0;
    int result = -ENOMEM;

    if (members)
        result = rpctl_process_trees(pids, pid_count, members, RPCTL_PROCESS_TREE_MAX, &count, error);
    else
        rp_error_set(error, result, "no memory to look who holds listeners");
    for (size_t i = 0; result == 0 && i < count && !held; i++)
        result = look_at_process(groups, generation, members[i].pid, &held, error);
    free(members);
    if (result == 0) *ret_held = held;
    return result;
}
