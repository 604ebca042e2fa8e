#include "pure/http_date.h"

#include <criterion/criterion.h>
#include <time.h>

static void same_as_libc(int64_t seconds)
{
    char text[RP_HTTP_DATE_BYTES], expected[64];
    time_t time = (time_t)seconds;
    struct tm tm;
    gmtime_r(&time, &tm);
    strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    rp_http_date_format(seconds, text);
    cr_assert_str_eq(text, expected);
}

Test(http_date, known)
{
    char text[RP_HTTP_DATE_BYTES];
    rp_http_date_format(784111777, text);
    cr_assert_str_eq(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    rp_http_date_format(0, text);
    cr_assert_str_eq(text, "Thu, 01 Jan 1970 00:00:00 GMT");
    rp_http_date_format(253402300799, text);
    cr_assert_str_eq(text, "Fri, 31 Dec 9999 23:59:59 GMT");
}

/* A prime step of a bit less than a day, through 400 years and all their leap days. */
Test(http_date, agrees_with_libc)
{
    for (int64_t seconds = 0; seconds < INT64_C(14000000000); seconds += 86381) same_as_libc(seconds);
}
