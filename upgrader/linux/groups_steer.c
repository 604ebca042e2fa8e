/* Steering over all groups of a service: all of them, or none. */
#include "linux/groups_internal.h"
#include "linux/reuseport.h"
#include "pure/safe_indices.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The shares of one group, as indices. */
struct group_shares {
    uint16_t indices[RPCTL_GROUP_MAX];
    struct rpctl_steering_share parts[RPCTL_GROUPS_SHARES_MAX];
    size_t count;  /* of parts that have listeners here */
    size_t chosen; /* listeners in all of them */
};

/* What is prepared for one group before anything is attached. */
struct prepared {
    struct sock_filter *program; /* without probes; NULL: the group is left alone */
    size_t length;
};

static bool is_in(const struct rpctl_share *shares, size_t share_count, unsigned generation)
{
    for (size_t i = 0; i < share_count; i++)
        if (shares[i].generation == generation && shares[i].weight > 0) return true;
    return false;
}

/* Which indices may be steered to. Where none is safe they all are: one must be. */
static void list_allowed(const struct rpctl_group *group, const struct rpctl_share *shares,
                         size_t share_count, const bool *excluded, bool *ret_allowed)
{
    enum rpctl_fate fates[RPCTL_GROUP_MAX];
    size_t safe = 0;

    for (size_t k = 0; k < group->model.count; k++) {
        bool serves =
            is_in(shares, share_count, group->members[k].generation) && !rpctl_group_is_passed_over(group, k);

        fates[k] = group->members[k].doomed ? RPCTL_FATE_DOOMED
                   : serves                 ? RPCTL_FATE_SERVES
                                            : RPCTL_FATE_STAYS;
    }
    /* A share of several must not lose all its listeners, and one without an order has no indices. */
    if (share_count == 1 && group->order_known)
        safe = rpctl_safe_indices(fates, group->model.count, ret_allowed);
    for (size_t k = 0; k < group->model.count; k++)
        ret_allowed[k] = (safe == 0 || ret_allowed[k]) && !(excluded && excluded[k]) &&
                         !rpctl_group_is_passed_over(group, k);
}

static void list_shares(const struct rpctl_group *group, const struct rpctl_share *shares, size_t share_count,
                        const bool *excluded, struct group_shares *ret_shares)
{
    bool allowed[RPCTL_GROUP_MAX];

    list_allowed(group, shares, share_count, excluded, allowed);
    ret_shares->count = 0;
    ret_shares->chosen = 0;
    for (size_t i = 0; i < share_count; i++) {
        struct rpctl_steering_share part = {.indices = ret_shares->indices + ret_shares->chosen,
                                            .weight = shares[i].weight};

        if (part.weight == 0) continue;
        for (size_t k = 0; k < group->model.count; k++) {
            if (group->members[k].generation != shares[i].generation || !allowed[k]) continue;
            ret_shares->indices[ret_shares->chosen++] = (uint16_t)k;
            part.count++;
        }
        if (part.count > 0) ret_shares->parts[ret_shares->count++] = part;
    }
}

/* The probes to this group with their indices, into a new array that the caller frees. */
static int list_probes(const struct rpctl_group *group, const struct rpctl_groups_probe *probes,
                       size_t probe_count, struct rpctl_probe_match **ret_matches, size_t *ret_count,
                       struct rp_error *error)
{
    struct rpctl_probe_match *matches = calloc(probe_count + 1, sizeof(*matches));
    char text[RP_ADDRESS_TEXT_BYTES];
    size_t count = 0;

    if (!matches) return rp_error_set(error, -ENOMEM, "cannot steer: out of memory");
    for (size_t i = 0; i < probe_count; i++) {
        int index;

        if (!rp_address_equal(&probes[i].group, &group->address)) continue;
        index = rpctl_group_model_index_of(&group->model, probes[i].listener);
        if (index < 0) {
            free(matches);
            return rp_error_set(error, index,
                                "cannot probe the listener with inode %" PRIu64 " on %s: it is not there",
                                probes[i].listener, rpctl_group_name(group, text));
        }
        matches[count].source = probes[i].source;
        matches[count++].index = (uint32_t)index;
    }
    *ret_matches = matches;
    *ret_count = count;
    return 0;
}

static int compile(struct rpctl_groups *groups, const struct rpctl_group *group,
                   const struct group_shares *shares, const struct rpctl_probe_match *probes,
                   size_t probe_count, struct rp_error *error)
{
    char text[RP_ADDRESS_TEXT_BYTES];
    int result = rpctl_steering_compile(&groups->scratch, shares->parts, shares->count, probes, probe_count);

    if (result == 0) return 0;
    return rp_error_set(error, result,
                        "cannot steer %zu listeners on %s with %zu probes: the program is too large",
                        shares->chosen, rpctl_group_name(group, text), probe_count);
}

static int copy_scratch(const struct rpctl_groups *groups, struct prepared *ret_prepared,
                        struct rp_error *error)
{
    size_t bytes = groups->scratch.length * sizeof(*ret_prepared->program);

    ret_prepared->program = malloc(bytes);
    if (!ret_prepared->program) return rp_error_set(error, -ENOMEM, "cannot steer: out of memory");
    memcpy(ret_prepared->program, groups->scratch.code, bytes);
    ret_prepared->length = groups->scratch.length;
    return 0;
}

static void commit(struct rpctl_group *group, struct prepared *prepared)
{
    free(group->program);
    group->program = prepared->program;
    group->program_length = prepared->length;
    prepared->program = NULL;
}

static int check_order(const struct rpctl_group *group, const struct group_shares *shares, size_t probe_count,
                       struct rp_error *error)
{
    char text[RP_ADDRESS_TEXT_BYTES];
    bool whole_group = shares->count == 1 && shares->chosen == group->model.count;

    if (group->order_known || (whole_group && probe_count == 0)) return 0;
    return rp_error_set(error, -ESTALE, "cannot steer on %s: the order of its listeners has not been learnt",
                        rpctl_group_name(group, text));
}

/* Compiles for one group with its probes into the scratch program, and without them into `ret_prepared`.
 * Leaves `ret_prepared` empty when no share has listeners in it. */
static int prepare(struct rpctl_groups *groups, const struct rpctl_group *group,
                   const struct rpctl_share *shares, size_t share_count,
                   const struct rpctl_groups_probe *probes, size_t probe_count, struct prepared *ret_prepared,
                   struct rp_error *error)
{
    struct group_shares listed;
    struct rpctl_probe_match *matches = NULL;
    size_t match_count = 0;
    int result;

    list_shares(group, shares, share_count, NULL, &listed);
    if (listed.count == 0) return 0;
    result = list_probes(group, probes, probe_count, &matches, &match_count, error);
    if (result == 0) result = check_order(group, &listed, match_count, error);
    if (result == 0) result = compile(groups, group, &listed, NULL, 0, error);
    if (result == 0) result = copy_scratch(groups, ret_prepared, error);
    if (result == 0) result = compile(groups, group, &listed, matches, match_count, error);
    free(matches);
    return result;
}

int rpctl_group_reattach(const struct rpctl_group *group, struct rp_error *error)
{
    int fd = group->members[0].fd;

    if (!group->program) return rpctl_reuseport_detach(fd, error);
    return rpctl_reuseport_attach(fd, group->program, group->program_length, error);
}

/* Brings the first `count` groups back to what was in force before. What fails here cannot be helped: it is
 * the call that succeeded a moment ago, with a program that was accepted before. */
static void undo(struct rpctl_groups *groups, struct prepared *prepared, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (prepared[i].program) rpctl_group_reattach(groups->items[i], NULL);
}

static int attach_all(struct rpctl_groups *groups, const struct rpctl_share *shares, size_t share_count,
                      const struct rpctl_groups_probe *probes, size_t probe_count, struct prepared *prepared,
                      struct rp_error *error)
{
    for (size_t i = 0; i < groups->count; i++) {
        struct rpctl_group *group = groups->items[i];
        int result = prepare(groups, group, shares, share_count, probes, probe_count, &prepared[i], error);

        if (result == 0 && prepared[i].program)
            result = rpctl_reuseport_attach(group->members[0].fd, groups->scratch.code,
                                            groups->scratch.length, error);
        if (result < 0) {
            undo(groups, prepared, i);
            return result;
        }
    }
    return 0;
}

static bool any_prepared(const struct prepared *prepared, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (prepared[i].program) return true;
    return false;
}

int rpctl_groups_steer(struct rpctl_groups *groups, const struct rpctl_share *shares, size_t share_count,
                       const struct rpctl_groups_probe *probes, size_t probe_count, struct rp_error *error)
{
    struct prepared prepared[RPCTL_GROUPS_MAX] = {{0}};
    int result;

    assert(share_count <= RPCTL_GROUPS_SHARES_MAX);
    result = attach_all(groups, shares, share_count, probes, probe_count, prepared, error);
    if (result == 0 && !any_prepared(prepared, groups->count))
        result = rp_error_set(error, -EINVAL, "nothing to steer to: none of the generations has a listener");
    for (size_t i = 0; i < RPCTL_GROUPS_MAX; i++) {
        if (result == 0 && prepared[i].program) commit(groups->items[i], &prepared[i]);
        free(prepared[i].program);
    }
    if (result < 0) return result;
    memcpy(groups->shares, shares, share_count * sizeof(*shares));
    groups->share_count = share_count;
    return 0;
}

int rpctl_group_restore(struct rpctl_groups *groups, struct rpctl_group *group, const bool *excluded,
                        struct rp_error *error)
{
    struct group_shares listed;
    struct prepared prepared = {0};
    int result;

    list_shares(group, groups->shares, groups->share_count, excluded, &listed);
    if (listed.count == 0) return 0;
    result = compile(groups, group, &listed, NULL, 0, error);
    if (result == 0) result = copy_scratch(groups, &prepared, error);
    if (result == 0)
        result = rpctl_reuseport_attach(group->members[0].fd, prepared.program, prepared.length, error);
    if (result == 0) commit(group, &prepared);
    free(prepared.program);
    return result;
}

bool rpctl_groups_is_chosen(const struct rpctl_groups *groups, unsigned generation)
{
    return is_in(groups->shares, groups->share_count, generation);
}

bool rpctl_group_is_steered(const struct rpctl_groups *groups, const struct rpctl_group *group)
{
    for (size_t i = 0; i < group->model.count; i++)
        if (rpctl_groups_is_chosen(groups, group->members[i].generation)) return true;
    return false;
}

static bool set_doomed(struct rpctl_group *group, unsigned generation, bool doomed)
{
    bool changed = false;

    for (size_t k = 0; k < group->model.count; k++) {
        if (group->members[k].generation != generation) continue;
        changed = changed || group->members[k].doomed != doomed;
        group->members[k].doomed = doomed;
    }
    return changed;
}

int rpctl_groups_doom(struct rpctl_groups *groups, unsigned generation, bool doomed, struct rp_error *error)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < groups->count; i++)
        if (set_doomed(groups->items[i], generation, doomed))
            result = rpctl_group_restore(groups, groups->items[i], NULL, error);
    return result;
}

int rpctl_groups_settle(const struct rpctl_groups *groups, struct rp_error *error)
{
    return groups->count == 0 ? 0 : rpctl_reuseport_settle(error);
}

static int check_one_generation(const struct rpctl_group *group, struct rp_error *error)
{
    char text[RP_ADDRESS_TEXT_BYTES];

    for (size_t i = 1; i < group->model.count; i++) {
        if (group->members[i].generation == group->members[0].generation) continue;
        return rp_error_set(error, -EBUSY, "generations %u and %u both listen on %s: steering stays",
                            group->members[0].generation, group->members[i].generation,
                            rpctl_group_name(group, text));
    }
    return 0;
}

int rpctl_groups_detach(struct rpctl_groups *groups, struct rp_error *error)
{
    int result = rpctl_groups_verify(groups, error);
    size_t done = 0;

    if (result == 0 && rpctl_groups_need_steering(groups))
        result =
            rp_error_set(error, -EBUSY, "listeners that nobody serves are in the groups: steering stays");
    for (size_t i = 0; result == 0 && i < groups->count; i++)
        result = check_one_generation(groups->items[i], error);
    for (; result == 0 && done < groups->count; done++)
        result = rpctl_reuseport_detach(groups->items[done]->members[0].fd, error);
    if (result < 0) {
        for (size_t i = 0; i < done; i++)
            if (groups->items[i]->program) rpctl_group_reattach(groups->items[i], NULL);
        return result;
    }
    for (size_t i = 0; i < groups->count; i++) {
        free(groups->items[i]->program);
        groups->items[i]->program = NULL;
    }
    groups->share_count = 0;
    return 0;
}
