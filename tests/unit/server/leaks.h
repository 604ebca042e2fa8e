/* Makes a leak fail the test that made it: Criterion's processes end without LeakSanitizer's own check.
 *
 * Owns nothing. Outside an address-sanitizer build it does nothing. */
#ifndef TEST_SERVER_LEAKS_H
#define TEST_SERVER_LEAKS_H

#include <criterion/criterion.h>

__attribute__((weak)) int __lsan_do_recoverable_leak_check(void);

static inline void expect_no_leak(void)
{
    if (__lsan_do_recoverable_leak_check) cr_assert_eq(__lsan_do_recoverable_leak_check(), 0);
}

#endif
