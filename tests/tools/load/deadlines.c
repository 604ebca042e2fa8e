#include "deadlines.h"

#include <errno.h>
#include <stdlib.h>

int load_deadlines_init(struct load_deadlines *deadlines, size_t count)
{
    deadlines->at_ns = malloc(count * sizeof(*deadlines->at_ns));
    if (!deadlines->at_ns) return -ENOMEM;
    deadlines->count = count;
    for (size_t i = 0; i < count; i++) deadlines->at_ns[i] = LOAD_DEADLINE_NONE;
    return 0;
}

void load_deadlines_done(struct load_deadlines *deadlines)
{
    free(deadlines->at_ns);
    deadlines->at_ns = NULL;
}

void load_deadlines_postpone(struct load_deadlines *deadlines, uint64_t by_ns)
{
    for (size_t i = 0; i < deadlines->count; i++)
        if (deadlines->at_ns[i] != LOAD_DEADLINE_NONE) deadlines->at_ns[i] += by_ns;
}

uint64_t load_deadlines_next_ns(const struct load_deadlines *deadlines)
{
    uint64_t next = LOAD_DEADLINE_NONE;
    for (size_t i = 0; i < deadlines->count; i++)
        if (deadlines->at_ns[i] < next) next = deadlines->at_ns[i];
    return next;
}
