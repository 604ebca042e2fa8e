#include "load/response.h"

#include <criterion/criterion.h>
#include <string.h>

static const char SIZED[] =
    "HTTP/1.1 200 OK\r\nX-Version: v2\r\nx-generation:\t17 \r\nContent-Length: 5\r\n\r\nhello";
static const char CHUNKED[] =
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n"
    "Connection: close\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: 1\r\n\r\n";

static size_t feed(struct load_response *response, const char *text)
{
    load_response_init(response);
    return load_response_feed(response, text, strlen(text));
}

static void expect_sized(const struct load_response *response)
{
    cr_assert_eq(response->state, LOAD_RESPONSE_WHOLE, "problem: %s", response->problem);
    cr_assert_eq(response->status, 200);
    cr_assert_not(response->close);
    cr_assert_str_eq(response->version, "v2");
    cr_assert_str_eq(response->generation, "17");
    cr_assert_eq(response->body_bytes, 5);
    cr_assert_arr_eq(response->body, "hello", 5);
}

static void expect_chunked(const struct load_response *response)
{
    cr_assert_eq(response->state, LOAD_RESPONSE_WHOLE, "problem: %s", response->problem);
    cr_assert_eq(response->status, 201);
    cr_assert(response->close);
    cr_assert_eq(response->body_bytes, 5);
    cr_assert_arr_eq(response->body, "hello", 5);
}

static void at_every_split(const char *text, void (*expect)(const struct load_response *))
{
    size_t size = strlen(text);
    for (size_t split = 0; split <= size; split++) {
        struct load_response response;
        load_response_init(&response);
        cr_assert_eq(load_response_feed(&response, text, split), split);
        if (split < size) cr_assert_neq(response.state, LOAD_RESPONSE_WHOLE, "whole after %zu bytes", split);
        cr_assert_eq(load_response_feed(&response, text + split, size - split), size - split);
        expect(&response);
    }
}

static void byte_by_byte(const char *text, void (*expect)(const struct load_response *))
{
    struct load_response response;
    load_response_init(&response);
    for (size_t i = 0; text[i]; i++) cr_assert_eq(load_response_feed(&response, text + i, 1), 1);
    expect(&response);
}

Test(response, sized_at_every_split)
{
    at_every_split(SIZED, expect_sized);
    byte_by_byte(SIZED, expect_sized);
}

Test(response, chunked_at_every_split)
{
    at_every_split(CHUNKED, expect_chunked);
    byte_by_byte(CHUNKED, expect_chunked);
}

Test(response, stops_at_its_end)
{
    struct load_response response;
    char two[2 * sizeof(SIZED)];
    strcpy(two, SIZED);
    strcat(two, SIZED);
    cr_assert_eq(feed(&response, two), strlen(SIZED));
    cr_assert_eq(load_response_feed(&response, "more", 4), 0);
    expect_sized(&response);
}

Test(response, is_reused)
{
    struct load_response response;
    feed(&response, CHUNKED);
    feed(&response, SIZED);
    expect_sized(&response);
}

Test(response, bodies_that_are_empty)
{
    struct load_response response;
    feed(&response, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    cr_assert_eq(response.state, LOAD_RESPONSE_WHOLE);
    feed(&response, "HTTP/1.1 204 No Content\r\n\r\n");
    cr_assert_eq(response.state, LOAD_RESPONSE_WHOLE);
    feed(&response, "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n");
    cr_assert_eq(response.state, LOAD_RESPONSE_WHOLE);
}

Test(response, connection)
{
    struct load_response response;
    feed(&response, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n");
    cr_assert(response.close);
    feed(&response, "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n");
    cr_assert_not(response.close);
    feed(&response, "HTTP/1.1 200\r\nCONNECTION: Close\r\nContent-Length: 0\r\n\r\n");
    cr_assert(response.close);
    feed(&response, "HTTP/1.1 200 OK\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n");
    cr_assert_not(response.close);
}

Test(response, long_bodies_and_labels_are_cut)
{
    struct load_response response;
    char data[1000];
    memset(data, 'a', sizeof(data));
    feed(&response,
         "HTTP/1.1 200 OK\r\nX-Version: 0123456789012345678901234567890\r\nContent-Length: 1000\r\n\r\n");
    cr_assert_eq(load_response_feed(&response, data, sizeof(data)), sizeof(data));
    cr_assert_eq(response.state, LOAD_RESPONSE_WHOLE);
    cr_assert_eq(response.body_bytes, 1000);
    cr_assert_eq(response.body_kept, LOAD_RESPONSE_BODY_BYTES);
    cr_assert_str_eq(response.version, "01234567890123456789012");
}

Test(response, what_is_no_answer)
{
    static const char *const bad[] = {
        "HTTP/2 200 OK\r\n",
        "HTTP/1.2 200 OK\r\n",
        "HTTP/1.1_200 OK\r\n",
        "HTTP/1.1 20 OK\r\n",
        "HTTP/1.1 2000 OK\r\n",
        "HTTP/1.1 099 OK\r\n",
        "HTTP/1.1 200OK\r\n",
        "hello\r\n",
        "\r\n",
        "HTTP/1.1 200 OK\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n",
        "HTTP/1.1 200 OK\r\n: empty name\r\n",
        "HTTP/1.1 200 OK\r\nX: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1234567890123456789\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1234567890123456\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct load_response response;
        feed(&response, bad[i]);
        cr_assert_eq(response.state, LOAD_RESPONSE_BAD, "taken: %s", bad[i]);
        cr_assert_not_null(response.problem);
        cr_assert_eq(load_response_feed(&response, "x", 1), 0);
    }
}

Test(response, nul_in_a_line)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nX: a\0b\r\n";
    struct load_response response;
    load_response_init(&response);
    load_response_feed(&response, text, sizeof(text) - 1);
    cr_assert_eq(response.state, LOAD_RESPONSE_BAD);
}

Test(response, line_limit)
{
    struct load_response response;
    char name[LOAD_RESPONSE_LINE_BYTES];
    memset(name, 'a', sizeof(name));
    feed(&response, "HTTP/1.1 200 OK\r\n");
    load_response_feed(&response, name, sizeof(name) - 1);
    cr_assert_eq(response.state, LOAD_RESPONSE_HEADERS);
    load_response_feed(&response, "a", 1);
    cr_assert_eq(response.state, LOAD_RESPONSE_BAD);
}
