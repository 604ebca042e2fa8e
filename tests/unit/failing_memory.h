/* An allocator that fails at will, for a test that takes in the source it is about, with calloc, malloc and
 * so on defined as these. */
#ifndef TEST_FAILING_MEMORY_H
#define TEST_FAILING_MEMORY_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int allocations_until_failure = -1; /* -1: none fails */
static bool all_allocations_fail;

static inline bool allocation_fails(void)
{
    if (all_allocations_fail) return true;
    return allocations_until_failure >= 0 && allocations_until_failure-- == 0;
}

static inline void *failing_calloc(size_t count, size_t bytes)
{
    return allocation_fails() ? NULL : calloc(count, bytes);
}

static inline void *failing_malloc(size_t bytes)
{
    return allocation_fails() ? NULL : malloc(bytes);
}

static inline void *failing_realloc(void *memory, size_t bytes)
{
    return allocation_fails() ? NULL : realloc(memory, bytes);
}

static inline char *failing_strdup(const char *text)
{
    return allocation_fails() ? NULL : strdup(text);
}

#endif
