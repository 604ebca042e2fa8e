#include "pure/route_pattern.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(route_pattern, good)
{
    static const char *const good[] = {"/",
                                       "//",
                                       "/a",
                                       "/a/",
                                       "/{id}",
                                       "/{id}/",
                                       "/{a}/{b}",
                                       "/{path...}",
                                       "/a/{p...}",
                                       "/{a-B_1}/x",
                                       "/a%20b/caf%C3%A9",
                                       "/...",
                                       "/.",
                                       "/a...b/{c}",
                                       "/{A}/{a}"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_assert_eq(rp_route_pattern_check(good[i], NULL), 0, "%s", good[i]);
}

static void bad(const char *pattern, const char *word)
{
    struct rp_error error;
    cr_assert_eq(rp_route_pattern_check(pattern, &error), -EINVAL, "%s", pattern);
    cr_assert_not_null(strstr(error.message, pattern), "%s", error.message);
    cr_assert_not_null(strstr(error.message, word), "%s", error.message);
}

Test(route_pattern, bad)
{
    bad("", "begins with '/'");
    bad("a/b", "begins with '/'");
    bad("/a?b", "begins with '/'");
    bad("/a b", "blank");
    bad("/{}", "the name");
    bad("/{...}", "the name");
    bad("/{a.b}", "the name");
    bad("/{a..}", "the name");
    bad("/{a{b}", "the name");
    bad("/{", "whole segment");
    bad("/}", "whole segment");
    bad("/x{a}", "whole segment");
    bad("/{a}x", "whole segment");
    bad("/{a}.json", "whole segment");
    bad("/{p...}/", "at the end");
    bad("/{p...}/{q}", "at the end");
    bad("/{a}/b/{a}", "one name");
    bad("/{a}/{a...}", "one name");
    bad("/%", "two hex digits");
    bad("/%4", "two hex digits");
    bad("/%zz/{a}", "two hex digits");
    bad("/%00", "two hex digits");
}

static void takes(const char *pattern, const char *path, const char *name, const char *expected)
{
    size_t length = 99;
    const char *value = rp_route_pattern_value(pattern, path, strlen(path), name, &length);
    cr_assert_not_null(value, "%s %s", pattern, path);
    cr_assert_eq(length, strlen(expected), "%s %s: %zu", pattern, path, length);
    cr_assert_arr_eq(value, expected, length);
    cr_assert(value >= path && value + length <= path + strlen(path));
}

Test(route_pattern, values)
{
    takes("/users/{id}", "/users/7", "id", "7");
    takes("/{a}/{b}", "/1/2", "a", "1");
    takes("/{a}/{b}", "/1/2", "b", "2");
    takes("/{a}/x/{b}/", "/%2F/x/a+b/", "a", "%2F");
    takes("/{a}/x/{b}/", "/%2F/x/a+b/", "b", "a+b");
    takes("/files/{path...}", "/files/a/b//c", "path", "a/b//c");
    takes("/files/{path...}", "/files//", "path", "/");
    takes("/files/{path...}", "/files/", "path", "");
    takes("/{a}/{rest...}", "/x/", "rest", "");
}

Test(route_pattern, no_such_parameter)
{
    size_t length = 99;
    cr_assert_null(rp_route_pattern_value("/a/{b}", "/a/c", 4, "a", &length));
    cr_assert_null(rp_route_pattern_value("/a/{b}", "/a/c", 4, "", &length));
    cr_assert_null(rp_route_pattern_value("/a/{bc}", "/a/c", 4, "b", &length));
    cr_assert_null(rp_route_pattern_value("*", "*", 1, "b", &length));
    cr_assert_eq(length, 99u);
}

Test(route_pattern, ends_where_the_path_ends)
{
    size_t length;
    const char *value = rp_route_pattern_value("/{a}", "/bcd/e", 3, "a", &length);
    cr_assert_eq(length, 2u);
    cr_assert_arr_eq(value, "bc", 2);
}
