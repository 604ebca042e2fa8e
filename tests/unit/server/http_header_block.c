#include "pure/header_block.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(http_header_block, lines)
{
    struct rp_buffer block = {0};
    cr_assert_eq(rp_header_block_add(&block, "X-A", "1", 100), 0);
    cr_assert_eq(rp_header_block_add(&block, "X-B", "", 100), 0);
    cr_assert_eq(block.length, strlen("X-A: 1\r\nX-B: \r\n"));
    cr_assert_arr_eq(block.bytes, "X-A: 1\r\nX-B: \r\n", block.length);
    rp_buffer_free(&block);
}

Test(http_header_block, refused)
{
    static const char *const names[] = {
        "",     "a b",     "a:",      "a\r",       "Connection", "content-LENGTH", "transfer-encoding",
        "Date", "upgrade", "Trailer", "Keep-Alive"};
    struct rp_buffer block = {0};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        cr_assert_eq(rp_header_block_add(&block, names[i], "x", 100), -EINVAL, "%s", names[i]);
    cr_assert_eq(rp_header_block_add(&block, "a", "x\r\nb: y", 100), -EINVAL);
    cr_assert_eq(rp_header_block_add(&block, "a", "x\n", 100), -EINVAL);
    cr_assert_eq(block.length, 0u);
}

Test(http_header_block, limit)
{
    struct rp_buffer block = {0};
    cr_assert_eq(rp_header_block_add(&block, "abc", "123", 10), 0);
    cr_assert_eq(rp_header_block_add(&block, "a", "", 10), -ENOBUFS);
    cr_assert_eq(block.length, 10u);
    rp_buffer_free(&block);
    cr_assert_eq(rp_header_block_add(&block, "abc", "1234", 10), -ENOBUFS);
}
