#include "pure/generation_state.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const char *const generation_names[] = {
#define X(name, text) text,
    RPCTL_GENERATION_STATES(X)
#undef X
};

static const char *const instance_names[] = {
#define X(name, text) text,
    RPCTL_INSTANCE_STATES(X)
#undef X
};

const char *rpctl_generation_state_name(enum rpctl_generation_state state)
{
    assert(state < RPCTL_GENERATION_STATE_COUNT);
    return generation_names[state];
}

const char *rpctl_instance_state_name(enum rpctl_instance_state state)
{
    assert(state < RPCTL_INSTANCE_STATE_COUNT);
    return instance_names[state];
}

static int find(const char *const *names, int count, const char *name)
{
    for (int i = 0; name && i < count; i++)
        if (strcmp(names[i], name) == 0) return i;
    return -EINVAL;
}

int rpctl_generation_state_parse(enum rpctl_generation_state *ret_state, const char *name)
{
    int found = find(generation_names, RPCTL_GENERATION_STATE_COUNT, name);

    if (found >= 0) *ret_state = (enum rpctl_generation_state)found;
    return found < 0 ? found : 0;
}

int rpctl_instance_state_parse(enum rpctl_instance_state *ret_state, const char *name)
{
    int found = find(instance_names, RPCTL_INSTANCE_STATE_COUNT, name);

    if (found >= 0) *ret_state = (enum rpctl_instance_state)found;
    return found < 0 ? found : 0;
}
