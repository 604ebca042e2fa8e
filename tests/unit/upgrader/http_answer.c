#include "pure/http_answer.h"
#include <criterion/criterion.h>
#include <string.h>

static struct rpctl_http_answer answer;

/* Feeds in two pieces, the first of `split` bytes. */
static enum rpctl_http_answer_state feed_split(const char *bytes, size_t length, size_t split)
{
    memset(&answer, 0xa5, sizeof answer);
    rpctl_http_answer_init(&answer);
    rpctl_http_answer_feed(&answer, bytes, split);
    return rpctl_http_answer_feed(&answer, bytes + split, length - split);
}

static enum rpctl_http_answer_state feed_bytewise(const char *bytes, size_t length)
{
    rpctl_http_answer_init(&answer);
    for (size_t i = 0; i < length; i++) rpctl_http_answer_feed(&answer, bytes + i, 1);
    return answer.state;
}

/* At every split and byte by byte the same. */
static void expect_state(const char *text, enum rpctl_http_answer_state state, int code)
{
    size_t length = strlen(text);
    for (size_t split = 0; split <= length; split++)
        cr_assert_eq(feed_split(text, length, split), state, "%s at %zu is %d", text, split, answer.state);
    cr_assert_eq(feed_bytewise(text, length), state, "%s", text);
    if (code > 0) cr_assert_eq(answer.status.code, code);
    if (state == RPCTL_HTTP_ANSWER_GARBAGE) cr_assert_not_null(answer.fault);
}

/* Whole, and whole at its last byte only. */
static void expect_whole(const char *text, int code)
{
    expect_state(text, RPCTL_HTTP_ANSWER_WHOLE, code);
    for (size_t length = 0; length < strlen(text); length++) {
        feed_split(text, length, 0);
        cr_assert_neq(answer.state, RPCTL_HTTP_ANSWER_WHOLE, "%s: whole after %zu bytes", text, length);
        cr_assert_not(rpctl_http_answer_finish(&answer), "%s: cut at %zu", text, length);
    }
    cr_assert_eq(feed_split(text, strlen(text), 0), RPCTL_HTTP_ANSWER_WHOLE);
    cr_assert(rpctl_http_answer_finish(&answer));
}

Test(http_answer, content_length)
{
    expect_whole("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200);
    expect_whole("HTTP/1.1 200 OK\r\ncontent-length:5 \t\r\nX: y\r\n\r\nhello", 200);
    expect_whole("HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", 200);
    expect_whole("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200);
    expect_whole("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab", 200);
    expect_whole("HTTP/1.1 404 Not Found\r\nno colon here\r\nContent-Length: 1\r\n\r\nx", 404);
}

Test(http_answer, no_body_by_status)
{
    expect_whole("HTTP/1.1 204 No Content\r\n\r\n", 204);
    expect_whole("HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", 304);
    expect_whole("HTTP/1.1 101 Switching Protocols\r\n\r\n", 101);
}

Test(http_answer, until_end_of_connection)
{
    static const char *const texts[] = {
        "HTTP/1.1 200 OK\r\n\r\nbody", "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\nxyz"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        expect_state(texts[i], RPCTL_HTTP_ANSWER_UNTIL_EOF, 200);
        cr_assert(rpctl_http_answer_finish(&answer));
    }
}

Test(http_answer, chunked)
{
    expect_whole("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200);
    expect_whole("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, Chunked\r\n\r\n1;a=b\r\nx\r\n0A "
                 "\r\n0123456789\r\n0;x\r\n"
                 "Trailer: y\r\nOther: z\r\n\r\n",
                 200);
    /* 0xaB = 171 bytes, bare line ends; the length is void beside the encoding. */
    expect_whole("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\naB\n"
                 "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                 "01234567890123456789012345678901234567890123456789012345678901234567890123456789x"
                 "\n0\n\n",
                 200);
}

Test(http_answer, interim_answers_are_skipped)
{
    expect_whole("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n"
                 "Content-Length: 2\r\n\r\nab",
                 200);
    expect_state("HTTP/1.1 100 Continue\r\n\r\n", RPCTL_HTTP_ANSWER_HEAD, 0);
    cr_assert_eq(answer.status.kind, RPCTL_HTTP_STATUS_MORE);
}

Test(http_answer, garbage)
{
    static const char *const texts[] = {
        "SSH-2.0",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ng\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5x\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n;x\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0000000000000001\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nrubbish",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect_state(texts[i], RPCTL_HTTP_ANSWER_GARBAGE, 0);
    rpctl_http_answer_feed(&answer, "HTTP/1.1 200 OK\r\n\r\n", 19);
    cr_assert_eq(answer.state, RPCTL_HTTP_ANSWER_GARBAGE);
    cr_assert_not(rpctl_http_answer_finish(&answer));
}

Test(http_answer, bytes_behind_a_whole_answer_are_ignored)
{
    expect_state("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabcdef", RPCTL_HTTP_ANSWER_WHOLE, 200);
    expect_state("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore",
                 RPCTL_HTTP_ANSWER_WHOLE, 200);
}

Test(http_answer, header_is_bounded)
{
    static const char field[] = "X-Long: 0123456789012345678901234567890123456789\r\n";
    rpctl_http_answer_init(&answer);
    rpctl_http_answer_feed(&answer, "HTTP/1.1 200 OK\r\n", 17);
    for (size_t i = 0; i < RPCTL_HTTP_ANSWER_HEAD_MAX / (sizeof field - 1); i++)
        cr_assert_eq(rpctl_http_answer_feed(&answer, field, sizeof field - 1), RPCTL_HTTP_ANSWER_HEAD);
    cr_assert_eq(rpctl_http_answer_feed(&answer, field, sizeof field - 1), RPCTL_HTTP_ANSWER_GARBAGE);
    cr_assert_str_eq(answer.fault, "header too long");
}

Test(http_answer, large_bodies)
{
    char body[65536];
    memset(body, 'x', sizeof body);
    rpctl_http_answer_init(&answer);
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 655360\r\n\r\n";
    rpctl_http_answer_feed(&answer, head, sizeof head - 1);
    for (int i = 0; i < 9; i++)
        cr_assert_eq(rpctl_http_answer_feed(&answer, body, sizeof body), RPCTL_HTTP_ANSWER_LENGTH);
    cr_assert_eq(rpctl_http_answer_feed(&answer, body, sizeof body), RPCTL_HTTP_ANSWER_WHOLE);
    cr_assert_eq(answer.body_bytes, 655360);
}
