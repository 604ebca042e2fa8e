/* The small pure parts: UTF-8, text, quotes, suggestions, lines. */
#include "pure/text.h"
#include "fixture.h"
#include "pure/line_buffer.h"
#include "pure/quote.h"
#include "pure/suggest.h"
#include "pure/utf8.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

Test(utf8, decodes_and_refuses)
{
    static const struct {
        const char *bytes;
        size_t length;
        uint32_t character;
    } cases[] = {
        {"a", 1, 'a'},
        {"\xc3\xbc", 2, 0xfc},
        {"\xe2\x82\xac", 3, 0x20ac},
        {"\xf0\x9f\x98\x80", 4, 0x1f600},
        {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
        {"\x80", 1, RPCTL_UTF8_INVALID},
        {"\xc3", 1, RPCTL_UTF8_INVALID},
        {"\xc3"
         "a",
         1, RPCTL_UTF8_INVALID},
        {"\xe2\x82", 1, RPCTL_UTF8_INVALID},
        {"\xc0\xaf", 1, RPCTL_UTF8_INVALID},
        {"\xe0\x80\xaf", 1, RPCTL_UTF8_INVALID},
        {"\xf0\x80\x80\xaf", 1, RPCTL_UTF8_INVALID},
        {"\xed\xa0\x80", 1, RPCTL_UTF8_INVALID},
        {"\xf4\x90\x80\x80", 1, RPCTL_UTF8_INVALID},
        {"\xf5\x80\x80\x80", 1, RPCTL_UTF8_INVALID},
        {"\xff", 1, RPCTL_UTF8_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t character;
        cr_assert_eq(rpctl_utf8_decode(cases[i].bytes, &character), cases[i].length, "case %zu", i);
        cr_assert_eq(character, cases[i].character, "case %zu", i);
        cr_assert_eq(rpctl_utf8_is_valid(cases[i].bytes), cases[i].character != RPCTL_UTF8_INVALID,
                     "case %zu", i);
    }
    cr_assert(rpctl_utf8_is_valid(""));
}

Test(utf8, columns_and_safety)
{
    cr_assert_eq(rpctl_utf8_columns('a'), 1);
    cr_assert_eq(rpctl_utf8_columns(0x20ac), 1);
    cr_assert_eq(rpctl_utf8_columns(0x4e2d), 2);
    cr_assert_eq(rpctl_utf8_columns(0x1f600), 2);
    cr_assert(rpctl_utf8_is_unsafe(0x1b) && rpctl_utf8_is_unsafe(0x7f) && rpctl_utf8_is_unsafe(0x9b));
    cr_assert_not(rpctl_utf8_is_unsafe(' ') || rpctl_utf8_is_unsafe(0xa0));
}

Test(text, grows_and_clears)
{
    struct rpctl_text text = {0};
    cr_assert_str_eq(rpctl_text_string(&text), "");
    for (int i = 0; i < 1000; i++) rpctl_text_append(&text, "%d;", i);
    cr_assert_eq(text.length, strlen(rpctl_text_string(&text)));
    cr_assert_eq(strncmp(rpctl_text_string(&text), "0;1;2;", 6), 0);
    rpctl_text_append_bytes(&text, "a\0b", 3);
    cr_assert_eq(text.bytes[text.length - 1], 'b');
    rpctl_text_clear(&text);
    rpctl_text_append_blanks(&text, 3);
    cr_assert_str_eq(rpctl_text_string(&text), "   ");
    rpctl_text_append_bytes(&text, "", SIZE_MAX / 2);
    cr_assert_str_eq(rpctl_text_string(&text), "   ");
    rpctl_text_done(&text);
    expect_no_leak();
}

static void expect_clean(const char *input, size_t max, const char *wanted, size_t columns)
{
    struct rpctl_text text = {0};
    cr_assert_eq(rpctl_text_append_clean(&text, input, max), columns, "%s", wanted);
    cr_assert_str_eq(rpctl_text_string(&text), wanted);
    rpctl_text_done(&text);
}

Test(text, cleans_and_cuts)
{
    expect_clean("", 0, "", 0);
    expect_clean("abc", RPCTL_TEXT_NO_LIMIT, "abc", 3);
    expect_clean("a\tb\x1b[1m\n\xff", RPCTL_TEXT_NO_LIMIT, "a b?[1m??", 9);
    expect_clean("\xc2\x9b"
                 "x",
                 RPCTL_TEXT_NO_LIMIT, "?x", 2);
    expect_clean("abcdef", 6, "abcdef", 6);
    expect_clean("abcdef", 5, "ab...", 5);
    expect_clean("abcdef", 3, "...", 3);
    expect_clean("abcdef", 2, "..", 2);
    expect_clean("abcdef", 0, "", 0);
    expect_clean("\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad", 6, "\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad", 6);
    expect_clean("\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad", 5, "\xe4\xb8\xad...", 5);
    expect_clean("\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad", 4, "...", 3);
    cr_assert_eq(rpctl_text_columns("a\xe4\xb8\xad\xff"), 4);
}

Test(quote, cuts_and_cleans)
{
    char input[200];
    memset(input, 'x', sizeof input - 1);
    input[sizeof input - 1] = '\0';
    cr_assert_str_eq(rpctl_quote("abc").text, "'abc'");
    cr_assert_str_eq(rpctl_quote("").text, "''");
    cr_assert_str_eq(rpctl_quote("a\nb\x1b").text, "'a?b?'");
    struct rpctl_quote long_one = rpctl_quote(input);
    cr_assert_eq(strlen(long_one.text), sizeof long_one.text - 1);
    cr_assert(strstr(long_one.text, "x...'"));
    for (size_t i = 0; i < 12; i++) { /* a character is never cut */
        memcpy(input + 50 + i, "\xf0\x9f\x98\x80", 4);
        cr_assert(rpctl_utf8_is_valid(rpctl_quote(input).text));
        memset(input + 50 + i, 'x', 4);
    }
    cr_assert_str_eq(rpctl_quote_path("/a/b").text, "/a/b");
    strcpy(input + 190, "/the-end");
    struct rpctl_quote_path path = rpctl_quote_path(input);
    cr_assert_eq(strncmp(path.text, "...xxx", 6), 0);
    cr_assert(strstr(path.text, "/the-end"));
}

Test(suggest, near_words_only)
{
    static const char *const words[] = {"run", "start", "stop", "status", "upgrade"};
    cr_assert_str_eq(rpctl_suggest("upgrad", words, 5), "upgrade");
    cr_assert_str_eq(rpctl_suggest("statsu", words, 5), "status");
    cr_assert_str_eq(rpctl_suggest("strat", words, 5), "start");
    cr_assert_null(rpctl_suggest("x", words, 5));
    cr_assert_null(rpctl_suggest("", words, 5));
    cr_assert_null(rpctl_suggest("sta", words, 2 + 1)); /* start and stop are equally near */
    cr_assert_null(rpctl_suggest("rollback", words, 5));
    cr_assert_null(rpctl_suggest("a-word-that-is-longer-than-thirty-two-characters", words, 5));
    cr_assert_null(rpctl_suggest("run", words, 0));
}

static void feed(struct rpctl_line_buffer *buffer, const char *bytes, size_t length)
{
    char *room;
    cr_assert_eq(rpctl_line_buffer_reserve(buffer, length, &room), 0);
    memcpy(room, bytes, length);
    rpctl_line_buffer_added(buffer, length);
}

Test(line_buffer, cuts_at_every_split)
{
    static const char stream[] = "first\n\nthird line\nrest";
    static const char *const wanted[] = {"first", "", "third line"};
    for (size_t step = 1; step < sizeof stream; step++) {
        struct rpctl_line_buffer buffer = {.max_bytes = 100};
        size_t count = 0;
        for (size_t at = 0; at < sizeof stream - 1; at += step) {
            char *line;
            size_t length;
            size_t left = sizeof stream - 1 - at;
            feed(&buffer, stream + at, left < step ? left : step);
            while (rpctl_line_buffer_next(&buffer, &line, &length) == 1) {
                cr_assert_str_eq(line, wanted[count]);
                cr_assert_eq(length, strlen(wanted[count]));
                count++;
            }
        }
        cr_assert_eq(count, 3, "step %zu", step);
        rpctl_line_buffer_done(&buffer);
    }
    expect_no_leak();
}

Test(line_buffer, bounds_a_line)
{
    struct rpctl_line_buffer buffer = {.max_bytes = 4};
    char *line;
    size_t length;
    cr_assert_eq(rpctl_line_buffer_next(&buffer, &line, &length), 0);
    feed(&buffer, "1234\n", 5);
    cr_assert_eq(rpctl_line_buffer_next(&buffer, &line, &length), 1);
    feed(&buffer, "1234", 4);
    cr_assert_eq(rpctl_line_buffer_next(&buffer, &line, &length), 0);
    feed(&buffer, "5", 1);
    cr_assert_eq(rpctl_line_buffer_next(&buffer, &line, &length), -EMSGSIZE);
    cr_assert_eq(rpctl_line_buffer_next(&buffer, &line, &length), -EMSGSIZE);
    rpctl_line_buffer_done(&buffer);
    feed(&buffer, "12345\n", 6);
    cr_assert_eq(rpctl_line_buffer_next(&buffer, &line, &length), -EMSGSIZE);
    rpctl_line_buffer_done(&buffer);
}
