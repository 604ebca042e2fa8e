#include "pure/child_environment.h"
#include "fixture.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The array is the function's own, the strings are ours and constant. */
static char *const *strings(const char *const *list)
{
    return (char *const *)(uintptr_t)list;
}

static void expect(const char *const *base, const char *const *extra, const char *const *contract,
                   const char *const *wanted)
{
    char **made = rpctl_child_environment(strings(base), strings(extra), strings(contract));
    size_t i = 0;
    cr_assert_not_null(made);
    for (; wanted[i]; i++) {
        cr_assert_not_null(made[i], "%s is missing", wanted[i]);
        cr_assert_str_eq(made[i], wanted[i]);
    }
    cr_assert_null(made[i], "%s is too much", made[i]);
    free(made);
    expect_no_leak();
}

static const char *const nothing[] = {NULL};

Test(child_environment, of_nothing)
{
    expect(nothing, nothing, nothing, nothing);
    expect(NULL, NULL, NULL, nothing);
}

Test(child_environment, comes_in_order)
{
    expect(LIST("A=1", "B=2"), LIST("C=3"), LIST("RP_SERVICE=web"),
           LIST("A=1", "B=2", "C=3", "RP_SERVICE=web"));
    expect(LIST("A=1"), NULL, LIST("RP_SERVICE=web"), LIST("A=1", "RP_SERVICE=web"));
}

Test(child_environment, drops_what_the_supervisor_was_told_itself)
{
    expect(LIST("RP_SERVICE=outer", "NOTIFY_SOCKET=/run/x", "LISTEN_FDS=1", "LISTEN_PID=7",
                "LISTEN_FDNAMES=a", "RP_LISTEN=127.0.0.1:1", "HOME=/"),
           NULL, nothing, LIST("HOME=/"));
}

Test(child_environment, keeps_names_that_only_look_like_it)
{
    const char *const *alike =
        LIST("RP=1", "RPCTL_DIR=/x", "NOTIFY_SOCKETS=2", "LISTEN=3", "XRP_A=4", "rp_service=5");
    expect(alike, NULL, nothing, alike);
}

Test(child_environment, the_later_of_two_wins_in_its_place)
{
    expect(LIST("A=1", "B=2"), LIST("A=3"), nothing, LIST("A=3", "B=2"));
    expect(LIST("A=1"), LIST("B=2", "B=3"), nothing, LIST("A=1", "B=3"));
    expect(LIST("A=1", "A=2"), NULL, nothing, LIST("A=2"));
}

Test(child_environment, the_contract_has_the_last_word)
{
    expect(nothing, LIST("RP_GENERATION=99", "NOTIFY_SOCKET=/tmp/x"),
           LIST("RP_GENERATION=2", "NOTIFY_SOCKET=/run/notify"),
           LIST("RP_GENERATION=2", "NOTIFY_SOCKET=/run/notify"));
}

Test(child_environment, one_name_is_not_the_beginning_of_another)
{
    expect(LIST("PATH=/bin", "PATHS=x", "P=y"), LIST("PATH=/sbin"), nothing,
           LIST("PATH=/sbin", "PATHS=x", "P=y"));
}

Test(child_environment, values_are_not_looked_at)
{
    expect(LIST("A=", "B==", "C=RP_X=1"), LIST("A==B"), nothing, LIST("A==B", "B==", "C=RP_X=1"));
}

Test(child_environment, an_entry_without_a_value_does_no_harm)
{
    expect(LIST("ODD", "A=1"), LIST("A=2"), nothing, LIST("ODD", "A=2"));
    expect(LIST("ODD"), LIST("ODD=1"), nothing, LIST("ODD=1"));
}

Test(child_environment, the_strings_stay_the_callers)
{
    char own[] = "A=1";
    char **made = rpctl_child_environment(strings(LIST(own)), NULL, strings(nothing));
    cr_assert_eq(made[0], own);
    free(made);
}
