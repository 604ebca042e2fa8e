/* What the files of linux/groups share: the structs, and the steps one of them takes for another.
 *
 * Owns nothing beyond linux/groups.h. `listeners` and `model.ids` run in parallel: entry i is the listener
 * that stands at index i, as believed; `order_known` says whether that was learnt. */
#ifndef RPCTL_GROUPS_INTERNAL_H
#define RPCTL_GROUPS_INTERNAL_H

#include "linux/groups.h"
#include "pure/close_plan.h"
#include "pure/group_model.h"
#include "pure/steering.h"

struct rpctl_group_member {
    int fd;
    unsigned generation;
    unsigned instance;
    uid_t user;
    bool waiting; /* for a process: nobody accepts from it */
    bool doomed;  /* nobody but us holds it open, or will in a moment */
    bool hidden;  /* out of sight of new connections */
};

struct rpctl_group {
    struct rp_address address;
    unsigned device; /* interface it is bound to, 0 = none */
    struct rpctl_group_model model;
    struct rpctl_group_member members[RPCTL_GROUP_MAX];
    bool order_known;
    struct sock_filter *program; /* in force as far as we know, without probes; NULL = none */
    size_t program_length;
    struct rpctl_close_step step; /* of a closing under way */
};

struct rpctl_groups {
    struct rpctl_group *items[RPCTL_GROUPS_MAX];
    size_t count;
    struct rpctl_share shares[RPCTL_GROUPS_SHARES_MAX]; /* steered last */
    size_t share_count;
    struct rpctl_filter_program scratch;
};

/* Describes a group for a message; the buffer is returned. */
const char *rpctl_group_name(const struct rpctl_group *group, char text[RP_ADDRESS_TEXT_BYTES]);

size_t rpctl_group_count_of(const struct rpctl_group *group, unsigned generation);

/* Takes a member out of model and array, as the kernel does, and closes our duplicate. */
void rpctl_group_remove(struct rpctl_group *group, size_t index);

/* Frees the groups that have no member left. */
void rpctl_groups_drop_empty(struct rpctl_groups *groups);

/* -EEXIST, -ESTALE: see rpctl_groups_verify. */
int rpctl_group_verify(const struct rpctl_group *group, struct rp_error *error);

/* Does this generation get a part of what is steered now? */
bool rpctl_groups_is_chosen(const struct rpctl_groups *groups, unsigned generation);

/* Does somebody listen there who is? Where not, nothing depends on the order, nor on who else is there. */
bool rpctl_group_is_steered(const struct rpctl_groups *groups, const struct rpctl_group *group);

/* rpctl_groups_learn for the groups that are steered. */
int rpctl_groups_learn_steered(struct rpctl_groups *groups, struct rp_error *error);

/* It waits for a process while others of its generation in the group are served: nothing is steered to it. */
bool rpctl_group_is_passed_over(const struct rpctl_group *group, size_t index);

/* Attaches the remembered shares to one group, without the indices that are excluded (NULL = none) and
 * without probes, and keeps the program. A group in which no share has listeners is left alone. */
int rpctl_group_restore(struct rpctl_groups *groups, struct rpctl_group *group, const bool *excluded,
                        struct rp_error *error);

/* Puts the program that is kept into force again, or detaches when there is none. */
int rpctl_group_reattach(const struct rpctl_group *group, struct rp_error *error);

#endif
