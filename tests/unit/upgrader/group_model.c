#include "pure/group_model.h"

#include <criterion/criterion.h>
#include <errno.h>

Test(group_model, appends_in_order_and_finds)
{
    struct rpctl_group_model model;

    rpctl_group_model_init(&model);
    cr_assert_eq(rpctl_group_model_index_of(&model, 7), -ENOENT);
    for (uint64_t id = 10; id < 16; id++) cr_assert_eq(rpctl_group_model_append(&model, id), 0);
    cr_assert_eq(model.count, 6);
    for (uint64_t id = 10; id < 16; id++) cr_assert_eq(rpctl_group_model_index_of(&model, id), (int)id - 10);
}

/* The case that was seen in the kernel: six listeners, 1 and 4 closed -> 0, 5, 2, 3. */
Test(group_model, the_last_takes_the_slot_of_the_one_that_leaves)
{
    static const uint64_t expected[] = {0, 5, 2, 3};
    struct rpctl_group_model model;

    rpctl_group_model_init(&model);
    for (uint64_t id = 0; id < 6; id++) rpctl_group_model_append(&model, id);
    cr_assert_eq(rpctl_group_model_remove(&model, 1), 0);
    cr_assert_eq(rpctl_group_model_remove(&model, 4), 0);
    cr_assert_eq(model.count, 4);
    cr_assert_arr_eq(model.ids, expected, sizeof(expected));
    cr_assert_eq(rpctl_group_model_remove(&model, 3), 0);
    cr_assert_eq(model.count, 3);
    cr_assert_arr_eq(model.ids, expected, 3 * sizeof(expected[0]));
}

Test(group_model, refuses_doubles_strangers_and_too_many)
{
    struct rpctl_group_model model;

    rpctl_group_model_init(&model);
    cr_assert_eq(rpctl_group_model_remove(&model, 1), -ENOENT);
    cr_assert_eq(rpctl_group_model_append(&model, 1), 0);
    cr_assert_eq(rpctl_group_model_append(&model, 1), -EEXIST);
    for (uint64_t id = 2; id <= RPCTL_GROUP_MAX; id++) cr_assert_eq(rpctl_group_model_append(&model, id), 0);
    cr_assert_eq(rpctl_group_model_append(&model, RPCTL_GROUP_MAX + 1), -ENOSPC);
    cr_assert_eq(model.count, RPCTL_GROUP_MAX);
}

Test(group_model, lists_the_indices_of_a_subset)
{
    struct rpctl_group_model model;
    uint64_t wanted[] = {12, 10}, unknown[] = {12, 99};
    uint16_t indices[2];

    rpctl_group_model_init(&model);
    for (uint64_t id = 10; id < 14; id++) rpctl_group_model_append(&model, id);
    cr_assert_eq(rpctl_group_model_indices(&model, wanted, 2, indices), 0);
    cr_assert_eq(indices[0], 2);
    cr_assert_eq(indices[1], 0);
    cr_assert_eq(rpctl_group_model_indices(&model, unknown, 2, indices), -ENOENT);
    cr_assert_eq(rpctl_group_model_indices(&model, NULL, 0, NULL), 0);
}
