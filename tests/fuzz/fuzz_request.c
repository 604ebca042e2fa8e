/* A request line: what is accepted is written and read again, and says the same. */
#include "fuzz.h"
#include "pure/request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void expect_same_list(const char *const *left, const char *const *right)
{
    assert(!left == !right);
    if (!left) return;
    while (*left && *right) assert(strcmp(*left++, *right++) == 0);
    assert(!*left && !*right);
}

static void expect_same(const struct rpctl_request *left, const struct rpctl_request *right)
{
    assert(left->command == right->command);
    assert(!left->binary == !right->binary);
    if (left->binary) assert(strcmp(left->binary, right->binary) == 0);
    expect_same_list(left->args, right->args);
    expect_same_list(left->env, right->env);
    assert(!left->policy == !right->policy);
    if (left->policy) assert(json_equal(left->policy, right->policy));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rpctl_request first, second;
    struct rp_error error;
    char *line, *again;
    size_t length, length_again;

    if (rpctl_request_decode(&first, (const char *)data, size, &error) < 0) return 0;
    assert(rpctl_request_encode(&first, &line, &length, &error) == 0);
    assert(line[length - 1] == '\n' && !memchr(line, '\n', length - 1));
    assert(rpctl_request_decode(&second, line, length - 1, &error) == 0);
    expect_same(&first, &second);
    assert(rpctl_request_encode(&second, &again, &length_again, &error) == 0);
    assert(length == length_again && memcmp(line, again, length) == 0);
    free(again);
    free(line);
    rpctl_request_done(&second);
    rpctl_request_done(&first);
    return 0;
}
