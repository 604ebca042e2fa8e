#include "load/windows.h"
#include "load/deadlines.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

Test(windows, time_is_booked_on_the_current_one)
{
    struct load_windows windows = {.count = 0};
    cr_assert_eq(load_windows_mark(&windows, "steady", 100), 0);
    cr_assert_eq(load_windows_mark(&windows, "upgrade", 150), 0);
    cr_assert_eq(load_windows_mark(&windows, "steady", 170), 0);
    load_windows_settle(&windows, 1000);
    load_windows_settle(&windows, 1001);
    cr_assert_eq(windows.count, 2);
    cr_assert_str_eq(windows.current->name, "steady");
    cr_assert_eq(windows.items[0]->open_ns, 50 + 831);
    cr_assert_eq(windows.items[1]->open_ns, 20);
    load_windows_done(&windows);
    cr_assert_eq(windows.count, 0);
}

Test(windows, limits)
{
    struct load_windows windows = {.count = 0};
    char name[LOAD_WINDOW_NAME_BYTES + 1];
    memset(name, 'n', LOAD_WINDOW_NAME_BYTES);
    name[LOAD_WINDOW_NAME_BYTES] = '\0';
    cr_assert_eq(load_windows_mark(&windows, name, 0), -ENAMETOOLONG);
    cr_assert_null(windows.current);
    cr_assert_eq(load_windows_mark(&windows, name + 1, 0), 0);
    for (int i = 1; i < LOAD_WINDOWS_MAX; i++) {
        snprintf(name, sizeof(name), "%d", i);
        cr_assert_eq(load_windows_mark(&windows, name, 0), 0);
    }
    cr_assert_eq(load_windows_mark(&windows, "one more", 0), -ENOSPC);
    cr_assert_str_eq(windows.current->name, name);
    cr_assert_eq(load_windows_mark(&windows, "7", 0), 0);
    load_windows_done(&windows);
}

Test(deadlines, the_next_is_the_smallest)
{
    struct load_deadlines deadlines;
    cr_assert_eq(load_deadlines_init(&deadlines, 3), 0);
    cr_assert_eq(load_deadlines_next_ns(&deadlines), LOAD_DEADLINE_NONE);
    deadlines.at_ns[1] = 7;
    deadlines.at_ns[2] = 5;
    cr_assert_eq(load_deadlines_next_ns(&deadlines), 5);
    deadlines.at_ns[2] = LOAD_DEADLINE_NONE;
    cr_assert_eq(load_deadlines_next_ns(&deadlines), 7);
    load_deadlines_postpone(&deadlines, 100);
    cr_assert_eq(deadlines.at_ns[0], LOAD_DEADLINE_NONE);
    cr_assert_eq(load_deadlines_next_ns(&deadlines), 107);
    load_deadlines_done(&deadlines);
}
