/* The ordered close, held against a model of the kernel: every group of up to seven listeners with every
 * role. */
#include "pure/close_plan.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define LISTENERS_MAX 7

/* A program returns numbers; these are the ones it can return. */
struct program {
    bool names[RPCTL_GROUP_MAX];
};

static enum rpctl_close_role role_of[LISTENERS_MAX]; /* by id */

static size_t count_role(const struct rpctl_group_model *model, enum rpctl_close_role role)
{
    size_t count = 0;

    for (size_t i = 0; i < model->count; i++) count += role_of[model->ids[i]] == role;
    return count;
}

/* What a packet may meet that sees this program and this group. */
static void assert_right(const struct program *program, const struct rpctl_group_model *model)
{
    bool falls_back = false, any = false;

    for (size_t i = 0; i < RPCTL_GROUP_MAX; i++) {
        if (!program->names[i]) continue;
        any = true;
        if (i >= model->count)
            falls_back = true;
        else
            cr_assert_eq(role_of[model->ids[i]], RPCTL_CLOSE_SERVING, "index %zu is not a serving one", i);
    }
    cr_assert(any);
    if (falls_back)
        cr_assert_eq(count_role(model, RPCTL_CLOSE_SERVING), model->count, "the fallback may err");
}

static void steer(struct program *program, const struct rpctl_group_model *model, const bool *excluded)
{
    memset(program, 0, sizeof(*program));
    for (size_t i = 0; i < model->count; i++)
        program->names[i] = role_of[model->ids[i]] == RPCTL_CLOSE_SERVING && !(excluded && excluded[i]);
}

static int next_step(const struct rpctl_group_model *model, struct rpctl_close_step *step)
{
    enum rpctl_close_role roles[LISTENERS_MAX];

    for (size_t i = 0; i < model->count; i++) roles[i] = role_of[model->ids[i]];
    return rpctl_close_plan_next(model, roles, step);
}

/* `stale` names what programs since the last grace period could return: packets under way may still act on
 * it. */
static void execute(struct rpctl_group_model *model, const struct rpctl_close_step *step,
                    struct program *stale)
{
    size_t serving = count_role(model, RPCTL_CLOSE_SERVING);
    struct program program;
    size_t excluded = 0;

    for (size_t i = 0; i < model->count; i++) {
        if (!step->excluded[i]) continue;
        excluded++;
        cr_assert_eq(role_of[model->ids[i]], RPCTL_CLOSE_SERVING);
    }
    cr_assert(excluded <= 1 || 2 * excluded <= serving, "too few carry the load");
    cr_assert_eq(step->settle, excluded > 0);
    steer(&program, model, step->excluded);
    if (serving > 0) {
        assert_right(&program, model);
        assert_right(stale, model);
    }
    for (size_t i = 0; i < RPCTL_GROUP_MAX; i++)
        stale->names[i] = program.names[i] || (stale->names[i] && !step->settle);
    for (size_t i = 0; i < step->close_count; i++) {
        cr_assert_eq(role_of[step->closes[i]], RPCTL_CLOSE_LEAVING);
        cr_assert_eq(rpctl_group_model_remove(model, step->closes[i]), 0);
        if (serving == 0) continue;
        assert_right(&program, model);
        assert_right(stale, model);
    }
}

static void try_roles(size_t count)
{
    struct rpctl_group_model model;
    struct rpctl_close_step step;
    struct program stale;
    size_t steps = 0, serving, leaving;
    int result;

    rpctl_group_model_init(&model);
    for (uint64_t id = 0; id < count; id++) rpctl_group_model_append(&model, id);
    steer(&stale, &model, NULL);
    serving = count_role(&model, RPCTL_CLOSE_SERVING);
    leaving = count_role(&model, RPCTL_CLOSE_LEAVING);
    while ((result = next_step(&model, &step)) == 0 && step.close_count > 0) {
        execute(&model, &step, &stale);
        cr_assert_leq(++steps, leaving);
    }
    if (result == 0) {
        cr_assert_eq(count_role(&model, RPCTL_CLOSE_LEAVING), 0);
        cr_assert_eq(count_role(&model, RPCTL_CLOSE_SERVING), serving);
    } else {
        cr_assert_eq(result, -EXDEV);
        cr_assert(rpctl_close_plan_is_refused(serving, model.count - serving));
    }
}

Test(close_plan, is_right_for_every_group_of_up_to_seven)
{
    for (size_t count = 0; count <= LISTENERS_MAX; count++) {
        size_t combinations = 1;

        for (size_t i = 0; i < count; i++) combinations *= 3;
        for (size_t combination = 0; combination < combinations; combination++) {
            size_t rest = combination;

            for (size_t i = 0; i < count; i++, rest /= 3) role_of[i] = (enum rpctl_close_role)(rest % 3);
            try_roles(count);
        }
    }
}

static int plan(size_t leaving, size_t serving, struct rpctl_close_step *step)
{
    struct rpctl_group_model model;
    enum rpctl_close_role roles[RPCTL_GROUP_MAX];

    rpctl_group_model_init(&model);
    for (uint64_t id = 0; id < leaving + serving; id++) {
        roles[id] = id < leaving ? RPCTL_CLOSE_LEAVING : RPCTL_CLOSE_SERVING;
        rpctl_group_model_append(&model, id);
    }
    return rpctl_close_plan_next(&model, roles, step);
}

Test(close_plan, one_for_one_needs_no_wait)
{
    struct rpctl_close_step step;

    cr_assert_eq(plan(1, 1, &step), 0);
    cr_assert_eq(step.close_count, 1);
    cr_assert_not(step.settle);
    cr_assert_not(rpctl_close_plan_is_refused(1, 1));
}

Test(close_plan, one_serving_below_several_is_refused)
{
    struct rpctl_close_step step;

    cr_assert_eq(plan(2, 1, &step), -EXDEV);
    cr_assert_eq(step.close_count, 0);
    cr_assert(rpctl_close_plan_is_refused(1, 2));
    cr_assert_not(rpctl_close_plan_is_refused(2, 100));
    cr_assert_not(rpctl_close_plan_is_refused(0, 3));
}

Test(close_plan, two_for_two_waits_once)
{
    struct rpctl_close_step step;

    cr_assert_eq(plan(2, 2, &step), 0);
    cr_assert(step.settle);
    cr_assert(step.excluded[3]);
    cr_assert_not(step.excluded[2]);
    /* Behind the second one all that are left serve, so it goes in the same step. */
    cr_assert_eq(step.close_count, 2);
    cr_assert_eq(step.closes[0], 1);
    cr_assert_eq(step.closes[1], 0);
}

Test(close_plan, large_groups_share_their_waits)
{
    struct rpctl_close_step step;

    cr_assert_eq(plan(64, 64, &step), 0);
    cr_assert_eq(step.close_count, 32);
    cr_assert_eq(step.closes[0], 63);
    cr_assert_eq(step.closes[31], 32);
    for (size_t i = 0; i < 128; i++) cr_assert_eq(step.excluded[i], i >= 96);
}
