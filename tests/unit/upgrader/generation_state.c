#include "pure/generation_state.h"

#include <criterion/criterion.h>
#include <errno.h>

Test(generation_state, words_and_back)
{
    for (int i = 0; i < RPCTL_GENERATION_STATE_COUNT; i++) {
        enum rpctl_generation_state state;
        const char *name = rpctl_generation_state_name((enum rpctl_generation_state)i);
        cr_assert_eq(rpctl_generation_state_parse(&state, name), 0);
        cr_assert_eq((int)state, i);
    }
    for (int i = 0; i < RPCTL_INSTANCE_STATE_COUNT; i++) {
        enum rpctl_instance_state state;
        const char *name = rpctl_instance_state_name((enum rpctl_instance_state)i);
        cr_assert_eq(rpctl_instance_state_parse(&state, name), 0);
        cr_assert_eq((int)state, i);
    }
}

Test(generation_state, other_words)
{
    enum rpctl_generation_state generation = RPCTL_GENERATION_STANDBY;
    enum rpctl_instance_state instance = RPCTL_INSTANCE_EXITED;
    cr_assert_eq(rpctl_generation_state_parse(&generation, "ready"), -EINVAL);
    cr_assert_eq(rpctl_generation_state_parse(&generation, NULL), -EINVAL);
    cr_assert_eq(rpctl_instance_state_parse(&instance, "serving"), -EINVAL);
    cr_assert_eq(rpctl_instance_state_parse(&instance, ""), -EINVAL);
    cr_assert_eq(generation, RPCTL_GENERATION_STANDBY);
    cr_assert_eq(instance, RPCTL_INSTANCE_EXITED);
}
