#include "pure/http_adapter.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct rp_http_limits limits = {.head_bytes = 1024, .target_bytes = 64};

/* All that came of some input, as text: one line per request, "-" for one that is not over, "!status" for a
 * refusal, and how many bytes were left. */
struct transcript {
    char text[4096];
    size_t used;
};

static void note(struct transcript *transcript, const char *bytes, size_t length)
{
    cr_assert_lt(transcript->used + length, sizeof transcript->text);
    memcpy(transcript->text + transcript->used, bytes, length);
    transcript->used += length;
    transcript->text[transcript->used] = '\0';
}

static void note_text(struct transcript *transcript, const char *text)
{
    note(transcript, text, strlen(text));
}

static void note_slice(struct transcript *transcript, const char *base, struct rp_slice slice)
{
    note(transcript, base + slice.offset, slice.length);
}

static void note_head(struct transcript *transcript, const char *base, const struct rp_http_head *head)
{
    char facts[64];
    snprintf(facts, sizeof facts, " 1.%u%s%s%s %llu", head->minor, head->keep_alive ? " keep" : "",
             head->chunked ? " chunked" : "", head->expect_continue ? " expect" : "",
             (unsigned long long)head->content_length);
    note_text(transcript, rp_http_method_text(head->method));
    note_text(transcript, " ");
    note_slice(transcript, base, head->target);
    note_text(transcript, facts);
    for (size_t i = 0; i < head->field_count; i++) {
        note_text(transcript, " ");
        note_slice(transcript, base, head->fields[i].name);
        note_text(transcript, "=");
        if (head->fields[i].value.length > 0) note_slice(transcript, base, head->fields[i].value);
    }
    note_text(transcript, " {");
}

struct feed {
    struct rp_http_adapter adapter;
    struct rp_http_head head;
    struct transcript transcript;
    char *held; /* exactly as long as needed, so that the sanitizer sees a read past the end */
    size_t held_length;
    bool bad;
};

static void feed_init(struct feed *feed)
{
    memset(feed, 0, sizeof *feed);
    rp_http_adapter_init(&feed->adapter);
}

static void hold(struct feed *feed, const char *bytes, size_t length)
{
    char *held = malloc(feed->held_length + length + 1);
    if (feed->held_length > 0) memcpy(held, feed->held, feed->held_length);
    memcpy(held + feed->held_length, bytes, length);
    free(feed->held);
    feed->held_length += length;
    feed->held = malloc(feed->held_length ? feed->held_length : 1);
    memcpy(feed->held, held, feed->held_length);
    free(held);
}

static bool feed_next(struct feed *feed)
{
    struct rp_http_event event;
    rp_http_adapter_next(&feed->adapter, &limits, feed->held, feed->held_length, &feed->head, &event);
    cr_assert_leq(event.consumed, feed->held_length);
    switch (event.kind) {
    case RP_HTTP_HEAD: note_head(&feed->transcript, event.bytes, &feed->head); break;
    case RP_HTTP_BODY: note(&feed->transcript, event.bytes, event.length); break;
    case RP_HTTP_END: note_text(&feed->transcript, "}\n"); break;
    case RP_HTTP_BAD: {
        char status[16];
        snprintf(status, sizeof status, "!%u", event.status);
        cr_assert_not_null(event.reason);
        note_text(&feed->transcript, status);
        feed->bad = true;
        break;
    }
    default: break;
    }
    size_t left = feed->held_length - event.consumed;
    char *rest = malloc(left ? left : 1);
    memcpy(rest, feed->held + event.consumed, left);
    free(feed->held);
    feed->held = rest;
    feed->held_length = left;
    return event.kind != RP_HTTP_MORE && event.kind != RP_HTTP_BAD;
}

static void feed_bytes(struct feed *feed, const char *bytes, size_t length)
{
    if (feed->bad) return;
    hold(feed, bytes, length);
    while (feed_next(feed)) {
    }
}

static void expect(const struct feed *feed, const char *expected, const char *how)
{
    cr_assert_str_eq(feed->transcript.text, expected, "%s:\n%s\ninstead of\n%s", how, feed->transcript.text,
                     expected);
}

static void check_whole(const char *bytes, size_t length, const char *expected)
{
    struct feed feed;
    feed_init(&feed);
    feed_bytes(&feed, bytes, length);
    expect(&feed, expected, "whole");
    free(feed.held);
}

static void check_splits(const char *bytes, size_t length, const char *expected)
{
    for (size_t at = 0; at <= length; at++) {
        struct feed feed;
        char how[32];
        feed_init(&feed);
        feed_bytes(&feed, bytes, at);
        feed_bytes(&feed, bytes + at, length - at);
        snprintf(how, sizeof how, "split at %zu", at);
        expect(&feed, expected, how);
        free(feed.held);
    }
}

static void check_single_bytes(const char *bytes, size_t length, const char *expected)
{
    struct feed feed;
    feed_init(&feed);
    for (size_t i = 0; i < length; i++) feed_bytes(&feed, bytes + i, 1);
    expect(&feed, expected, "byte by byte");
    free(feed.held);
}

static void check_bytes(const char *bytes, size_t length, const char *expected)
{
    check_whole(bytes, length, expected);
    check_splits(bytes, length, expected);
    check_single_bytes(bytes, length, expected);
}

static void check(const char *text, const char *expected)
{
    check_bytes(text, strlen(text), expected);
}

#define HOST "Host: h\r\n"

Test(http_adapter, plain_requests)
{
    check("GET / HTTP/1.1\r\n" HOST "\r\n", "GET / 1.1 keep 0 Host=h {}\n");
    check("HEAD /a?b=c HTTP/1.1\r\n" HOST "\r\n", "HEAD /a?b=c 1.1 keep 0 Host=h {}\n");
    check("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS * 1.1 keep 0 Host=h {}\n");
    check("GET http://h/x HTTP/1.1\r\n" HOST "\r\n", "GET http://h/x 1.1 keep 0 Host=h {}\n");
    check("GET / HTTP/1.0\r\n\r\n", "GET / 1.0 0 {}\n");
    check("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET / 1.0 keep 0 Connection=keep-alive {}\n");
    check("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "GET / 1.1 0 Host=h Connection=close {}\n");
}

Test(http_adapter, header_values)
{
    check("GET / HTTP/1.1\r\nHost:h\r\nA:\r\nB:   \r\nC: \t x y \t \r\n\r\n",
          "GET / 1.1 keep 0 Host=h A= B= C=x y {}\n");
    check("GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / 1.1 keep 0 Host= {}\n");
    check("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / 1.1 keep 0 Host=[::1]:80 {}\n");
}

Test(http_adapter, pipelined)
{
    check("GET /1 HTTP/1.1\r\n" HOST "\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n\r\n\r\nGET /3 HTTP/1.1\r\n" HOST
          "\r\n",
          "GET /1 1.1 keep 0 Host=h {}\nGET /2 1.1 keep 0 Host=h {}\nGET /3 1.1 keep 0 Host=h {}\n");
}

Test(http_adapter, content_length)
{
    check("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n" HOST "\r\n",
          "POST / 1.1 keep 5 Host=h Content-Length=5 {hello}\nGET / 1.1 keep 0 Host=h {}\n");
    check("POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
          "POST / 1.1 keep 0 Host=h Content-Length=0 {}\n");
    check("POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx",
          "POST / 1.1 keep 1 Host=h Content-Length=1 {x}\n");
    check("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nxy",
          "POST / 1.1 keep 3 Host=h Content-Length=3 {xy");
}

Test(http_adapter, chunked)
{
    check(
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n,\r\n0\r\n\r\n"
        "GET / HTTP/1.1\r\n" HOST "\r\n",
        "POST / 1.1 keep chunked 0 Host=h Transfer-Encoding=chunked {hello,}\nGET / 1.1 keep 0 Host=h {}\n");
    check("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
          "POST / 1.1 keep chunked 0 Host=h Transfer-Encoding=Chunked {}\n");
    check("POST / HTTP/1.1\r\n" HOST
          "Transfer-Encoding: chunked\r\n\r\nA;x=\"y\"\r\n\r\n23456\r\n9\r\n0\r\nTrailer: 1\r\n\r\n",
          "POST / 1.1 keep chunked 0 Host=h Transfer-Encoding=chunked {\r\n23456\r\n9}\n");
}

#define CHUNKED "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"

static void check_chunk_refused(const char *framing, const char *status)
{
    char input[4096];
    int length = snprintf(input, sizeof input, "%s%s", CHUNKED, framing);
    struct feed whole;
    feed_init(&whole);
    feed_bytes(&whole, input, (size_t)length);
    for (size_t at = 0; at <= (size_t)length; at++) {
        struct feed feed;
        feed_init(&feed);
        feed_bytes(&feed, input, at);
        feed_bytes(&feed, input + at, (size_t)length - at);
        cr_assert(feed.bad, "%s, split at %zu: %s", framing, at, feed.transcript.text);
        cr_assert_not_null(strstr(feed.transcript.text, status), "%s: %s", framing, feed.transcript.text);
        expect(&feed, whole.transcript.text, framing);
        free(feed.held);
    }
    free(whole.held);
}

Test(http_adapter, sloppy_chunks_refused)
{
    check_chunk_refused("5\r\nhelloXX0\r\n\r\n", "!400");
    check_chunk_refused("5\r\nhello\n\n0\r\n\r\n", "!400");
    check_chunk_refused("5\rXhello\r\n0\r\n\r\n", "!400");
    check_chunk_refused("5\nhello\r\n0\r\n\r\n", "!400");
    check_chunk_refused("5;\x01\r\nhello\r\n0\r\n\r\n", "!400");
    check_chunk_refused("5;a\nb\r\nhello\r\n0\r\n\r\n", "!400");
    check_chunk_refused("x\r\n", "!400");
    check_chunk_refused("-1\r\n", "!400");
    check_chunk_refused("\r\n", "!400");
    check_chunk_refused("11111111111111111\r\n", "!400");
    check_chunk_refused("0\r\nA: b\n\r\n", "!400");
    check_chunk_refused("5 \r\nhello\r\n0\r\n\r\n", "!400");
    check_chunk_refused("5 5\r\nhello\r\n0\r\n\r\n", "!400");
    check_chunk_refused("00000000000000005\r\nhello\r\n0\r\n\r\n", "!400");
    check_chunk_refused("0\r\nContent-Length: 1\r\n\r\n", "!400");
}

#define CHUNKED_HEAD "POST / 1.1 keep chunked 0 Host=h Transfer-Encoding=chunked "

Test(http_adapter, well_formed_chunks_taken)
{
    check(CHUNKED "0000000000000005\r\nhello\r\n0000\r\n\r\n", CHUNKED_HEAD "{hello}\n");
    check(CHUNKED "5 ; a = b ;c;d=\"e\\\"\\;f\"\r\nhello\r\n0;g\r\nContent-Lengths: 1\r\nHos: 2\r\n\r\n",
          CHUNKED_HEAD "{hello}\n");
}

Test(http_adapter, connection_options)
{
    check("GET / HTTP/1.1\r\n" HOST "Connection: x, Close\r\n\r\n",
          "GET / 1.1 0 Host=h Connection=x, Close {}\n");
    check("GET / HTTP/1.1\r\n" HOST "Proxy-Connection: close\r\n\r\n",
          "GET / 1.1 keep 0 Host=h Proxy-Connection=close {}\n");
    check("GET / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n",
          "GET / 1.0 0 Proxy-Connection=keep-alive {}\n");
    check("GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
          "GET / 1.0 0 Connection=keep-alive Connection=close {}\n");
}

Test(http_adapter, refusal_knows_head)
{
    struct rp_http_adapter adapter;
    struct rp_http_head head;
    struct rp_http_event event;
    const char *text = "HEAD / HTTP/1.1\r\n\r\n";
    rp_http_adapter_init(&adapter);
    rp_http_adapter_next(&adapter, &limits, text, strlen(text), &head, &event);
    cr_assert_eq(event.kind, RP_HTTP_BAD);
    cr_assert(event.to_head);
    text = "HEADS / HTTP/1.1\r\n\r\n";
    rp_http_adapter_init(&adapter);
    rp_http_adapter_next(&adapter, &limits, text, strlen(text), &head, &event);
    cr_assert_eq(event.kind, RP_HTTP_BAD);
    cr_assert_not(event.to_head);
}

Test(http_adapter, chunk_overhead_is_bounded)
{
    char framing[4096];
    memset(framing, 'x', sizeof framing);
    memcpy(framing, "5;", 2);
    memcpy(framing + 1500, "\r\nhello\r\n0\r\n\r\n", 15);
    check_chunk_refused(framing, "!431");
    size_t used = 0; /* all extensions together, and data allows no more than as much again */
    for (int i = 0; i < 150; i++) used += (size_t)sprintf(framing + used, "1;1234567890\r\nx\r\n");
    check_chunk_refused(framing, "!431");
    memset(framing, 'x', sizeof framing);
    memcpy(framing, "0\r\nA: ", 6);
    memset(framing + 6, 'y', 1500);
    memcpy(framing + 1500, "\r\n\r\n", 5);
    check_chunk_refused(framing, "!431");
}

Test(http_adapter, expect_continue)
{
    check("POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\nab",
          "POST / 1.1 keep expect 2 Host=h Expect=100-Continue Content-Length=2 {ab}\n");
    check("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
          "POST / 1.0 1 Expect=100-continue Content-Length=1 {a}\n");
    check("POST / HTTP/1.1\r\n" HOST "Expect: tea\r\n\r\n", "!417");
}

Test(http_adapter, upgrade_is_ignored)
{
    check("GET / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: x\r\n\r\nGET /2 HTTP/1.1\r\n" HOST
          "\r\n",
          "GET / 1.1 keep 0 Host=h Connection=Upgrade Upgrade=x {}\nGET /2 1.1 keep 0 Host=h {}\n");
    check("POST / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\nab",
          "POST / 1.1 keep 2 Host=h Connection=Upgrade Upgrade=x Content-Length=2 {ab}\n");
}

Test(http_adapter, after_connection_close_bytes_are_a_next_request)
{
    check("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n",
          "GET / 1.1 0 Host=h Connection=close {}\nGET /2 1.1 keep 0 Host=h {}\n");
}

Test(http_adapter, host)
{
    check("GET / HTTP/1.1\r\n\r\n", "!400");
    check("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "!400");
    check("GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n", "!400");
    check("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "!400");
    check("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "!400");
    check("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", "!400");
    check("GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", "!400");
}

Test(http_adapter, framing_headers)
{
    check("POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "!400");
    check("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", "!400");
    check("POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", "!400");
    check("POST / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\n", "!400");
    check("POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n", "!400");
    check("POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", "!400");
    check("POST / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\n", "!400");
    check("POST / HTTP/1.1\r\n" HOST "Content-Length: 1 1\r\n\r\n", "!400");
    check("POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", "!400");
    check("POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", "!400");
    check("POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551615\r\n\r\n", "!400");
    check("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", "!400");
    check("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", "!501");
    check("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, gzip\r\n\r\n", "!400");
    check("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n", "!400");
    check("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
          "!400");
    check("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", "!501");
    check("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked;q=1\r\n\r\n", "!400");
    check("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n", "!400");
    check("POST / HTTP/1.0\r\n\r\n", "!411");
    check("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "!400");
}

Test(http_adapter, lines)
{
    check("GET / HTTP/1.1\n" HOST "\r\n", "!400");
    check("GET / HTTP/1.1\r\nHost: h\n\r\n", "!400");
    check("GET / HTTP/1.1\r\n" HOST "\n", "!400");
    check("GET / HTTP/1.1\rHost: h\r\n\r\n", "!400");
    check("GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", "!400");
    check("GET / HTTP/1.1\r\n Host: h\r\n\r\n", "!400");
    check("GET / HTTP/1.1\r\nHost : h\r\n\r\n", "!400");
    check("GET / HTTP/1.1\r\n: h\r\n\r\n", "!400");
    check("GET / HTTP/1.1\r\nHost\r\n\r\n", "!400");
    check("GET / HTTP/1.1\r\n" HOST "A: b\x7f\r\n\r\n", "!400");
    check("GET / HTTP/1.1\r\n" HOST "A\x80: b\r\n\r\n", "!400");
    check_bytes("GET / HTTP/1.1\r\nHost: h\r\nA: \0\r\n\r\n", 33, "!400");
    check("\nGET / HTTP/1.1\r\n" HOST "\r\n", "!400");
    check("\r\n\rGET / HTTP/1.1\r\n" HOST "\r\n", "!400");
}

Test(http_adapter, request_line)
{
    check("GET  / HTTP/1.1\r\n" HOST "\r\n", "!400");
    check("GET /  HTTP/1.1\r\n" HOST "\r\n", "!400");
    check("GET / HTTP/1.1 \r\n" HOST "\r\n", "!400");
    check("GET /\r\n", "!400");
    check("GET\r\n", "!400");
    check(" GET / HTTP/1.1\r\n" HOST "\r\n", "!400");
    check("GET\t/ HTTP/1.1\r\n" HOST "\r\n", "!400");
    check("GET /\x01 HTTP/1.1\r\n" HOST "\r\n", "!400");
    check("GET /#a HTTP/1.1\r\n" HOST "\r\n", "!400");
    check("GET x HTTP/1.1\r\n" HOST "\r\n", "!400");
    check("GET * HTTP/1.1\r\n" HOST "\r\n", "!400");
    check("GET ftp://h/ HTTP/1.1\r\n" HOST "\r\n", "!400");
    check("GET http:///x HTTP/1.1\r\n" HOST "\r\n", "!400");
    check("GET http://u@h/x HTTP/1.1\r\n" HOST "\r\n", "!400");
    check("GET https://h/x HTTP/1.1\r\n" HOST "\r\n", "!421");
    check("CONNECT h:80 HTTP/1.1\r\n" HOST "\r\n", "!501");
    check("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "!505");
    check("GET / HTTP/1.9\r\n" HOST "\r\n", "GET / 1.1 keep 0 Host=h {}\n");
    check("BREW / HTTP/1.1\r\n" HOST "\r\n", "!501");
    check("get / HTTP/1.1\r\n" HOST "\r\n", "!501");
    check("GET / HTTP/2.0\r\n" HOST "\r\n", "!505");
    check("GET / HTTP/0.9\r\n" HOST "\r\n", "!505");
    check("GET / HTTX/1.1\r\n" HOST "\r\n", "!400");
    check("GET / HTTP/1.x\r\n" HOST "\r\n", "!400");
    check("GET / ICE/1.0\r\n" HOST "\r\n", "!400");
    check("\x16\x03\x01\x02", "!400");
}

Test(http_adapter, limits)
{
    char input[8192];
    int length = snprintf(input, sizeof input, "GET /%063d HTTP/1.1\r\n" HOST "\r\n", 0);
    char expected[256];
    snprintf(expected, sizeof expected, "GET /%063d 1.1 keep 0 Host=h {}\n", 0);
    check_bytes(input, (size_t)length, expected);
    length = snprintf(input, sizeof input, "GET /%064d HTTP/1.1\r\n" HOST "\r\n", 0);
    check_bytes(input, (size_t)length, "!414");
    length = snprintf(input, sizeof input, "GET / HTTP/1.1\r\n" HOST "A: %01100d\r\n\r\n", 0);
    check_bytes(input, (size_t)length, "!431");
}

static size_t head_of(char *input, size_t size, size_t total)
{
    int used = snprintf(input, size, "GET / HTTP/1.1\r\n" HOST "A: ");
    memset(input + used, 'a', total - (size_t)used - 4);
    memcpy(input + total - 4, "\r\n\r\n", 4);
    return total;
}

Test(http_adapter, head_limit_is_exact)
{
    char input[2048];
    struct feed feed;
    feed_init(&feed);
    feed_bytes(&feed, input, head_of(input, sizeof input, 1024));
    cr_assert_not(feed.bad);
    free(feed.held);
    feed_init(&feed);
    feed_bytes(&feed, input, head_of(input, sizeof input, 1025));
    expect(&feed, "!431", "one byte more");
    free(feed.held);
}

static size_t many_fields(char *input, unsigned fields)
{
    size_t used = (size_t)sprintf(input, "GET / HTTP/1.1\r\n" HOST);
    for (unsigned i = 1; i < fields; i++) used += (size_t)sprintf(input + used, "a:b\r\n");
    return used + (size_t)sprintf(input + used, "\r\n");
}

Test(http_adapter, field_limit_is_exact)
{
    char input[2048];
    struct feed feed;
    feed_init(&feed);
    feed_bytes(&feed, input, many_fields(input, RP_HTTP_FIELDS_MAX));
    cr_assert_not(feed.bad);
    cr_assert_eq(feed.head.field_count, (size_t)RP_HTTP_FIELDS_MAX);
    free(feed.held);
    feed_init(&feed);
    feed_bytes(&feed, input, many_fields(input, RP_HTTP_FIELDS_MAX + 1));
    expect(&feed, "!431", "one field more");
    free(feed.held);
}

Test(http_adapter, consumed_is_exact_between_requests)
{
    const char text[] = "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nabGET /next";
    struct feed feed;
    feed_init(&feed);
    feed_bytes(&feed, text, sizeof text - 1);
    cr_assert_eq(feed.held_length, strlen("GET /next"));
    cr_assert_arr_eq(feed.held, "GET /next", feed.held_length);
    /* Another adapter goes on from those bytes alone. */
    struct feed heir;
    feed_init(&heir);
    feed_bytes(&heir, feed.held, feed.held_length);
    feed_bytes(&heir, " HTTP/1.1\r\n" HOST "\r\n", strlen(" HTTP/1.1\r\n" HOST "\r\n"));
    expect(&heir, "GET /next 1.1 keep 0 Host=h {}\n", "heir");
    free(feed.held);
    free(heir.held);
}

Test(http_adapter, knows_when_it_is_in_a_head)
{
    const struct {
        const char *bytes;
        bool in_head;
    } steps[] = {
        {"\r", false},     {"\n", false}, {"\r\n\r", false}, {"\nG", true}, {"ET / HTTP/1.1\r\n", true},
        {HOST "\r", true}, {"\n", false}, {"\r", false}};
    struct feed feed;
    feed_init(&feed);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        feed_bytes(&feed, steps[i].bytes, strlen(steps[i].bytes));
        cr_assert_eq(rp_http_adapter_in_head(&feed.adapter), steps[i].in_head, "step %zu", i);
    }
    free(feed.held);
}

Test(http_adapter, names)
{
    cr_assert_eq(rp_http_method_parse("GET,POST"),
                 rp_http_method_parse("POST") | rp_http_method_parse("GET"));
    cr_assert_neq(rp_http_method_parse("M-SEARCH"), 0u);
    cr_assert_neq(rp_http_method_parse("SOURCE"), 0u);
    cr_assert_eq(rp_http_method_parse("GET,"), 0u);
    cr_assert_eq(rp_http_method_parse("GET POST"), 0u);
    cr_assert_eq(rp_http_method_parse("get"), 0u);
    cr_assert_eq(rp_http_method_parse(""), 0u);
    cr_assert_str_eq(rp_http_status_text(404), "Not Found");
    cr_assert_str_eq(rp_http_status_text(599), "Unknown");
}
