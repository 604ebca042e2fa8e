#include "pure/exit_hint.h"

#include <criterion/criterion.h>
#include <string.h>

static struct rp_address address;
static char text[RPCTL_EXIT_HINT_BYTES];

static void set_up(void)
{
    cr_assert_eq(rp_address_parse(&address, "127.0.0.1:8000", NULL), 0);
}

TestSuite(exit_hint, .init = set_up);

Test(exit_hint, nothing_is_known)
{
    struct rpctl_exit_facts facts = {.user = 1, .group_user = 2, .address = &address};
    rpctl_exit_hint(&facts, text);
    cr_assert_str_eq(text, "", "another user alone is no reason: it may have bound before it changed");
}

Test(exit_hint, background)
{
    struct rpctl_exit_facts facts = {.in_background = true, .address_in_use = true, .address = &address};
    rpctl_exit_hint(&facts, text);
    cr_assert_str_eq(text, ", but runs on in the background: start it in the foreground");
}

Test(exit_hint, without_reuseport)
{
    struct rpctl_exit_facts facts = {.address_in_use = true, .address = &address};
    rpctl_exit_hint(&facts, text);
    cr_assert_str_eq(text, "; an address is in use, says its log: let it set SO_REUSEPORT before bind() to "
                           "127.0.0.1:8000");
}

Test(exit_hint, another_user)
{
    struct rpctl_exit_facts facts = {
        .address_in_use = true, .user = 65534, .group_user = 0, .address = &address};
    rpctl_exit_hint(&facts, text);
    cr_assert_str_eq(text, "; an address is in use, says its log: it ran as user 65534, and the listeners on "
                           "127.0.0.1:8000 belong to user 0; run it as that user");
}

Test(exit_hint, no_address_is_known)
{
    struct rpctl_exit_facts facts = {.address_in_use = true};
    rpctl_exit_hint(&facts, text);
    cr_assert_str_eq(text, "");
}

Test(exit_hint, log_lines)
{
    cr_assert(rpctl_log_line_says_in_use("OSError: [Errno 98] Address already in use"));
    cr_assert(rpctl_log_line_says_in_use("listen tcp 127.0.0.1:80: bind: address already in use"));
    cr_assert(rpctl_log_line_says_in_use("Error: listen EADDRINUSE: 0.0.0.0:80"));
    cr_assert(rpctl_log_line_says_in_use("bind: Address in use"));
    cr_assert_not(rpctl_log_line_says_in_use("address book: 3 in use"));
    cr_assert_not(rpctl_log_line_says_in_use(""));
}
