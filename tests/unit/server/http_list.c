#include "pure/http_list.h"

#include <criterion/criterion.h>
#include <string.h>

static void is(const char *text, const char *expected)
{
    struct rp_http_list list = {.at = text, .left = strlen(text)};
    char got[64] = "";
    const char *element;
    size_t length;
    while (rp_http_list_next(&list, &element, &length)) {
        strncat(got, element, length);
        strcat(got, "|");
    }
    cr_assert_str_eq(got, expected, "%s: %s", text, got);
}

Test(http_list, elements)
{
    is("a", "a|");
    is("a,b", "a|b|");
    is(" a , b c\t,\td", "a|b c|d|");
    is("", "|");
    is(",", "||");
    is("a,", "a||");
    is(" , a", "|a|");
}
