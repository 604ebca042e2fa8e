#include "pure/percent.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int decode(const char *text, bool plus, char *value, size_t size)
{
    return rp_percent_decode(text, strlen(text), plus, value, size);
}

Test(percent, every_byte)
{
    char text[4], value[2];
    for (unsigned byte = 1; byte < 256; byte++) {
        snprintf(text, sizeof text, "%%%02x", byte);
        cr_assert_eq(decode(text, false, value, sizeof value), 0);
        cr_assert_eq((unsigned char)value[0], byte);
        snprintf(text, sizeof text, "%%%02X", byte);
        cr_assert_eq(decode(text, true, value, sizeof value), 0);
        cr_assert_eq((unsigned char)value[0], byte);
    }
}

Test(percent, plus_is_a_blank_in_a_query_alone)
{
    char value[8];
    cr_assert_eq(decode("a+b%2B", false, value, sizeof value), 0);
    cr_assert_str_eq(value, "a+b+");
    cr_assert_eq(decode("a+b%2B", true, value, sizeof value), 0);
    cr_assert_str_eq(value, "a b+");
}

Test(percent, once)
{
    char value[8];
    cr_assert_eq(decode("%2541", false, value, sizeof value), 0);
    cr_assert_str_eq(value, "%41");
}

Test(percent, errors)
{
    static const char *const bad[] = {"%", "%4", "a%", "%g0", "%0g", "%00", "%%41", "%+1"};
    char value[8];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_eq(decode(bad[i], false, value, sizeof value), -EINVAL, "%s", bad[i]);
    cr_assert_eq(decode("1234567", false, value, sizeof value), 0);
    cr_assert_eq(decode("12345678", false, value, sizeof value), -ENOBUFS);
    cr_assert_eq(decode("", false, value, 1), 0);
    cr_assert_eq(decode("", false, value, 0), -ENOBUFS);
}

Test(percent, ends_where_the_text_ends)
{
    char value[8];
    cr_assert_eq(rp_percent_decode("ab%41", 2, false, value, sizeof value), 0);
    cr_assert_str_eq(value, "ab");
    cr_assert_eq(rp_percent_decode("ab%41", 4, false, value, sizeof value), -EINVAL);
}
