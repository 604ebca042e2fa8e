#include "pure/http_head_scan.h"

#include <criterion/criterion.h>
#include <string.h>

Test(http_head_scan, token_chars_are_those_of_the_grammar)
{
    static const char tokens[] = "!#$%&'*+-.^_`|~0123456789"
                                 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (int byte = 0; byte < 256; byte++) {
        bool expected = byte != 0 && strchr(tokens, byte) != NULL;
        cr_assert_eq(rp_is_token_char((unsigned char)byte), expected, "%d", byte);
    }
    cr_assert(rp_is_token("a-b", 3));
    cr_assert_not(rp_is_token("a b", 3));
    cr_assert_not(rp_is_token("", 0));
}

Test(http_head_scan, field_chars)
{
    for (int byte = 0; byte < 256; byte++) {
        bool expected = (byte >= 32 && byte != 127) || byte == 9;
        cr_assert_eq(rp_is_field_char((unsigned char)byte), expected, "%d", byte);
    }
}

/* Every byte at every place, so that it is met in a word and behind the last one. */
Test(http_head_scan, field_run)
{
    char text[19];
    for (int byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < sizeof text; at++) {
            memset(text, 0x80, sizeof text);
            text[at] = (char)byte;
            size_t expected = rp_is_field_char((unsigned char)byte) ? sizeof text : at;
            cr_assert_eq(rp_field_run(text, sizeof text), expected, "%d at %zu", byte, at);
        }
    }
    cr_assert_eq(rp_field_run("", 0), 0u);
}

static enum rp_scan_result scan_text(const char *text, size_t *ret_bytes)
{
    struct rp_head_scan scan = {0};
    enum rp_scan_result result = rp_head_scan(&scan, text, strlen(text), 10, 100);
    *ret_bytes = scan.bytes;
    return result;
}

Test(http_head_scan, ends_behind_the_blank_line)
{
    size_t bytes;
    cr_assert_eq(scan_text("GET / HTTP/1.1\r\nA: b\r\n\r\nrest", &bytes), RP_SCAN_COMPLETE);
    cr_assert_eq(bytes, strlen("GET / HTTP/1.1\r\nA: b\r\n\r\n"));
    cr_assert_eq(scan_text("GET / HTTP/1.1\r\nA: b\r\n\r", &bytes), RP_SCAN_MORE);
}

Test(http_head_scan, every_reason)
{
    size_t bytes;
    cr_assert_eq(scan_text(" ", &bytes), RP_SCAN_BAD_REQUEST_LINE);
    cr_assert_eq(scan_text("GET  ", &bytes), RP_SCAN_BAD_REQUEST_LINE);
    cr_assert_eq(scan_text("G\r", &bytes), RP_SCAN_BAD_REQUEST_LINE);
    cr_assert_eq(scan_text("A23456789012345678901234567890AB ", &bytes), RP_SCAN_MORE);
    cr_assert_eq(scan_text("A23456789012345678901234567890ABC", &bytes), RP_SCAN_METHOD_TOO_LONG);
    cr_assert_eq(scan_text("GET / \x80", &bytes), RP_SCAN_BAD_VERSION);
    cr_assert_eq(scan_text("GET / http", &bytes), RP_SCAN_BAD_VERSION);
    cr_assert_eq(scan_text("GET / HTTP/x", &bytes), RP_SCAN_BAD_VERSION);
    cr_assert_eq(scan_text("GET / HTTP/1.\r", &bytes), RP_SCAN_BAD_VERSION);
    cr_assert_eq(scan_text("GET / HTTP/1.11", &bytes), RP_SCAN_BAD_VERSION);
    cr_assert_eq(scan_text("GET / HTTP/2.1\r", &bytes), RP_SCAN_WRONG_VERSION);
    cr_assert_eq(scan_text("GET / HTTP/0.1\r", &bytes), RP_SCAN_WRONG_VERSION);
    cr_assert_eq(scan_text("GET / HTTP/1.1\r\r", &bytes), RP_SCAN_BAD_REQUEST_LINE);
    cr_assert_eq(scan_text("GET / HTTP/1.1\r\n\t", &bytes), RP_SCAN_FOLDED_HEADER);
    cr_assert_eq(scan_text("GET / HTTP/1.1\r\na\r", &bytes), RP_SCAN_BAD_HEADER);
    cr_assert_eq(scan_text("GET / HTTP/1.1\r\na:\r\r", &bytes), RP_SCAN_BAD_HEADER);
    cr_assert_eq(scan_text("GET / HTTP/1.1\r\n\rx", &bytes), RP_SCAN_BAD_HEADER);
    cr_assert_eq(scan_text("GET /234567890 H", &bytes), RP_SCAN_MORE);
    cr_assert_eq(scan_text("GET /2345678901", &bytes), RP_SCAN_TARGET_TOO_LONG);
}

/* What is taken in a run is taken as byte by byte: a split anywhere, and limits that end within a run. */
static void expect_same_in_steps(const char *text, size_t target_max, size_t head_max)
{
    size_t length = strlen(text);
    struct rp_head_scan whole = {0}, steps = {0};
    enum rp_scan_result result = RP_SCAN_MORE;
    for (size_t i = 0; i < length && result == RP_SCAN_MORE; i++)
        result = rp_head_scan(&steps, text + i, 1, target_max, head_max);
    cr_assert_eq(rp_head_scan(&whole, text, length, target_max, head_max), result, "%s", text);
    cr_assert_eq(whole.bytes, steps.bytes, "%s %zu %zu", text, target_max, head_max);
    cr_assert_eq(whole.target_bytes, steps.target_bytes);
}

Test(http_head_scan, runs_are_steps)
{
    static const char *const texts[] = {
        "DELETE /a/long/target HTTP/1.1\r\nA-Header: a value of some\tlength\r\n\r\n",
        "A-METHOD-OF-EXACTLY-32-BYTES-XXX / HTTP/1.1\r\n\r\n",
        "A-METHOD-OF-MORE-THAN-32-BYTES-XX / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.10\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "GET / http/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\x01\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        for (size_t target_max = 0; target_max < 16; target_max++)
            for (size_t head_max = 0; head_max <= strlen(texts[i]); head_max++)
                expect_same_in_steps(texts[i], target_max, head_max);
    }
}
