#include "pure/printable.h"
#include <criterion/criterion.h>
#include <string.h>

static const char *copy(const char *bytes, size_t length)
{
    static char text[64];
    size_t used = rpctl_printable_copy(text, sizeof text, bytes, length);
    cr_assert_eq(used, strlen(text));
    return text;
}

#define COPY(literal) copy(literal, sizeof(literal) - 1)

Test(printable, leaves_text_alone)
{
    cr_assert_str_eq(COPY(""), "");
    cr_assert_str_eq(COPY("plain text ~"), "plain text ~");
    cr_assert_str_eq(COPY("gr\xc3\xbc\xc3\x9f dich \xe2\x82\xac \xf0\x9f\x98\x80"),
                     "gr\xc3\xbc\xc3\x9f dich \xe2\x82\xac \xf0\x9f\x98\x80");
}

Test(printable, replaces_what_is_no_text)
{
    cr_assert_str_eq(COPY("a\tb"), "a b");
    cr_assert_str_eq(COPY("\x1b[31mred\x7f\r\n"), "?[31mred???");
    cr_assert_str_eq(COPY("a\0b"), "a?b");
    cr_assert_str_eq(COPY("\xc2\x9b"
                          "x"),
                     "?x");
    cr_assert_str_eq(COPY("\xff\xfe"
                          "x\xc3"),
                     "??x?");
    cr_assert_str_eq(COPY("\xc0\xaf"), "??");
    cr_assert_str_eq(COPY("\xed\xa0\x80"), "???");
}

Test(printable, never_cuts_a_character)
{
    const char *euros = "\xe2\x82\xac\xe2\x82\xac";
    for (size_t bytes = 1; bytes <= 8; bytes++) {
        char text[8];
        memset(text, 'x', sizeof text);
        size_t used = rpctl_printable_copy(text, bytes, euros, 6);
        cr_assert_eq(used, (bytes - 1) / 3 * 3);
        cr_assert_eq(strlen(text), used);
    }
}

Test(printable, input_ends_inside_a_character)
{
    /* The bytes behind the end would complete it; they are not ours to read. */
    char text[8];
    rpctl_printable_copy(text, sizeof text, "\xe2\x82\xac", 2);
    cr_assert_str_eq(text, "??");
}

static const char *escape(const char *bytes, size_t length, size_t taken_wanted)
{
    static char text[256];
    size_t taken = 99;
    size_t used = rpctl_printable_escape(text, bytes, length, &taken);
    cr_assert_eq(taken, taken_wanted);
    cr_assert_leq(used, length * RPCTL_PRINTABLE_ESCAPE_BYTES);
    text[used] = '\0';
    return text;
}

#define ESCAPE(literal) escape(literal, sizeof(literal) - 1, sizeof(literal) - 1)

Test(printable, escapes_what_steers_a_terminal)
{
    cr_assert_str_eq(ESCAPE(""), "");
    cr_assert_str_eq(ESCAPE("one\n\ttwo\n"), "one\n\ttwo\n");
    cr_assert_str_eq(ESCAPE("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"),
                     "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
    cr_assert_str_eq(ESCAPE("\x1b]0;title\a\x1b[2J\r\x7f"), "\\x1b]0;title\\x07\\x1b[2J\\x0d\\x7f");
    cr_assert_str_eq(ESCAPE("a\0b"), "a\\x00b");
    cr_assert_str_eq(ESCAPE("\xc2\x9b"
                            "31m\xff\xc0\xaf\xed\xa0\x80."),
                     "\\xc2\\x9b31m\\xff\\xc0\\xaf\\xed\\xa0\\x80.");
}

Test(printable, escapes_block_by_block)
{
    cr_assert_str_eq(escape("ab\xe2\x82", 4, 2), "ab");
    cr_assert_str_eq(escape("ab\xf0\x9f\x98", 5, 2), "ab");
    cr_assert_str_eq(escape("ab\xe2x", 4, 4), "ab\\xe2x");
    cr_assert_str_eq(escape("ab\xff", 3, 3), "ab\\xff");
    cr_assert_str_eq(escape("\xe2\x82", 2, 2), "\\xe2\\x82", "it goes on in any case");
    cr_assert_str_eq(escape("\x82", 1, 1), "\\x82");
}

Test(printable, ascii)
{
    char text[6];
    cr_assert_eq(rpctl_printable_copy_ascii(text, sizeof text, "a\x1f\x7f\xc3z~", 6), 5);
    cr_assert_str_eq(text, "a...z");
    cr_assert_eq(rpctl_printable_copy_ascii(text, 1, "abc", 3), 0);
    cr_assert_str_eq(text, "");
}
