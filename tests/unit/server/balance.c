#include "pure/balance.h"
#include "pure/inbox.h"

#include <criterion/criterion.h>
#include <netinet/in.h>

Test(balance, small_differences_stay)
{
    cr_assert_not(rp_balance_hands_over(1, 0));
    cr_assert_not(rp_balance_hands_over(2, 0));
    cr_assert(rp_balance_hands_over(3, 0));
    cr_assert_not(rp_balance_hands_over(35, 32));
    cr_assert_not(rp_balance_hands_over(36, 32));
    cr_assert(rp_balance_hands_over(37, 32));
    cr_assert_not(rp_balance_hands_over(10, 20));
}

/* Whatever the kernel does: it gives all of them to one. */
Test(balance, sixty_four_on_two_are_within_a_tenth)
{
    unsigned counts[2] = {0, 0};
    for (int i = 0; i < 64; i++) counts[rp_balance_hands_over(counts[0] + 1, counts[1])]++;
    cr_assert_leq(counts[0], 35);
    cr_assert_geq(counts[0], 29);
}

static struct sockaddr_storage peer_of(unsigned short port)
{
    struct sockaddr_storage storage = {0};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    memcpy(&storage, &address, sizeof address);
    return storage;
}

Test(inbox, closed_it_takes_nothing)
{
    struct rp_inbox inbox = {0};
    struct rp_arrival arrivals[RP_INBOX_MAX];
    struct sockaddr_storage peer = peer_of(1);
    cr_assert_not(rp_inbox_put(&inbox, 3, &peer, 0));
    cr_assert_eq(rp_inbox_take(&inbox, arrivals), 0);
}

Test(inbox, in_order_until_it_is_full_and_again)
{
    struct rp_inbox inbox = {.open = true};
    struct rp_arrival arrivals[RP_INBOX_MAX];
    for (int round = 0; round < 2; round++) {
        for (unsigned short i = 0; i < RP_INBOX_MAX; i++) {
            struct sockaddr_storage peer = peer_of(i);
            cr_assert(rp_inbox_put(&inbox, i, &peer, 0));
        }
        struct sockaddr_storage late = peer_of(99);
        cr_assert_not(rp_inbox_put(&inbox, 99, &late, 0));
        cr_assert_eq(rp_inbox_take(&inbox, arrivals), RP_INBOX_MAX);
        for (unsigned short i = 0; i < RP_INBOX_MAX; i++) {
            struct sockaddr_storage peer = peer_of(i);
            cr_assert_eq(arrivals[i].fd, i);
            cr_assert_arr_eq(&arrivals[i].peer, &peer, sizeof peer);
        }
    }
    cr_assert_eq(rp_inbox_take(&inbox, arrivals), 0);
}

Test(inbox, what_is_in_it_when_it_closes_can_be_taken)
{
    struct rp_inbox inbox = {.open = true};
    struct rp_arrival arrivals[RP_INBOX_MAX];
    struct sockaddr_storage peer = peer_of(1);
    cr_assert(rp_inbox_put(&inbox, 3, &peer, 0));
    inbox.open = false;
    cr_assert_not(rp_inbox_put(&inbox, 4, &peer, 0));
    cr_assert_eq(rp_inbox_take(&inbox, arrivals), 1);
    cr_assert_eq(arrivals[0].fd, 3);
}

Test(inbox, one_that_is_not_looked_into_takes_no_more)
{
    struct rp_inbox inbox = {.open = true};
    struct rp_arrival arrivals[RP_INBOX_MAX];
    struct sockaddr_storage peer = peer_of(1);
    cr_assert(rp_inbox_put(&inbox, 3, &peer, 1000));
    cr_assert(rp_inbox_put(&inbox, 4, &peer, 1000 + RP_INBOX_WAIT_MS));
    cr_assert_not(rp_inbox_put(&inbox, 5, &peer, 1001 + RP_INBOX_WAIT_MS));
    cr_assert(rp_inbox_put(&inbox, 5, &peer, 999), "a clock that is behind");
    cr_assert_eq(rp_inbox_take(&inbox, arrivals), 3);
    cr_assert(rp_inbox_put(&inbox, 6, &peer, 2000));
}
