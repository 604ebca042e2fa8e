/* Held against the model of the group: every group of up to six listeners with every fate, and every order in
 * which the doomed ones can leave. */
#include "pure/safe_indices.h"

#include "pure/group_model.h"

#include <criterion/criterion.h>

#define LISTENERS_MAX 6

static enum rpctl_fate fate_of[LISTENERS_MAX]; /* by id */

/* What a packet may meet for which the program returns `index`. */
static bool is_right(const struct rpctl_group_model *model, size_t index)
{
    if (index < model->count) return fate_of[model->ids[index]] == RPCTL_FATE_SERVES;
    for (size_t i = 0; i < model->count; i++)
        if (fate_of[model->ids[i]] != RPCTL_FATE_SERVES) return false;
    return true;
}

/* In every order of leaving, at every moment. */
static bool stays_right(const struct rpctl_group_model *model, size_t index)
{
    if (!is_right(model, index)) return false;
    for (size_t i = 0; i < model->count; i++) {
        struct rpctl_group_model after = *model;

        if (fate_of[model->ids[i]] != RPCTL_FATE_DOOMED) continue;
        rpctl_group_model_remove(&after, model->ids[i]);
        if (!stays_right(&after, index)) return false;
    }
    return true;
}

static void try_fates(size_t count)
{
    struct rpctl_group_model model;
    bool safe[LISTENERS_MAX];
    size_t told, found = 0;

    rpctl_group_model_init(&model);
    for (uint64_t id = 0; id < count; id++) rpctl_group_model_append(&model, id);
    told = rpctl_safe_indices(fate_of, count, safe);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(safe[i], fate_of[i] == RPCTL_FATE_SERVES && stays_right(&model, i), "%zu of %zu", i,
                     count);
        found += safe[i];
    }
    cr_assert_eq(told, found);
}

Test(safe_indices, are_those_that_stay_right_in_every_order_of_leaving)
{
    for (size_t count = 0; count <= LISTENERS_MAX; count++) {
        size_t combinations = 1;

        for (size_t i = 0; i < count; i++) combinations *= 3;
        for (size_t combination = 0; combination < combinations; combination++) {
            size_t rest = combination;

            for (size_t i = 0; i < count; i++, rest /= 3) fate_of[i] = (enum rpctl_fate)(rest % 3);
            try_fates(count);
        }
    }
}

static size_t behind(size_t doomed, size_t serving)
{
    enum rpctl_fate fates[2 * LISTENERS_MAX];
    bool safe[2 * LISTENERS_MAX];

    for (size_t i = 0; i < doomed + serving; i++)
        fates[i] = i < doomed ? RPCTL_FATE_DOOMED : RPCTL_FATE_SERVES;
    return rpctl_safe_indices(fates, doomed + serving, safe);
}

Test(safe_indices, of_a_release_behind_the_one_that_goes)
{
    cr_assert_eq(behind(2, 2), 1);
    cr_assert_eq(behind(4, 4), 1);
    cr_assert_eq(behind(1, 3), 3);
    cr_assert_eq(behind(4, 3), 0);
    cr_assert_eq(behind(0, 3), 3);
}
