#include "pure/duration.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define DAY_MS 86400000u

static void is(const char *text, uint32_t expected)
{
    uint32_t ms = 77;
    cr_assert_eq(rp_duration_parse(&ms, text, DAY_MS, NULL), 0, "%s", text);
    cr_assert_eq(ms, expected, "%s: %u", text, ms);
}

static void fails(const char *text, int code)
{
    uint32_t ms = 77;
    struct rp_error error = {0};
    cr_assert_eq(rp_duration_parse(&ms, text, DAY_MS, &error), code, "%s", text);
    cr_assert_eq(ms, 77u);
    cr_assert_not_null(strstr(error.message, text));
}

Test(duration, good)
{
    is("500ms", 500);
    is("2s", 2000);
    is("1.5s", 1500);
    is("0.0015s", 1);
    is("1m", 60000);
    is("24h", DAY_MS);
    is("0", 0);
    is("0s", 0);
    is("000001s", 1000);
}

Test(duration, bad)
{
    static const char *const texts[] = {
        "",      "s",   "1",   "1 s",  " 1s",  "-1s", "+1s", "1sec",           "1S",
        "1..5s", "1.s", ".5s", "1e3s", "0x1s", "1s ", "1.5", "1234567890123s", "0.1234567890123s"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) fails(texts[i], -EINVAL);
    fails("86401s", -ERANGE);
    fails("999999999999h", -ERANGE);
}
