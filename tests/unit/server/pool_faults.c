/* A pool that cannot be started leaves nothing: its source is given calls that fail. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <uv.h>

static int calls_until_failure = -1; /* -1: none fails */

static bool fails(void)
{
    return calls_until_failure >= 0 && calls_until_failure-- == 0;
}

static void *failing_calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : calloc(count, bytes);
}

static int failing_thread_create(uv_thread_t *thread, uv_thread_cb entry, void *argument)
{
    return fails() ? -EAGAIN : uv_thread_create(thread, entry, argument);
}

static int failing_mutex_init(uv_mutex_t *mutex)
{
    return fails() ? -ENOMEM : uv_mutex_init(mutex);
}

static int failing_cond_init(uv_cond_t *condition)
{
    return fails() ? -ENOMEM : uv_cond_init(condition);
}

#define calloc           failing_calloc
#define uv_thread_create failing_thread_create
#define uv_mutex_init    failing_mutex_init
#define uv_cond_init     failing_cond_init
#include "shell/pool.c"
#undef calloc
#undef uv_thread_create
#undef uv_mutex_init
#undef uv_cond_init

#include <criterion/criterion.h>
#include <string.h>

#include "leaks.h"

#define THREADS 3

Test(pool_faults, every_call_fails_once)
{
    struct rp_pool pool;
    struct rp_error error;
    int n = 0, result = -1;
    for (; result < 0; n++) {
        calls_until_failure = n;
        result = rp_pool_start(&pool, THREADS, &error);
        if (result == 0) break;
        cr_assert(result == -ENOMEM || result == -EAGAIN, "%d", result);
        cr_assert_not_null(strstr(error.message, "3 threads"), "%s", error.message);
        cr_assert_eq(pool.thread_count, 0u);
        rp_pool_stop(&pool);
    }
    cr_assert_eq(n, 3 + THREADS);
    rp_pool_stop(&pool);
    rp_pool_stop(&pool);
    expect_no_leak();
}

Test(pool_faults, none_at_all)
{
    struct rp_pool pool;
    cr_assert_eq(rp_pool_start(&pool, 0, NULL), 0);
    cr_assert_eq(pool.thread_count, 0u);
    rp_pool_stop(&pool);
}
