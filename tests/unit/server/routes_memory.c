/* A route for which there is no memory leaves the others as they are: the source is given an allocator that
 * fails. */
#include "failing_memory.h"

#define calloc  failing_calloc
#define malloc  failing_malloc
#define realloc failing_realloc
#define strdup  failing_strdup
#include "pure/routes.c"
#undef calloc
#undef malloc
#undef realloc
#undef strdup

#include <criterion/criterion.h>

#include "leaks.h"

static const char *const paths[] = {"/a/b", "/a/{id}", "/{path...}", "/a/{id}/c", "/a/a"};

#define PATHS (sizeof paths / sizeof paths[0])

/* Returns how many were added. */
static size_t add_paths(struct rp_routes *routes)
{
    const struct rp_route route = {0};
    struct rp_error error;
    for (size_t i = 0; i < PATHS; i++) {
        int result = rp_routes_add(routes, "GET", paths[i], &route, &error);
        if (result == 0) continue;
        cr_assert_eq(result, -ENOMEM, "%s", error.message);
        return i;
    }
    return PATHS;
}

Test(routes_memory, every_allocation_fails_once)
{
    size_t added = 0;
    int n = 0;
    for (; added < PATHS; n++) {
        struct rp_routes routes = {0};
        uint64_t allowed;
        allocations_until_failure = n;
        added = add_paths(&routes);
        cr_assert_eq(routes.count, added);
        for (size_t i = 0; i < added; i++)
            cr_assert_not_null(rp_routes_find(&routes, 1, paths[i], strlen(paths[i]), &allowed));
        rp_routes_free(&routes);
    }
    cr_assert_geq(n, 20);
    expect_no_leak();
}
