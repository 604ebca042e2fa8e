/* Durations and points in time as text. */
#include "fixture.h"
#include "pure/duration.h"
#include "pure/timestamp.h"
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

Test(duration, parse)
{
    unsigned ms = 7;
    cr_assert_eq(rpctl_duration_parse(&ms, "0"), 0);
    cr_assert_eq(ms, 0);
    cr_assert_eq(rpctl_duration_parse(&ms, "000"), 0);
    cr_assert_eq(rpctl_duration_parse(&ms, "1193h"), 0);
    cr_assert_eq(ms, 4294800000u);
    cr_assert_eq(rpctl_duration_parse(&ms, "4294967295ms"), 0);
    cr_assert_eq(ms, UINT_MAX);
    ms = 7;
    cr_assert_eq(rpctl_duration_parse(&ms, "4294967296ms"), -ERANGE);
    cr_assert_eq(rpctl_duration_parse(&ms, "1194h"), -ERANGE);
    cr_assert_eq(rpctl_duration_parse(&ms, "99999999999999999999999s"), -ERANGE);
    static const char *const bad[] = {"", "1", "ms", "1 ms", "1msx", "-1s", "1e3s", "0x1s", "00x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_eq(rpctl_duration_parse(&ms, bad[i]), -EINVAL, "%s", bad[i]);
    cr_assert_eq(ms, 7);
}

Test(duration, format_round_trip)
{
    static const struct {
        unsigned ms;
        const char *text;
    } cases[] = {{0, "0s"},       {1, "1ms"},       {1500, "1500ms"},
                 {2000, "2s"},    {90000, "90s"},   {60000, "1m"},
                 {3600000, "1h"}, {5400000, "90m"}, {UINT_MAX, "4294967295ms"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[RPCTL_DURATION_BYTES];
        unsigned ms;
        rpctl_duration_format(cases[i].ms, text);
        cr_assert_str_eq(text, cases[i].text);
        cr_assert_eq(rpctl_duration_parse(&ms, text), 0);
        cr_assert_eq(ms, cases[i].ms);
    }
}

Test(duration, describe)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } cases[] = {{0, "0 ms"},
                 {999, "999 ms"},
                 {1000, "1.00 s"},
                 {1292, "1.29 s"},
                 {1996, "2.00 s"},
                 {59994, "59.99 s"},
                 {59995, "1 min 0 s"},
                 {125000, "2 min 5 s"},
                 {3600000, "1 h 0 min"},
                 {11400000, "3 h 10 min"},
                 {360000000, "4 d 4 h"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[RPCTL_DURATION_BYTES];
        rpctl_duration_describe(cases[i].ms, text);
        cr_assert_str_eq(text, cases[i].text);
    }
}

Test(duration, describe_uptime)
{
    static const struct {
        uint64_t seconds;
        const char *text;
    } cases[] = {{0, "0 s"},       {59, "59 s"},        {60, "1 min"},
                 {3599, "59 min"}, {3661, "1 h 1 min"}, {90000, "1 d 1 h"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[RPCTL_DURATION_BYTES];
        rpctl_duration_describe_uptime(cases[i].seconds, text);
        cr_assert_str_eq(text, cases[i].text);
    }
}

/* The C library is the witness, over every day of five centuries. */
Test(timestamp, agrees_with_gmtime)
{
    int wrong = 0;
    for (int64_t day = 0; day < 182500; day++) {
        time_t seconds = (time_t)(day * 86400 + day % 86400);
        struct tm parts;
        char wanted[RPCTL_TIMESTAMP_BYTES], text[RPCTL_TIMESTAMP_BYTES];
        int64_t parsed = -1;
        strftime(wanted, sizeof wanted, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &parts));
        rpctl_timestamp_format(seconds, text);
        if (strcmp(text, wanted) != 0 || rpctl_timestamp_parse(&parsed, text) != 0 || parsed != seconds)
            wrong++;
    }
    cr_assert_eq(wrong, 0);
}

Test(timestamp, ends)
{
    char text[RPCTL_TIMESTAMP_BYTES];
    int64_t seconds;
    rpctl_timestamp_format(-5, text);
    cr_assert_str_eq(text, "1970-01-01T00:00:00Z");
    rpctl_timestamp_format(INT64_MAX, text);
    cr_assert_str_eq(text, "9999-12-31T23:59:59Z");
    cr_assert_eq(rpctl_timestamp_parse(&seconds, "2000-02-29T23:59:60.123Z"), 0);
    cr_assert_eq(seconds, 951868800);
}

Test(timestamp, refuses)
{
    static const char *const bad[] = {"",
                                      "2030",
                                      "2030-01-31",
                                      "2030-01-31T12:00:00",
                                      "2030-01-31T12:00:00+00:00",
                                      "2030-13-01T00:00:00Z",
                                      "2030-00-01T00:00:00Z",
                                      "2030-02-29T00:00:00Z",
                                      "2100-02-29T00:00:00Z",
                                      "2030-01-32T00:00:00Z",
                                      "2030-01-00T00:00:00Z",
                                      "1969-12-31T23:59:59Z",
                                      "2030-01-01T24:00:00Z",
                                      "2030-01-01T00:60:00Z",
                                      "2030-01-01T00:00:61Z",
                                      "2030-01-01T00:00:00.Z",
                                      "2030-01-01T00:00:00ZZ",
                                      "2030-01-01t00:00:00Z",
                                      "203x-01-01T00:00:00Z",
                                      "2030/01-01T00:00:00Z"};
    int64_t seconds = 5;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_eq(rpctl_timestamp_parse(&seconds, bad[i]), -EINVAL, "%s", bad[i]);
    cr_assert_eq(seconds, 5);
}
