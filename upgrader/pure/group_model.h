/* The kernel's array of all listeners on one address and port, as a value: which listener stands at which
 * index.
 *
 * Owns nothing. The rules are those of net/core/sock_reuseport.c: listen() appends; when a listener leaves,
 * the last one takes its slot. Ids are the inode numbers of the sockets. */
#ifndef RPCTL_GROUP_MODEL_H
#define RPCTL_GROUP_MODEL_H

#include <stddef.h>
#include <stdint.h>

#define RPCTL_GROUP_MAX 1024 /* listeners in one group */

struct rpctl_group_model {
    uint64_t ids[RPCTL_GROUP_MAX];
    size_t count;
};

void rpctl_group_model_init(struct rpctl_group_model *model);

/* A listener has called listen(). -EEXIST when it is there already, -ENOSPC when the group is full. */
int rpctl_group_model_append(struct rpctl_group_model *model, uint64_t id);

/* A listener has left. -ENOENT when it is not there. */
int rpctl_group_model_remove(struct rpctl_group_model *model, uint64_t id);

/* The index of a listener, or -ENOENT. */
int rpctl_group_model_index_of(const struct rpctl_group_model *model, uint64_t id);

/* The indices of some listeners, in the order of `ids`, into `ret_indices` (room for `count`). -ENOENT when
 * one of them is not there; then `ret_indices` holds rubbish. */
int rpctl_group_model_indices(const struct rpctl_group_model *model, const uint64_t *ids, size_t count,
                              uint16_t *ret_indices);

#endif
