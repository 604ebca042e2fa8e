/* The steering program: its structure, and what the kernel does with it. */
#include "pure/steering.h"

#include "linux/reuseport.h"
#include "upgrader/kernel_group.h"

#include <stdlib.h>

static struct rpctl_filter_program program;

static int compile(const struct rpctl_steering_share *shares, size_t count,
                   const struct rpctl_probe_match *probes, size_t probe_count)
{
    return rpctl_steering_compile(&program, shares, count, probes, probe_count);
}

Test(steering, one_index_is_one_instruction)
{
    uint16_t index = 7;
    struct rpctl_steering_share shares[] = {{&index, 1, 1}, {&index, 1, 0}, {NULL, 0, 5}};

    cr_assert_eq(compile(shares, 3, NULL, 0), 0);
    cr_assert_eq(program.length, 1);
    cr_assert_eq(program.code[0].code, BPF_RET | BPF_K);
    cr_assert_eq(program.code[0].k, 7);
}

Test(steering, a_run_needs_no_table)
{
    uint16_t indices[] = {6, 4, 5};
    struct rpctl_steering_share share = {indices, 3, 1};

    cr_assert_eq(compile(&share, 1, NULL, 0), 0);
    cr_assert_eq(program.length, 4); /* random, modulo, add, return */
    cr_assert_eq(program.code[1].k, 3);
    cr_assert_eq(program.code[2].k, 4);
}

Test(steering, nobody_to_steer_to_is_an_error)
{
    uint16_t index = 0;
    struct rpctl_steering_share shares[] = {{&index, 1, 0}, {NULL, 0, 1}};

    cr_assert_eq(compile(NULL, 0, NULL, 0), -EINVAL);
    cr_assert_eq(compile(shares, 2, NULL, 0), -EINVAL);
}

Test(steering, a_program_larger_than_the_kernel_takes_is_an_error)
{
    static uint16_t odd[RPCTL_STEERING_SHARES_MAX][512];
    struct rpctl_steering_share shares[RPCTL_STEERING_SHARES_MAX];

    for (size_t i = 0; i < RPCTL_STEERING_SHARES_MAX; i++) {
        for (uint16_t k = 0; k < 512; k++) odd[i][k] = (uint16_t)(2 * k + 1);
        shares[i] = (struct rpctl_steering_share){odd[i], 512, RPCTL_STEERING_WEIGHT_MAX};
    }
    cr_assert_eq(compile(shares, 2, NULL, 0), 0);
    cr_assert_eq(compile(shares, RPCTL_STEERING_SHARES_MAX, NULL, 0), -E2BIG);
}

struct group {
    const char *ip; /* bound to */
    uint16_t port;
    int fds[16];
    size_t count;
};

static void open_group(struct group *group, const char *ip, size_t count)
{
    group->ip = ip;
    group->port = 0;
    group->count = count;
    for (size_t i = 0; i < count; i++) group->fds[i] = test_listen(ip, &group->port);
}

static void attach(const struct group *group)
{
    struct rp_error error;

    cr_assert_eq(rpctl_reuseport_attach(group->fds[0], program.code, program.length, &error), 0);
}

/* Counts who gets `connections` connections to `ip`. */
static void count_connections(const struct group *group, const char *ip, unsigned connections,
                              unsigned *counts)
{
    memset(counts, 0, group->count * sizeof(*counts));
    for (unsigned i = 0; i < connections; i++)
        counts[test_one_connection(ip, group->port, group->fds, group->count)]++;
}

/* 300 probes to each of three listeners, mixed with as many other clients of the same address. */
static void check_probes(const char *bind_ip, const char *ip)
{
    uint16_t old_indices[] = {0, 1};
    struct rpctl_steering_share old = {old_indices, 2, 1};
    struct group group;

    open_group(&group, bind_ip, 5);
    for (unsigned i = 0; i < 300; i++) {
        struct rpctl_probe_match probes[3];
        int clients[3];

        for (uint32_t k = 0; k < 3; k++) {
            clients[k] = test_bind_client(ip, &probes[k].source);
            probes[k].index = 2 + k;
        }
        cr_assert_eq(compile(&old, 1, probes, 3), 0);
        attach(&group);
        for (uint32_t k = 0; k < 3; k++) {
            cr_assert_lt(test_one_connection(ip, group.port, group.fds, group.count), 2,
                         "reached the new ones");
            test_connect(clients[k], ip, group.port);
            cr_assert_eq(test_who_accepts(group.fds, group.count), 2 + k, "the probe went astray");
            test_close_client(clients[k]);
        }
    }
}

Test(steering_kernel, probes_are_exact_ipv4)
{
    check_probes("127.0.0.1", "127.0.0.1");
    check_probes("0.0.0.0", "127.0.0.3");
}

Test(steering_kernel, probes_are_exact_ipv6)
{
    check_probes("::1", "::1");
}

Test(steering_kernel, probes_are_exact_dual_stack)
{
    check_probes("::", "127.0.0.1");
    check_probes("::", "::1");
}

/* Both families of a dual-stack group in one program, one address with several ports, and an address beside.
 */
Test(steering_kernel, one_program_takes_probes_of_both_families)
{
    static const char *const ips[] = {"127.0.0.1", "::1", "127.0.0.1", "127.0.0.2", "::1", "127.0.0.2"};
    struct rpctl_probe_match probes[6];
    uint16_t zero = 0;
    struct rpctl_steering_share old = {&zero, 1, 1};
    struct group group;
    int clients[6];

    open_group(&group, "::", 7);
    for (uint32_t i = 0; i < 6; i++) {
        clients[i] = test_bind_client(ips[i], &probes[i].source);
        probes[i].index = i + 1;
    }
    cr_assert_eq(compile(&old, 1, probes, 6), 0);
    attach(&group);
    for (uint32_t i = 0; i < 6; i++) {
        cr_assert_eq(test_one_connection(ips[i], group.port, group.fds, group.count), 0);
        test_connect(clients[i], ips[i], group.port);
        cr_assert_eq(test_who_accepts(group.fds, group.count), i + 1);
        test_close_client(clients[i]);
    }
}

/* Bounds of more than five standard deviations: a false alarm less than once in a million runs. */
static void check_weight(const char *ip, unsigned percent, unsigned low, unsigned high)
{
    uint16_t old_indices[] = {0, 3}, new_indices[] = {4, 1};
    struct rpctl_steering_share shares[] = {{old_indices, 2, 100 - percent}, {new_indices, 2, percent}};
    struct group group;
    unsigned counts[6], to_new;

    open_group(&group, ip, 6);
    cr_assert_eq(compile(shares, 2, NULL, 0), 0);
    attach(&group);
    count_connections(&group, ip, 4000, counts);
    to_new = counts[1] + counts[4];
    cr_assert(low <= to_new && to_new <= high, "%u %%: %u of 4000", percent, to_new);
    cr_assert_eq(counts[2] + counts[5], 0);
}

Test(steering_kernel, weights)
{
    check_weight("127.0.0.1", 1, 6, 90);
    check_weight("127.0.0.1", 25, 1000 - 160, 1000 + 160);
    check_weight("::1", 50, 2000 - 180, 2000 + 180);
    check_weight("::1", 99, 4000 - 90, 4000 - 6);
}

Test(steering_kernel, spreads_evenly_over_scattered_indices)
{
    uint16_t indices[] = {11, 0, 1, 2, 5, 7, 8, 9};
    struct rpctl_steering_share share = {indices, 8, 1};
    struct group group;
    unsigned counts[16];

    open_group(&group, "127.0.0.1", 16);
    cr_assert_eq(compile(&share, 1, NULL, 0), 0);
    attach(&group);
    count_connections(&group, "127.0.0.1", 4000, counts);
    for (uint16_t i = 0; i < 16; i++) {
        bool wanted = i <= 2 || i == 5 || (7 <= i && i <= 9) || i == 11;
        unsigned expected = wanted ? 500 : 0;
        unsigned distance = counts[i] > expected ? counts[i] - expected : expected - counts[i];

        cr_assert_leq(distance, wanted ? 120 : 0, "index %u: %u", i, counts[i]);
    }
}

/* The largest shares that fit compile, attach and work: every jump reaches. */
Test(steering_kernel, shares_too_long_for_a_short_jump)
{
    static uint16_t odd[256];
    uint16_t zero = 0;
    struct rpctl_steering_share shares[] = {{odd, 256, 50}, {&zero, 1, 50}};
    struct group group;
    unsigned counts[2];

    for (uint16_t i = 0; i < 256; i++) odd[i] = (uint16_t)(2 * i + 1);
    open_group(&group, "127.0.0.1", 2);
    cr_assert_eq(compile(shares, 2, NULL, 0), 0);
    cr_assert_gt(program.length, 512);
    attach(&group);
    /* 50 % to index 0; of the rest 1 in 256 to index 1, all others fall back to the hash over both. */
    count_connections(&group, "127.0.0.1", 2000, counts);
    cr_assert(1500 - 120 <= counts[0] && counts[0] <= 1500 + 120, "%u", counts[0]);
}

Test(steering_kernel, a_pin_holds_while_others_join)
{
    uint16_t indices[] = {0, 1};
    struct rpctl_steering_share old = {indices, 2, 1};
    struct group group;

    open_group(&group, "::", 2);
    cr_assert_eq(compile(&old, 1, NULL, 0), 0);
    attach(&group);
    for (unsigned i = 0; i < 8; i++) {
        group.fds[group.count++] = test_listen("::", &group.port);
        for (unsigned k = 0; k < 50; k++) {
            cr_assert_lt(test_one_connection("127.0.0.1", group.port, group.fds, group.count), 2);
            cr_assert_lt(test_one_connection("::1", group.port, group.fds, group.count), 2);
        }
    }
}

Test(steering_kernel, detach_brings_everyone_back)
{
    uint16_t zero = 0;
    struct rpctl_steering_share share = {&zero, 1, 1};
    struct rp_error error = {0};
    struct group group;
    unsigned counts[2];

    open_group(&group, "127.0.0.1", 2);
    cr_assert_eq(rpctl_reuseport_detach(group.fds[0], &error), 0, "fine when there is none");
    cr_assert_eq(compile(&share, 1, NULL, 0), 0);
    attach(&group);
    count_connections(&group, "127.0.0.1", 100, counts);
    cr_assert_eq(counts[0], 100);
    cr_assert_eq(rpctl_reuseport_detach(group.fds[1], &error), 0);
    count_connections(&group, "127.0.0.1", 200, counts);
    cr_assert(counts[0] > 20 && counts[1] > 20);
}

Test(steering_kernel, errors_have_texts)
{
    struct sock_filter bad = {0xffff, 0, 0, 0};
    struct rp_error error = {0};
    struct group group;

    open_group(&group, "127.0.0.1", 1);
    cr_assert_eq(rpctl_reuseport_attach(group.fds[0], &bad, 1, &error), -EINVAL);
    cr_assert_neq(error.message[0], '\0');
    cr_assert_eq(rpctl_reuseport_attach(-1, &bad, 1, &error), -EBADF);
    cr_assert_eq(rpctl_reuseport_detach(-1, &error), -EBADF);
}
