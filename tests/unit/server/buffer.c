#include "pure/buffer.h"

#include "leaks.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>

Test(buffer, goes_in_and_out_in_order)
{
    struct rp_buffer buffer = {0};
    unsigned char in = 0, out = 0;
    for (unsigned round = 0; round < 2000; round++) {
        unsigned char bytes[37];
        for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = in++;
        cr_assert_eq(rp_buffer_append(&buffer, bytes, round % sizeof bytes), 0);
        in = (unsigned char)(in - sizeof bytes + round % sizeof bytes);
        size_t take = round % 29 < buffer.length ? round % 29 : buffer.length;
        for (size_t i = 0; i < take; i++) cr_assert_eq((unsigned char)buffer.bytes[i], out++);
        rp_buffer_consume(&buffer, take);
    }
    rp_buffer_free(&buffer);
    expect_no_leak();
}

Test(buffer, empty_owns_nothing)
{
    struct rp_buffer buffer = {0};
    cr_assert_eq(rp_buffer_append(&buffer, "", 0), 0);
    cr_assert_null(buffer.memory);
    cr_assert_eq(rp_buffer_append(&buffer, "abc", 3), 0);
    rp_buffer_consume(&buffer, 3);
    cr_assert_null(buffer.memory);
    cr_assert_eq(buffer.capacity, 0u);
}

Test(buffer, clear_keeps_what_is_small)
{
    struct rp_buffer buffer = {0};
    rp_buffer_clear(&buffer, 1024);
    cr_assert_null(buffer.memory);
    cr_assert_eq(rp_buffer_append(&buffer, "abc", 3), 0);
    rp_buffer_consume(&buffer, 1);
    const char *memory = buffer.memory;
    rp_buffer_clear(&buffer, buffer.capacity);
    cr_assert_eq(buffer.length, 0u);
    cr_assert_eq(rp_buffer_append(&buffer, "de", 2), 0);
    cr_assert_eq(buffer.bytes, memory);
    cr_assert_arr_eq(buffer.bytes, "de", 2);
    rp_buffer_clear(&buffer, buffer.capacity - 1);
    cr_assert_null(buffer.memory);
    expect_no_leak();
}

Test(buffer, too_much_changes_nothing)
{
    struct rp_buffer buffer = {0};
    cr_assert_eq(rp_buffer_append(&buffer, "abc", 3), 0);
    cr_assert_eq(rp_buffer_append(&buffer, "abc", SIZE_MAX / 2), -ENOMEM);
    cr_assert_eq(buffer.length, 3u);
    cr_assert_arr_eq(buffer.bytes, "abc", 3);
    rp_buffer_free(&buffer);
}
