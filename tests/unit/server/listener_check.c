#include "pure/listener_check.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LIST_MAX 8

static size_t parse_list(struct rp_address *list, const char *text)
{
    size_t count;
    struct rp_error error = {0};
    cr_assert_eq(rp_address_parse_list(list, LIST_MAX, &count, text, &error), 0, "%s", error.message);
    return count;
}

struct row {
    const char *bound, *expected;
    bool allow_drop;
    const char *message; /* NULL: it passes */
};

static const struct row rows[] = {
    {"127.0.0.1:80", "", false, NULL},
    {"127.0.0.1:80", "127.0.0.1:80", false, NULL},
    {"127.0.0.1:80 127.0.0.1:80", "127.0.0.1:80", false, NULL},
    {"127.0.0.1:80 [::1]:90", "127.0.0.1:80", false, NULL},
    {"[::1]:90 127.0.0.1:80", "127.0.0.1:80 [::1]:90", false, NULL},
    /* missing */
    {"127.0.0.1:80", "127.0.0.1:81", false, "listens on 127.0.0.1:81 and this one does not"},
    {"127.0.0.1:80", "127.0.0.1:81", true, NULL},
    {"127.0.0.1:80", "127.0.0.1:80 [::1]:90", false, "listens on [::1]:90 and this one does not"},
    {"127.0.0.1:80", "127.0.0.1:80 [::1]:90", true, NULL},
    {"[::]:80", "0.0.0.0:80", false, "listens on 0.0.0.0:80 and this one does not"},
    {"[::]:80", "0.0.0.0:80", true, NULL},
    {"[::]:80/v6only", "[::]:80", false, "listens on [::]:80 and this one does not"},
    {"[::]:80", "[::]:80/v6only", false, "listens on [::]:80/v6only and this one does not"},
    /* shadows, which allow_drop does not excuse */
    {"127.0.0.1:80", "0.0.0.0:80", false, "a listener on 127.0.0.1:80 would"},
    {"127.0.0.1:80", "0.0.0.0:80", true, "connections from the running release on 0.0.0.0:80"},
    {"0.0.0.0:80", "[::]:80", true, "a listener on 0.0.0.0:80 would"},
    {"0.0.0.0:80 127.0.0.1:80", "0.0.0.0:80", false, "a listener on 127.0.0.1:80 would"},
    {"[::]:80 [::1]:80", "[::]:80", false, "a listener on [::1]:80 would"},
    /* one expected address over another: both groups are pinned */
    {"0.0.0.0:80 [::]:80", "[::]:80 0.0.0.0:80", false, NULL},
    {"0.0.0.0:80 127.0.0.1:80", "127.0.0.1:80 0.0.0.0:80", false, NULL},
    {"127.0.0.1:80", "127.0.0.1:80 0.0.0.0:80", true, NULL},
    {"0.0.0.0:80 127.0.0.1:80 127.0.0.2:80", "127.0.0.1:80 0.0.0.0:80", false,
     "a listener on 127.0.0.2:80 would"},
};

Test(listener_check, against_the_old_generation)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        struct rp_address bound[LIST_MAX], expected[LIST_MAX];
        struct rp_listener items[LIST_MAX];
        struct rp_listeners listeners = {items, parse_list(bound, row->bound)};
        size_t count = parse_list(expected, row->expected);
        for (size_t k = 0; k < listeners.count; k++) items[k] = (struct rp_listener){bound[k], -1, false};
        struct rp_error error = {0};
        int result = rp_listeners_check(&listeners, expected, count, row->allow_drop, &error);
        cr_assert_eq(result, row->message == NULL ? 0 : -EADDRNOTAVAIL, "row %zu: %s", i, error.message);
        if (row->message == NULL) continue;
        cr_assert(strstr(error.message, row->message) != NULL, "row %zu: %s", i, error.message);
        cr_assert_eq(rp_listeners_check(&listeners, expected, count, row->allow_drop, NULL), result);
    }
}

Test(listener_check, requests)
{
    struct rp_address list[LIST_MAX] = {0};
    struct rp_error error = {0};
    cr_assert_eq(rp_listeners_check_request(list, 0, 2, &error), -EINVAL);
    cr_assert(strstr(error.message, "no address") != NULL);
    size_t count = parse_list(list, "127.0.0.1:80 [::1]:80 127.0.0.1:80");
    cr_assert_eq(rp_listeners_check_request(list, count, 2, &error), -EINVAL);
    cr_assert(strstr(error.message, "127.0.0.1:80 is given twice") != NULL, "%s", error.message);
    cr_assert_eq(rp_listeners_check_request(list, 2, 2, &error), 0);
    cr_assert_eq(rp_listeners_check_request(list, 2, RP_LISTENERS_MAX / 2, &error), 0);
    cr_assert_eq(rp_listeners_check_request(list, 2, RP_LISTENERS_MAX / 2 + 1, &error), -E2BIG);
    cr_assert_eq(rp_listeners_check_request(list, 1, RP_LISTENERS_MAX, &error), 0);
    cr_assert_eq(rp_listeners_check_request(list, 1, RP_LISTENERS_MAX + 1, &error), -E2BIG);
    cr_assert_eq(rp_listeners_check_request(list, 1, 4294967295u, &error), -E2BIG);
    cr_assert(strstr(error.message, "250 in all") != NULL, "%s", error.message);
}

Test(listener_check, inherited_ones_must_be_asked_for)
{
    struct rp_address list[LIST_MAX];
    struct rp_error error = {0};
    size_t count = parse_list(list, "127.0.0.1:80 [::]:80");
    struct rp_listener items[2] = {{list[0], 3, true}, {list[1], 4, true}};
    struct rp_listeners inherited = {items, 2}, none = {0};
    cr_assert_eq(rp_listeners_check_inherited(&none, list, count, &error), 0);
    cr_assert_eq(rp_listeners_check_inherited(&inherited, list, count, &error), 0);
    cr_assert_eq(rp_listeners_check_inherited(&inherited, list, 1, &error), -EADDRNOTAVAIL);
    cr_assert(strstr(error.message, "descriptor 4 from LISTEN_FDS listens on [::]:80") != NULL, "%s",
              error.message);
}
