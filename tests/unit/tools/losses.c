#include "load/losses.h"

#include <criterion/criterion.h>

Test(losses, what_finds_no_room_is_left_out)
{
    static struct load_losses losses;
    for (uint32_t i = 0; i < LOAD_LOSSES_MAX + 2; i++)
        load_losses_add(&losses, &(struct load_loss){.failure = LOAD_FAILURE_EOF_SENT, .server_pid = i + 1});
    cr_assert_eq(losses.count, LOAD_LOSSES_MAX);
    cr_assert_eq(losses.items[0].server_pid, 1);
    cr_assert_eq(losses.items[LOAD_LOSSES_MAX - 1].server_pid, LOAD_LOSSES_MAX);
    cr_assert_eq(losses.items[0].failure, LOAD_FAILURE_EOF_SENT);
}
