#include "pure/response_head.h"

#include <criterion/criterion.h>
#include <rp/response.h>
#include <string.h>

static struct rp_response_plan plan(unsigned status, uint64_t length, bool to_head, unsigned minor, bool keep)
{
    const struct rp_response_facts facts = {
        .status = status, .length = length, .to_head = to_head, .minor = minor, .keep_alive = keep};
    return rp_response_plan(&facts);
}

static void is(struct rp_response_plan plan, enum rp_framing framing, bool body, bool close)
{
    cr_assert_eq(plan.framing, framing);
    cr_assert_eq(plan.body, body);
    cr_assert_eq(plan.close, close);
}

Test(http_response_head, plans)
{
    is(plan(200, 5, false, 1, true), RP_FRAMING_LENGTH, true, false);
    is(plan(200, 5, false, 1, false), RP_FRAMING_LENGTH, true, true);
    is(plan(200, 5, true, 1, true), RP_FRAMING_LENGTH, false, false);
    is(plan(200, RP_LENGTH_UNKNOWN, false, 1, true), RP_FRAMING_CHUNKED, true, false);
    is(plan(200, RP_LENGTH_UNKNOWN, true, 1, true), RP_FRAMING_CHUNKED, false, false);
    is(plan(200, RP_LENGTH_UNKNOWN, false, 0, true), RP_FRAMING_CLOSE, true, true);
    is(plan(204, 5, false, 1, true), RP_FRAMING_NONE, false, false);
    is(plan(304, RP_LENGTH_UNKNOWN, false, 0, true), RP_FRAMING_NONE, false, false);
    is(plan(204, 0, false, 1, false), RP_FRAMING_NONE, false, true);
}

static void formats(unsigned status, uint64_t length, unsigned minor, bool keep, const char *type,
                    const char *expected)
{
    struct rp_response_head head = {
        .facts = {.status = status, .length = length, .minor = minor, .keep_alive = keep},
        .date = "DATE",
        .content_type = type,
        .common_headers = "X-A: 1\r\n",
        .common_bytes = 8,
        .own_headers = "X-B: 2\r\n",
        .own_bytes = 8,
    };
    char out[512];
    head.plan = rp_response_plan(&head.facts);
    size_t used = rp_response_head_format(&head, out, sizeof out);
    cr_assert_eq(used, strlen(expected), "%.*s", (int)used, out);
    cr_assert_arr_eq(out, expected, used);
    for (size_t size = 0; size < used; size++)
        cr_assert_eq(rp_response_head_format(&head, out, size), 0u, "%zu", size);
    cr_assert_eq(rp_response_head_format(&head, out, used), used);
}

Test(http_response_head, formats)
{
    formats(200, 5, 1, true, "text/plain",
            "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Length: 5\r\nContent-Type: text/plain\r\nX-A: "
            "1\r\nX-B: 2\r\n\r\n");
    formats(200, RP_LENGTH_UNKNOWN, 1, false, NULL,
            "HTTP/1.1 200 OK\r\nDate: DATE\r\nTransfer-Encoding: chunked\r\nConnection: close\r\nX-A: "
            "1\r\nX-B: 2\r\n\r\n");
    formats(204, 0, 0, true, NULL,
            "HTTP/1.1 204 No Content\r\nDate: DATE\r\nConnection: keep-alive\r\nX-A: 1\r\nX-B: 2\r\n\r\n");
    formats(599, UINT64_MAX - 1, 1, true, NULL,
            "HTTP/1.1 599 Unknown\r\nDate: DATE\r\nContent-Length: 18446744073709551614\r\nX-A: 1\r\nX-B: "
            "2\r\n\r\n");
}

static void prefix_is(size_t length, const char *expected)
{
    char out[RP_CHUNK_PREFIX_BYTES];
    cr_assert_eq(rp_chunk_prefix_format(length, out), strlen(expected));
    cr_assert_arr_eq(out, expected, strlen(expected));
}

Test(http_response_head, chunk_prefixes)
{
    prefix_is(1, "1\r\n");
    prefix_is(15, "f\r\n");
    prefix_is(16, "10\r\n");
    prefix_is(65536, "10000\r\n");
    prefix_is(SIZE_MAX, "ffffffffffffffff\r\n");
}
