#include "pure/target.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

static void splits(const char *text, const char *path, const char *query)
{
    struct rp_target target;
    cr_assert(rp_target_split(&target, text, strlen(text)), "%s", text);
    cr_assert_eq(target.path_length, strlen(path), "%s", text);
    cr_assert_arr_eq(target.path, path, target.path_length);
    cr_assert_eq(target.query_length, strlen(query), "%s", text);
    if (target.query_length > 0) cr_assert_arr_eq(target.query, query, target.query_length);
}

Test(http_target, forms)
{
    splits("/", "/", "");
    splits("/a/b", "/a/b", "");
    splits("/a?b=c?d", "/a", "b=c?d");
    splits("/?", "/", "");
    splits("//x", "//x", "");
    splits("*", "*", "");
    splits("http://h", "/", "");
    splits("HTTPS://h:1/x?y", "/x", "y");
    splits("http://h?y", "/", "y");
}

static void authority_is(const char *text, const char *authority, bool absolute, bool secure)
{
    struct rp_target target;
    cr_assert(rp_target_split(&target, text, strlen(text)), "%s", text);
    cr_assert_eq(target.absolute, absolute, "%s", text);
    cr_assert_eq(target.secure, secure, "%s", text);
    cr_assert_eq(target.authority_length, strlen(authority), "%s", text);
    cr_assert_arr_eq(target.authority, authority, target.authority_length);
}

Test(http_target, authorities)
{
    authority_is("/a", "", false, false);
    authority_is("*", "", false, false);
    authority_is("http://h", "h", true, false);
    authority_is("http://u@h:1?x", "u@h:1", true, false);
    authority_is("https://[::1]:1/x", "[::1]:1", true, true);
    authority_is("http:///x", "", true, false);
}

Test(http_target, refused)
{
    static const char *const texts[] = {"", "x", "**", "http:/h", "http://", "ftp://h/", "?a"};
    struct rp_target target;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        cr_assert_not(rp_target_split(&target, texts[i], strlen(texts[i])), "%s", texts[i]);
}

static void has(const char *query, const char *name, const char *expected)
{
    char value[8];
    cr_assert_eq(rp_query_value(query, name, value, sizeof value), 0, "%s", query);
    cr_assert_str_eq(value, expected);
}

static void fails(const char *query, const char *name, int code)
{
    char value[8];
    cr_assert_eq(rp_query_value(query, name, value, sizeof value), code, "%s", query);
}

Test(http_target, query_values)
{
    has("a=1", "a", "1");
    has("a=1&b=2&b=3", "b", "2");
    has("a", "a", "");
    has("a=", "a", "");
    has("&&a=x=y", "a", "x=y");
    has("a=%41%7a+%2B", "a", "Az +");
    has("a=1234567", "a", "1234567");
    has("ab=1&a=2", "a", "2");
}

Test(http_target, query_values_as_sent)
{
    const char *query = "a=%41+b&c&d=";
    size_t length = 99;
    cr_assert_eq(rp_query_find(query, "a", &length), query + 2);
    cr_assert_eq(length, 5u);
    cr_assert_not_null(rp_query_find(query, "c", &length));
    cr_assert_eq(length, 0u);
    cr_assert_eq(rp_query_find(query, "d", &length), query + strlen(query));
    length = 99;
    cr_assert_null(rp_query_find(query, "b", &length));
    cr_assert_eq(length, 99u);
}

Test(http_target, query_errors)
{
    fails("", "a", -ENOENT);
    fails("b=1", "a", -ENOENT);
    fails("A=1", "a", -ENOENT);
    fails("a=12345678", "a", -ENOBUFS);
    fails("a=%", "a", -EINVAL);
    fails("a=%4", "a", -EINVAL);
    fails("a=%4&1", "a", -EINVAL);
    fails("a=%g0", "a", -EINVAL);
    fails("a=%00", "a", -EINVAL);
    char value[1];
    cr_assert_eq(rp_query_value("a=", "a", value, 1), 0);
    cr_assert_eq(rp_query_value("a=", "a", value, 0), -ENOBUFS);
}
