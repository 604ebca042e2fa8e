#include "pure/peer_counts.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>

#include "leaks.h"

static struct sockaddr *address(const char *text)
{
    static struct sockaddr_in ipv4;
    static struct sockaddr_in6 ipv6;
    static in_port_t port;
    ipv4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = ++port};
    ipv6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
    if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1) return (struct sockaddr *)&ipv4;
    cr_assert_eq(inet_pton(AF_INET6, text, &ipv6.sin6_addr), 1);
    return (struct sockaddr *)&ipv6;
}

static void take(struct rp_peer_counts *counts, const char *text, int expected)
{
    cr_assert_eq(rp_peer_counts_add(counts, address(text), 2), expected, "%s", text);
}

Test(peer_counts, each_address_by_itself)
{
    struct rp_peer_counts counts = {0};
    cr_assert_eq(rp_peer_counts_init(&counts, 7), 0);
    take(&counts, "10.0.0.1", 0);
    take(&counts, "10.0.0.1", 0);
    take(&counts, "10.0.0.1", -EUSERS);
    take(&counts, "10.0.0.2", 0);
    rp_peer_counts_remove(&counts, address("10.0.0.1"));
    take(&counts, "10.0.0.1", 0);
    take(&counts, "10.0.0.1", -EUSERS);
    rp_peer_counts_done(&counts);
    expect_no_leak();
}

Test(peer_counts, mapped_ipv4_is_ipv4)
{
    struct rp_peer_counts counts = {0};
    cr_assert_eq(rp_peer_counts_init(&counts, 7), 0);
    take(&counts, "10.0.0.1", 0);
    take(&counts, "::ffff:10.0.0.1", 0);
    take(&counts, "10.0.0.1", -EUSERS);
    take(&counts, "::ffff:10.0.0.2", 0);
    rp_peer_counts_remove(&counts, address("10.0.0.1"));
    rp_peer_counts_remove(&counts, address("10.0.0.1"));
    take(&counts, "::ffff:10.0.0.1", 0);
    rp_peer_counts_done(&counts);
    expect_no_leak();
}

Test(peer_counts, ipv6_counts_by_its_64)
{
    struct rp_peer_counts counts = {0};
    cr_assert_eq(rp_peer_counts_init(&counts, 7), 0);
    take(&counts, "2001:db8:0:1::1", 0);
    take(&counts, "2001:db8:0:1:ffff::2", 0);
    take(&counts, "2001:db8:0:1::3", -EUSERS);
    take(&counts, "2001:db8:0:2::1", 0);
    rp_peer_counts_done(&counts);
    expect_no_leak();
}

/* More addresses than buckets, each added and removed: the last of a bucket, the first, and one between. */
Test(peer_counts, many)
{
    struct rp_peer_counts counts = {0};
    struct sockaddr_in peer = {.sin_family = AF_INET};
    cr_assert_eq(rp_peer_counts_init(&counts, 12345), 0);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 4 * RP_PEER_BUCKETS; i++) {
            peer.sin_addr.s_addr = i;
            cr_assert_eq(rp_peer_counts_add(&counts, (struct sockaddr *)&peer, 1), 0);
            cr_assert_eq(rp_peer_counts_add(&counts, (struct sockaddr *)&peer, 1), -EUSERS);
        }
        for (uint32_t i = 0; i < 4 * RP_PEER_BUCKETS; i++) {
            peer.sin_addr.s_addr = i * 7 % (4 * RP_PEER_BUCKETS);
            rp_peer_counts_remove(&counts, (struct sockaddr *)&peer);
        }
    }
    expect_no_leak();
    for (size_t i = 0; i < RP_PEER_BUCKETS; i++) cr_assert_null(counts.buckets[i]);
    rp_peer_counts_done(&counts);
    rp_peer_counts_done(&counts);
    expect_no_leak();
}
