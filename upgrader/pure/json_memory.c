#include "pure/json_memory.h"
#include <jansson.h>
#include <stdlib.h>

static bool was_short;

static void *allocate(size_t bytes)
{
    void *memory = malloc(bytes);
    if (!memory) was_short = true;
    return memory;
}

void rpctl_json_memory_watch(void)
{
    json_set_alloc_funcs(allocate, free);
    was_short = false;
}

bool rpctl_json_memory_was_short(void)
{
    return was_short;
}
