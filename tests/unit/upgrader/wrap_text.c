#include "pure/wrap_text.h"
#include "fixture.h"
#include <string.h>

static struct rpctl_text out;

static const char *wrap(const char *text, size_t columns)
{
    rpctl_text_clear(&out);
    rpctl_wrap_text_append(&out, text, columns);
    return rpctl_text_string(&out);
}

static void done(void)
{
    rpctl_text_done(&out);
    expect_no_leak();
}

TestSuite(wrap_text, .fini = done);

Test(wrap_text, between_words)
{
    cr_assert_str_eq(wrap("", 10), "");
    cr_assert_str_eq(wrap("\n\n", 10), "\n\n");
    cr_assert_str_eq(wrap("one two", 7), "one two");
    cr_assert_str_eq(wrap("one two\n", 6), "one\n  two\n");
    cr_assert_str_eq(wrap("one two\nthree", 3), "one\n tw\n o\nthr\n ee");
    cr_assert_str_eq(wrap("one   two", 4), "one\n  tw\n  o");
    cr_assert_str_eq(wrap("one   ", 3), "one");
}

Test(wrap_text, indents_what_goes_on)
{
    cr_assert_str_eq(wrap("  health    failed after 1 ms: a reason\n", 30),
                     "  health    failed after 1 ms:\n            a reason\n");
    cr_assert_str_eq(wrap("    a log line\n", 12), "    a log\n      line\n");
    cr_assert_str_eq(wrap("  health    failed here\n", 16), "  health\n        failed\n        here\n");
}

Test(wrap_text, colours_take_no_room)
{
    cr_assert_str_eq(wrap("\x1b[31mone two\x1b[0m\n", 7), "\x1b[31mone two\x1b[0m\n");
    cr_assert_str_eq(wrap("\x1b[1;31mone two\x1b[0m three\n", 7), "\x1b[1;31mone two\x1b[0m\n  three\n");
    cr_assert_str_eq(wrap("\x1b[31m  x         one two\x1b[0m\n", 17),
                     "\x1b[31m  x         one\n        two\x1b[0m\n");
    cr_assert_str_eq(wrap("\x1b[", 1), "\x1b[");
}

Test(wrap_text, long_words_and_wide_characters)
{
    cr_assert_str_eq(wrap("abcdefghij", 4), "abcd\n  ef\n  gh\n  ij");
    cr_assert_str_eq(wrap("\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad", 5),
                     "\xe4\xb8\xad\xe4\xb8\xad\n  \xe4\xb8\xad");
    cr_assert_str_eq(wrap("\xe4\xb8\xad\xe4\xb8\xad", 1), "\xe4\xb8\xad\n\xe4\xb8\xad"); /* wider than all */
    cr_assert_str_eq(wrap("ab", 0), "a\nb");
}
