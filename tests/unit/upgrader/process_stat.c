#include "linux/process_stat.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define BEHIND " S 10 20 30 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456789012 9 9 9"

static struct rpctl_process_stat stat_of;

static void expect_numbers(const char *text)
{
    memset(&stat_of, 0, sizeof stat_of);
    cr_assert_eq(rpctl_process_stat_parse(text, &stat_of), 0, "%s", text);
    cr_assert_eq(stat_of.pid, 42);
    cr_assert_eq(stat_of.state, 'S');
    cr_assert_eq(stat_of.parent, 10);
    cr_assert_eq(stat_of.session, 30);
    cr_assert_eq(stat_of.start_time, 123456789012);
}

Test(process_stat, names_of_every_kind)
{
    expect_numbers("42 (server)" BEHIND);
    expect_numbers("42 ()" BEHIND);
    expect_numbers("42 (a b)" BEHIND);
    expect_numbers("42 (a) R 1 1 1 (b)" BEHIND);
    expect_numbers("42 (a)) S 9 9 9)" BEHIND "\n");
    expect_numbers("42 (a\nb)" BEHIND);
}

Test(process_stat, bad_texts)
{
    static const char *const texts[] = {"",
                                        "42",
                                        "42 (a",
                                        "42 (a)",
                                        "x (a)" BEHIND,
                                        "42 (a) S 10 20",
                                        "42 a" BEHIND,
                                        "42 (a) S 10 20 30 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 x"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        cr_assert_eq(rpctl_process_stat_parse(texts[i], &stat_of), -EPROTO, "%s", texts[i]);
}

Test(process_stat, our_own)
{
    prctl(PR_SET_NAME, ") S 1 (2");
    cr_assert_eq(rpctl_process_stat_read(getpid(), &stat_of), 0);
    cr_assert_eq(stat_of.pid, getpid());
    cr_assert_eq(stat_of.parent, getppid());
    cr_assert_eq(stat_of.session, getsid(0));
    cr_assert_gt(stat_of.start_time, 0);
}
