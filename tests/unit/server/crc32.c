#include "pure/crc32.h"

#include <criterion/criterion.h>

Test(crc32, known)
{
    cr_assert_eq(rp_crc32(0, "", 0), 0u);
    cr_assert_eq(rp_crc32(0, "123456789", 9), 0xcbf43926u);
    cr_assert_eq(rp_crc32(0, "\xff\xff\xff\xff", 4), 0xffffffffu);
}

Test(crc32, goes_on)
{
    static const char text[] = "123456789";
    for (size_t at = 0; at <= 9; at++)
        cr_assert_eq(rp_crc32(rp_crc32(0, text, at), text + at, 9 - at), 0xcbf43926u);
}
