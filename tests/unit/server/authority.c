#include "pure/authority.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

Test(authority, hosts_with_and_without_port)
{
    static const char *const texts[] = {"",         "h",     "h:",       "h:80",     "a.example:8080",
                                        "10.0.0.1", "[::1]", "[::1]:80", "[v1.a:b]", "a_b~c-d!$&'",
                                        "%c3%a4",   ":80"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        cr_assert(rp_authority_ok(texts[i], strlen(texts[i])), "%s", texts[i]);
}

Test(authority, everything_else)
{
    static const char *const texts[] = {
        "a b",    "a,b",     "u@h",   "a/b",  "a?b", "a#b", "h:8x", "h:80:80", "h:-1", "[::1",  "::1", "[]",
        "[::1]x", "[::1]:x", "[a@b]", "a[b]", "%",   "%4",  "%4g",  "a\"b",    "a\\b", "a\x80", "a|b"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        cr_assert_not(rp_authority_ok(texts[i], strlen(texts[i])), "%s", texts[i]);
    cr_assert_not(rp_authority_ok("a\0b", 3));
}

Test(authority, each_byte_of_a_name)
{
    for (int byte = 1; byte < 256; byte++) {
        const char text[] = {'a', (char)byte, '\0'};
        bool expected =
            (byte < 128 && isalnum(byte)) || strchr("-._~!$&'()*+;=", byte) || byte == ':' /* no port */;
        cr_assert_eq(rp_authority_ok(text, 2), expected, "%d", byte);
    }
}
