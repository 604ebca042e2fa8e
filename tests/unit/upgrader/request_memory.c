/* A request for which there is no memory is not a wrong one: its source, and jansson, are given an allocator
 * that fails. */
#include "failing_memory.h"

#define calloc failing_calloc
#define malloc failing_malloc
#include "pure/json_memory.c"
#include "pure/request.c"
#undef calloc
#undef malloc

#include "fixture.h"

static const char line[] =
    "{\"v\":1,\"command\":\"upgrade\",\"binary\":\"/srv/v2\",\"args\":[\"a\",\"\\u00fc\"],\"env\":[\"A=1\"],"
    "\"policy\":{\"bake\":\"2s\"}}";

Test(request_memory, every_allocation_fails_once)
{
    struct rp_error error = {0};
    struct rpctl_request request;
    int n = 0, result = -ENOMEM;

    for (; result < 0; n++) {
        allocations_until_failure = n;
        result = rpctl_request_decode(&request, line, sizeof line - 1, &error);
        cr_assert(result == 0 || result == -ENOMEM, "allocation %d: %s", n, error.message);
    }
    cr_assert_geq(n, 20);
    rpctl_request_done(&request);
    allocations_until_failure = -1;
    cr_assert_eq(rpctl_request_decode(&request, line, sizeof line - 2, &error), -EINVAL);
    expect_no_leak();
}
