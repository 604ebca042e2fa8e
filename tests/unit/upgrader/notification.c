#include "pure/notification.h"
#include "pure/utf8.h"
#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static struct rpctl_notification parsed;

static const struct rpctl_notification *parse_bytes(const char *bytes, size_t length)
{
    memset(&parsed, 0xa5, sizeof parsed);
    rpctl_notification_parse(&parsed, bytes, length);
    return &parsed;
}

#define PARSE(literal) parse_bytes(literal, sizeof(literal) - 1)

static void expect_nothing(const struct rpctl_notification *n)
{
    static const struct rpctl_notification nothing;
    cr_assert_not(n->ready || n->stopping || n->fdstore || n->barrier || n->has_drained);
    cr_assert_str_empty(n->status);
    cr_assert_str_empty(n->health);
    cr_assert_eq(n->finished, nothing.finished);
    cr_assert_eq(n->cut, nothing.cut);
}

Test(notification, every_key)
{
    const struct rpctl_notification *n =
        PARSE("READY=1\nSTOPPING=1\nFDSTORE=1\nBARRIER=1\nSTATUS=all is well\nX_RP_HEALTH=http:/healthz\n"
              "X_RP_FINISHED=12\nX_RP_CUT=3\n");
    cr_assert(n->ready && n->stopping && n->fdstore && n->barrier && n->has_drained);
    cr_assert_str_eq(n->status, "all is well");
    cr_assert_str_eq(n->health, "http:/healthz");
    cr_assert_eq(n->finished, 12);
    cr_assert_eq(n->cut, 3);
}

Test(notification, each_key_alone)
{
    cr_assert(PARSE("READY=1")->ready);
    cr_assert(PARSE("STOPPING=1")->stopping);
    cr_assert(PARSE("FDSTORE=1")->fdstore);
    cr_assert(PARSE("BARRIER=1")->barrier);
    cr_assert(PARSE("X_RP_CUT=0")->has_drained);
    cr_assert(PARSE("X_RP_FINISHED=0")->has_drained);
    cr_assert_not(PARSE("READY=1")->stopping);
}

Test(notification, nothing_in_it)
{
    expect_nothing(parse_bytes(NULL, 0));
    expect_nothing(PARSE(""));
    expect_nothing(PARSE("\n\n\n"));
    expect_nothing(PARSE("\0\0\0"));
}

Test(notification, malformed_lines_are_ignored)
{
    expect_nothing(PARSE("READY"));
    expect_nothing(PARSE("=1"));
    expect_nothing(PARSE("READY=0\nREADY=\nREADY=11\nREADY= 1\nready=1\n READY=1\nREADY =1"));
    expect_nothing(
        PARSE("X_RP_CUT=\nX_RP_CUT=-1\nX_RP_CUT=1x\nX_RP_CUT= 1\nX_RP_CUT=99999999999999999999999"));
    expect_nothing(PARSE("WATCHDOG=1\nMAINPID=1\nFDNAME=x\nFDSTOREREMOVE=1\nREADYX=1\nREAD=1"));
    expect_nothing(
        PARSE("X_RP_HEALTH=http:/a b\nX_RP_HEALTH=http:/\r\nX_RP_HEALTH=http:/\xc3\xbc\nX_RP_HEALTH=\x7f"));
    expect_nothing(PARSE("READY=1\0\nST\0OPPING=1\n\0READY=1"));
    cr_assert(PARSE("garbage\nREADY=1\ngarbage")->ready);
}

Test(notification, later_lines_win)
{
    cr_assert_str_eq(PARSE("STATUS=a\nSTATUS=b")->status, "b");
    cr_assert_str_eq(PARSE("STATUS=a\nSTATUS=")->status, "");
    cr_assert_str_eq(PARSE("X_RP_HEALTH=tcp\nX_RP_HEALTH=http:/x")->health, "http:/x");
    cr_assert_eq(PARSE("X_RP_CUT=1\nX_RP_CUT=2\nX_RP_CUT=x")->cut, 2);
}

Test(notification, trailing_nul_is_tolerated)
{
    cr_assert(parse_bytes("READY=1", sizeof "READY=1")->ready);
    cr_assert_str_eq(PARSE("STATUS=x\0\0")->status, "x");
}

Test(notification, value_may_hold_equals)
{
    cr_assert_str_eq(PARSE("STATUS=a=b=c")->status, "a=b=c");
    cr_assert_str_eq(PARSE("X_RP_HEALTH=http:/?a=b")->health, "http:/?a=b");
}

Test(notification, numbers_reach_their_limit)
{
    char text[64];
    int length = snprintf(text, sizeof text, "X_RP_FINISHED=%lu", ULONG_MAX);
    cr_assert_eq(parse_bytes(text, length)->finished, ULONG_MAX);
    cr_assert(parsed.has_drained);
    text[length - 1]++;
    expect_nothing(parse_bytes(text, length));
}

Test(notification, status_is_printable_and_bounded)
{
    char text[1024] = "STATUS=";
    cr_assert_str_eq(PARSE("STATUS=\x1b[2J\tx\xff")->status, "?[2J x?");
    memset(text + 7, 'a', 1000);
    memcpy(text + 7 + 254, "\xe2\x82\xac", 3);
    parse_bytes(text, 1007);
    cr_assert_eq(strlen(parsed.status), 254);
    cr_assert(rpctl_utf8_is_valid(parsed.status));
}

Test(notification, health_that_is_too_long_is_ignored)
{
    char text[1024] = "X_RP_HEALTH=";
    memset(text + 12, 'a', 1000);
    cr_assert_eq(strlen(parse_bytes(text, 12 + RPCTL_NOTIFICATION_HEALTH_BYTES - 1)->health),
                 RPCTL_NOTIFICATION_HEALTH_BYTES - 1);
    expect_nothing(parse_bytes(text, 12 + RPCTL_NOTIFICATION_HEALTH_BYTES));
}

Test(notification, every_prefix_and_every_byte_is_survived)
{
    static const char whole[] = "READY=1\nSTATUS=x\nX_RP_CUT=3\nX_RP_HEALTH=tcp\n";
    for (size_t length = 0; length < sizeof whole; length++)
        for (int byte = 0; byte < 256; byte++) {
            char text[sizeof whole];
            memcpy(text, whole, length);
            if (length > 0) text[length - 1] = (char)byte;
            parse_bytes(text, length);
            cr_assert(rpctl_utf8_is_valid(parsed.status));
            if (length > 8) cr_assert(parsed.ready);
        }
}
