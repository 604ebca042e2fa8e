#include "pure/group_model.h"

#include <errno.h>

void rpctl_group_model_init(struct rpctl_group_model *model)
{
    model->count = 0;
}

int rpctl_group_model_append(struct rpctl_group_model *model, uint64_t id)
{
    if (rpctl_group_model_index_of(model, id) >= 0) return -EEXIST;
    if (model->count == RPCTL_GROUP_MAX) return -ENOSPC;
    model->ids[model->count++] = id;
    return 0;
}

int rpctl_group_model_remove(struct rpctl_group_model *model, uint64_t id)
{
    int index = rpctl_group_model_index_of(model, id);

    if (index < 0) return index;
    model->ids[index] = model->ids[--model->count];
    return 0;
}

int rpctl_group_model_index_of(const struct rpctl_group_model *model, uint64_t id)
{
    for (size_t i = 0; i < model->count; i++)
        if (model->ids[i] == id) return (int)i;
    return -ENOENT;
}

int rpctl_group_model_indices(const struct rpctl_group_model *model, const uint64_t *ids, size_t count,
                              uint16_t *ret_indices)
{
    for (size_t i = 0; i < count; i++) {
        int index = rpctl_group_model_index_of(model, ids[i]);

        if (index < 0) return index;
        ret_indices[i] = (uint16_t)index;
    }
    return 0;
}
