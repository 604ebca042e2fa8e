/* How a generation leaves: what stands in its queues and handshakes, and the ordered close over all groups.
 */
#include "linux/accept_queue.h"
#include "linux/groups_internal.h"
#include "linux/listener_hide.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int rpctl_groups_queue(const struct rpctl_groups *groups, unsigned generation, unsigned instance,
                       struct rpctl_groups_queue *ret_queue, struct rp_error *error)
{
    struct rpctl_groups_queue sum = {0};

    for (size_t i = 0; i < groups->count; i++) {
        const struct rpctl_group *group = groups->items[i];

        for (size_t k = 0; k < group->model.count; k++) {
            struct rpctl_accept_queue queue;
            int result;

            if (group->members[k].generation != generation || group->members[k].instance != instance)
                continue;
            result = rpctl_accept_queue_read(group->members[k].fd, &queue, error);
            /* Shut down by its process: it has no queue any more. */
            if (result == -EINVAL) continue;
            if (result < 0) return result;
            sum.waiting += queue.waiting;
            sum.listeners++;
        }
    }
    *ret_queue = sum;
    return 0;
}

int rpctl_groups_half_open_mark(const struct rpctl_groups *groups, unsigned generation,
                                struct rpctl_half_open **ret_mark, struct rp_error *error)
{
    struct rp_address addresses[RPCTL_GROUPS_MAX];
    size_t count = rpctl_groups_addresses(groups, generation, addresses, RPCTL_GROUPS_MAX);

    return rpctl_half_open_new(ret_mark, addresses, count, error);
}

static void assign_roles(const struct rpctl_groups *groups, const struct rpctl_group *group,
                         unsigned generation, bool steered, enum rpctl_close_role *roles)
{
    for (size_t i = 0; i < group->model.count; i++) {
        unsigned owner = group->members[i].generation;

        if (owner == generation)
            roles[i] = RPCTL_CLOSE_LEAVING;
        else if (steered && rpctl_groups_is_chosen(groups, owner) && !rpctl_group_is_passed_over(group, i))
            roles[i] = RPCTL_CLOSE_SERVING;
        else
            roles[i] = RPCTL_CLOSE_IDLE;
    }
}

static int plan_group(const struct rpctl_groups *groups, struct rpctl_group *group, unsigned generation,
                      bool steered, struct rp_error *error)
{
    enum rpctl_close_role roles[RPCTL_GROUP_MAX];
    char text[RP_ADDRESS_TEXT_BYTES];
    int result;

    assign_roles(groups, group, generation, steered, roles);
    result = rpctl_close_plan_next(&group->model, roles, &group->step);
    if (result == 0) return 0;
    return rp_error_set(
        error, result,
        "cannot close the listeners of generation %u on %s without losing connections: only one "
        "listener serves there: a release needs at least two listeners per address",
        generation, rpctl_group_name(group, text));
}

static int close_one(struct rpctl_group *group, uint64_t id, unsigned generation,
                     struct rpctl_groups_closed *closed, struct rp_error *error)
{
    int index = rpctl_group_model_index_of(&group->model, id);
    struct rpctl_accept_queue queue;
    int fd;

    assert(index >= 0 && group->members[index].generation == generation);
    fd = group->members[index].fd;
    if (rpctl_accept_queue_read(fd, &queue, NULL) == 0) closed->queued += queue.waiting;
    /* ENOTCONN: its process was faster. */
    if (shutdown(fd, SHUT_RDWR) != 0 && errno != ENOTCONN)
        return rp_error_set(error, -errno, "cannot close a listener: %s", strerror(errno));
    rpctl_group_remove(group, (size_t)index);
    closed->listeners++;
    return 0;
}

static int close_step(struct rpctl_group *group, unsigned generation, struct rpctl_groups_closed *closed,
                      struct rp_error *error)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < group->step.close_count; i++)
        result = close_one(group, group->step.closes[i], generation, closed, error);
    return result;
}

/* One step in every group at once, so that they share the grace period; `settle` asks for one in any case.
 * Sets *ret_done when none is left. */
static int close_round(struct rpctl_groups *groups, unsigned generation, bool steered, bool settle,
                       struct rpctl_groups_closed *closed, bool *ret_done, struct rp_error *error)
{
    int result = 0;

    *ret_done = true;
    for (size_t i = 0; result == 0 && i < groups->count; i++) {
        struct rpctl_group *group = groups->items[i];

        result = plan_group(groups, group, generation, steered, error);
        if (result < 0 || group->step.close_count == 0) continue;
        *ret_done = false;
        settle = settle || group->step.settle;
        if (steered) result = rpctl_group_restore(groups, group, group->step.excluded, error);
    }
    if (result == 0 && settle && !*ret_done) result = rpctl_groups_settle(groups, error);
    for (size_t i = 0; result == 0 && i < groups->count; i++)
        result = close_step(groups->items[i], generation, closed, error);
    return result;
}

static int close_all(struct rpctl_groups *groups, unsigned generation, bool steered,
                     struct rpctl_groups_closed *closed, struct rp_error *error)
{
    bool settle = steered, done = false;
    int result = 0;

    while (result == 0 && !done) {
        result = close_round(groups, generation, steered, settle, closed, &done, error);
        settle = false;
    }
    return result;
}

/* Refuses what cannot be done before anything is hidden, which cannot be undone. */
static int check_plans(struct rpctl_groups *groups, unsigned generation, bool steered, struct rp_error *error)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < groups->count; i++)
        result = plan_group(groups, groups->items[i], generation, steered, error);
    return result;
}

void rpctl_groups_hide(struct rpctl_groups *groups, unsigned generation)
{
    assert(!rpctl_groups_is_chosen(groups, generation));
    for (size_t i = 0; i < groups->count; i++) {
        struct rpctl_group *group = groups->items[i];

        for (size_t k = 0; k < group->model.count; k++) {
            if (group->members[k].generation != generation) continue;
            rpctl_listener_hide(group->members[k].fd);
            group->members[k].hidden = true;
        }
    }
}

/* In the groups that are steered. A release that joined strangers on another address must be able to leave
 * them, or its listeners would take their connections for as long as they are there. */
static int verify_steered(const struct rpctl_groups *groups, struct rp_error *error)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < groups->count; i++)
        if (rpctl_group_is_steered(groups, groups->items[i]))
            result = rpctl_group_verify(groups->items[i], error);
    return result;
}

/* Before anything is closed, members and order must be those of the kernel. */
static int bring_up_to_date(struct rpctl_groups *groups, struct rp_error *error)
{
    struct rp_error own;
    bool known = true;
    int result;

    for (size_t i = 0; i < groups->count; i++)
        known = known && (groups->items[i]->order_known || !rpctl_group_is_steered(groups, groups->items[i]));
    result = known ? verify_steered(groups, &own) : -ESTALE;
    if (result == -ESTALE) result = rpctl_groups_learn_steered(groups, &own);
    return result < 0 ? rp_error_set(error, result, "%s", own.message) : 0;
}

static int restore_all(struct rpctl_groups *groups, struct rp_error *error)
{
    int result = 0;

    for (size_t i = 0; i < groups->count; i++) {
        int one = rpctl_group_restore(groups, groups->items[i], NULL, result == 0 ? error : NULL);

        if (result == 0) result = one;
    }
    return result;
}

int rpctl_groups_close_generation(struct rpctl_groups *groups, unsigned generation, unsigned serving,
                                  struct rpctl_groups_closed *ret_closed, struct rp_error *error)
{
    bool steered = serving != 0;
    int result = 0, restored = 0;

    memset(ret_closed, 0, sizeof(*ret_closed));
    assert(!steered ||
           (rpctl_groups_is_chosen(groups, serving) && !rpctl_groups_is_chosen(groups, generation)));
    if (rpctl_groups_listener_count(groups, generation) == 0) return 0;
    if (steered) result = bring_up_to_date(groups, error);
    if (result == 0) result = check_plans(groups, generation, steered, error);
    if (result < 0) return result;
    if (steered) result = rpctl_groups_doom(groups, generation, true, error);
    if (result < 0) return result;
    if (steered) rpctl_groups_hide(groups, generation);
    result = close_all(groups, generation, steered, ret_closed, error);
    rpctl_groups_drop_empty(groups);
    if (!steered) return result;
    restored = restore_all(groups, result == 0 ? error : NULL);
    if (result == 0) result = restored;
    return result == 0 ? verify_steered(groups, error) : result;
}
