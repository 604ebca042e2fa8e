/* What the tests of this folder share: an empty loop at the end, no leak, no descriptor left. */
#ifndef RPCTL_TEST_FIXTURE_H
#define RPCTL_TEST_FIXTURE_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <uv.h>

#if defined(__SANITIZE_ADDRESS__)
#define FIXTURE_HAS_LSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIXTURE_HAS_LSAN 1
#endif
#endif
#ifdef FIXTURE_HAS_LSAN
#include <sanitizer/lsan_interface.h>
#endif

/* Criterion does not fail a test that leaks, so each asks for itself, at the end of its body. */
static inline void expect_no_leak(void)
{
#ifdef FIXTURE_HAS_LSAN
    cr_assert_eq(__lsan_do_recoverable_leak_check(), 0, "memory was leaked");
#endif
}

static inline void expect_loop_empty(uv_loop_t *loop)
{
    cr_assert_eq(uv_run(loop, UV_RUN_DEFAULT), 0);
    cr_assert_eq(uv_loop_close(loop), 0, "a handle is left on the loop");
    expect_no_leak();
}

static inline int count_open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(dir)) count++;
    closedir(dir);
    return count;
}

#endif
