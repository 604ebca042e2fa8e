#include <criterion/criterion.h>
#include <errno.h>
#include <rp/error.h>
#include <string.h>

Test(error, set_returns_the_code_and_keeps_both)
{
    struct rp_error error = {0};
    cr_assert_eq(rp_error_set(&error, -ENOENT, "cannot open %s: %d", "x", 7), -ENOENT);
    cr_assert_eq(error.code, -ENOENT);
    cr_assert_str_eq(error.message, "cannot open x: 7");
}

Test(error, null_is_fine)
{
    cr_assert_eq(rp_error_set(NULL, -ENOENT, "x"), -ENOENT);
    cr_assert_lt(rp_error_prefix(NULL, "x"), 0);
}

Test(error, a_message_is_one_line)
{
    struct rp_error error = {0};
    rp_error_set(&error, -EINVAL, "%s", "a\nb\x1b[31m\tc\x7f\xc3\xa9");
    cr_assert_str_eq(error.message, "a?b?[31m?c?\xc3\xa9");
}

Test(error, a_long_message_is_cut)
{
    struct rp_error error;
    char text[1000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    rp_error_set(&error, -EINVAL, "%s", text);
    cr_assert_eq(strlen(error.message), RP_ERROR_MESSAGE_BYTES - 1);
    rp_error_prefix(&error, "%s", text);
    cr_assert_eq(strlen(error.message), RP_ERROR_MESSAGE_BYTES - 1);
}

Test(error, the_old_message_may_be_an_argument)
{
    struct rp_error error = {0};
    rp_error_set(&error, -EINVAL, "inner");
    rp_error_set(&error, -EIO, "outer(%s)", error.message);
    cr_assert_str_eq(error.message, "outer(inner)");
}

Test(error, prefix_keeps_the_code)
{
    struct rp_error error = {0};
    rp_error_set(&error, -EPERM, "no");
    cr_assert_eq(rp_error_prefix(&error, "step %d", 2), -EPERM);
    cr_assert_str_eq(error.message, "step 2: no");
    cr_assert_eq(rp_error_prefix(&error, "%s", error.message), -EPERM);
    cr_assert_str_eq(error.message, "step 2: no: step 2: no");
}
