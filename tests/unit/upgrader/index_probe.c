/* Learning the order of a group, held against who really accepts; and the group model against the kernel. */
#include "linux/index_probe.h"

#include "linux/reuseport.h"
#include "pure/group_model.h"
#include "pure/steering.h"
#include "upgrader/kernel_group.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>

#define RANDOM_STEPS 10000

static int probe_with(const struct rp_address *address, const int *fds, size_t count, uint16_t *order,
                      struct rp_error *error)
{
    static const struct sock_filter everything_to_0 = {BPF_RET | BPF_K, 0, 0, 0};
    struct rpctl_index_probe probe = {address, fds, count, &everything_to_0, 1};

    return rpctl_index_probe_run(&probe, order, error);
}

static void probe(const char *ip, uint16_t port, const int *fds, size_t count, uint16_t *order)
{
    struct rp_address address = test_address(ip, port);
    struct rp_error error = {0};

    cr_assert_eq(probe_with(&address, fds, count, order, &error), 0, "%s", error.message);
}

/* The truth: steer everything to one index, connect, see who accepts. */
static void ask(const char *connect_ip, uint16_t port, const int *fds, size_t count, uint16_t *order)
{
    for (size_t i = 0; i < count; i++) {
        struct sock_filter to_index = {BPF_RET | BPF_K, 0, 0, (uint32_t)i};

        cr_assert_eq(rpctl_reuseport_attach(fds[0], &to_index, 1, NULL), 0);
        order[i] = (uint16_t)test_one_connection(connect_ip, port, fds, count);
    }
}

static void check_against_truth(const char *ip, const char *connect_ip, size_t count)
{
    uint16_t probed[64], truth[64], port = 0;
    int fds[64];

    for (size_t i = 0; i < count; i++) fds[i] = test_listen(ip, &port);
    for (size_t i = count; i-- > 1;) {
        size_t other = (size_t)rand() % (i + 1);
        int fd = fds[i];

        fds[i] = fds[other];
        fds[other] = fd;
    }
    probe(ip, port, fds, count, probed);
    ask(connect_ip, port, fds, count, truth);
    cr_assert_arr_eq(probed, truth, count * sizeof(truth[0]));
    for (size_t i = 0; i < count; i++) close(fds[i]);
}

Test(index_probe, agrees_with_who_accepts)
{
    for (size_t count = 1; count <= 12; count++) {
        check_against_truth("127.0.0.1", "127.0.0.1", count);
        check_against_truth("0.0.0.0", "127.0.0.1", count);
        check_against_truth("::1", "::1", count);
        check_against_truth("::", "::1", count);
        check_against_truth("::", "127.0.0.1", count);
    }
    check_against_truth("127.0.0.1", "127.0.0.1", 64);
}

/* More listeners than probes fit into one program. */
Test(index_probe, goes_through_a_large_group_in_batches)
{
    static int fds[200];
    static uint16_t order[200];
    uint16_t port = 0;

    for (size_t i = 0; i < 200; i++) fds[i] = test_listen("::1", &port);
    probe("::1", port, fds, 200, order);
    for (uint16_t i = 0; i < 200; i++) cr_assert_eq(order[i], i);
}

static int get_option(int fd, int level, int option)
{
    int value = -1;
    socklen_t length = sizeof(value);

    cr_assert_eq(getsockopt(fd, level, option, &value, &length), 0);
    return value;
}

Test(index_probe, leaves_no_connection_and_no_option)
{
    uint16_t order[4], port = 0;
    int fds[4];

    for (size_t i = 0; i < 4; i++) fds[i] = test_listen("::", &port);
    probe("::", port, fds, 4, order);
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(accept(fds[i], NULL, NULL), -1);
        cr_assert_eq(errno, EAGAIN);
        cr_assert_eq(get_option(fds[i], IPPROTO_IP, IP_MINTTL), 0);
        cr_assert_eq(get_option(fds[i], IPPROTO_IPV6, IPV6_MINHOPCOUNT), 0);
    }
}

/* A server that demands the hop limit of a direct neighbour keeps that, and is probed by it. */
Test(index_probe, respects_the_hop_limit_of_a_server)
{
    uint16_t order[3], port = 0;
    int fds[3], neighbours = 255, any = 1;

    for (size_t i = 0; i < 3; i++) fds[i] = test_listen("127.0.0.1", &port);
    cr_assert_eq(setsockopt(fds[1], IPPROTO_IP, IP_MINTTL, &neighbours, sizeof(neighbours)), 0);
    cr_assert_eq(setsockopt(fds[2], IPPROTO_IP, IP_MINTTL, &any, sizeof(any)), 0);
    probe("127.0.0.1", port, fds, 3, order);
    for (uint16_t i = 0; i < 3; i++) cr_assert_eq(order[i], i);
    cr_assert_eq(get_option(fds[0], IPPROTO_IP, IP_MINTTL), 0);
    cr_assert_eq(get_option(fds[1], IPPROTO_IP, IP_MINTTL), 255);
    cr_assert_eq(get_option(fds[2], IPPROTO_IP, IP_MINTTL), 1);
}

/* A probe to 0.0.0.0 goes by 127.0.0.1 first, and there stands somebody else. */
Test(index_probe, goes_round_a_more_exact_listener)
{
    uint16_t order[3], port = 0;
    int fds[3];

    for (size_t i = 0; i < 3; i++) fds[i] = test_listen("0.0.0.0", &port);
    test_listen("127.0.0.1", &port);
    probe("0.0.0.0", port, fds, 3, order);
    for (uint16_t i = 0; i < 3; i++) cr_assert_eq(order[i], i);
}

/* In a network namespace of our own: loopback without IPv6. */
static bool enter_namespace_without_ipv6(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd;

    if (unshare(CLONE_NEWNET) != 0) return false;
    fd = open("/proc/sys/net/ipv6/conf/all/disable_ipv6", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        cr_assert_eq(write(fd, "1", 1), 1);
        close(fd);
    }
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0);
    close(fd);
    return true;
}

Test(index_probe, a_dual_stack_group_on_a_machine_without_ipv6_addresses)
{
    uint16_t order[3], port = 0;
    int fds[3];

    if (!enter_namespace_without_ipv6()) cr_skip_test("no right to make a network namespace");
    for (size_t i = 0; i < 3; i++) fds[i] = test_listen("::", &port);
    probe("::", port, fds, 3, order);
    for (uint16_t i = 0; i < 3; i++) cr_assert_eq(order[i], i);
}

/* A listener that is missing among the descriptors. */
Test(index_probe, does_not_guess)
{
    struct rp_error error = {0};
    uint16_t order[2], port = 0;
    struct rp_address address;
    int fds[3];

    for (size_t i = 0; i < 3; i++) fds[i] = test_listen("127.0.0.1", &port);
    address = test_address("127.0.0.1", port);
    cr_assert_eq(probe_with(&address, fds + 1, 2, order, &error), -EHOSTUNREACH);
    cr_assert(strstr(error.message, "127.0.0.1"), "%s", error.message);
}

/* The same listener given twice: the answers contradict each other, and it says so after a bounded time. */
Test(index_probe, does_not_settle_for_contradictions)
{
    struct rp_error error = {0};
    uint16_t order[2], port = 0;
    struct rp_address address;
    int fds[2];

    fds[0] = test_listen("127.0.0.1", &port);
    fds[1] = dup(fds[0]);
    address = test_address("127.0.0.1", port);
    cr_assert_eq(probe_with(&address, fds, 2, order, &error), -EAGAIN);
    cr_assert_neq(error.message[0], '\0');
}

Test(index_probe, refuses_a_closed_descriptor)
{
    struct rp_error error = {0};
    uint16_t order[2], port = 0;
    int fds[2] = {test_listen("127.0.0.1", &port), -1};
    struct rp_address address = test_address("127.0.0.1", port);

    cr_assert_eq(probe_with(&address, fds, 2, order, &error), -EBADF);
    cr_assert_neq(error.message[0], '\0');
    cr_assert_eq(get_option(fds[0], IPPROTO_IP, IP_MINTTL), 0);
}

Test(index_probe, the_program_does_not_fit)
{
    static struct sock_filter otherwise[BPF_MAXINSNS];
    struct rp_error error = {0};
    uint16_t order[2], port = 0;
    int fds[2] = {test_listen("127.0.0.1", &port), test_listen("127.0.0.1", &port)};
    struct rp_address address = test_address("127.0.0.1", port);
    struct rpctl_index_probe request = {&address, fds, 2, otherwise, BPF_MAXINSNS};

    for (size_t i = 0; i < BPF_MAXINSNS; i++) otherwise[i].code = BPF_RET | BPF_K;
    cr_assert_eq(rpctl_index_probe_run(&request, order, &error), -E2BIG);
    cr_assert_eq(get_option(fds[0], IPPROTO_IP, IP_MINTTL), 0);
}

/* While the order is learnt, all other clients go where they went before. */
Test(index_probe, other_traffic_does_not_notice)
{
    uint16_t order[6], port = 0;
    struct sock_filter to_2 = {BPF_RET | BPF_K, 0, 0, 2};
    struct rp_address address;
    int fds[6];

    for (size_t i = 0; i < 6; i++) fds[i] = test_listen("127.0.0.1", &port);
    address = test_address("127.0.0.1", port);
    for (unsigned i = 0; i < 100; i++) {
        struct rpctl_index_probe request = {&address, fds, 6, &to_2, 1};

        cr_assert_eq(rpctl_index_probe_run(&request, order, NULL), 0);
        cr_assert_eq(test_one_connection("127.0.0.1", port, fds, 6), 2);
    }
}

static void port_range(unsigned *ret_first, unsigned *ret_last)
{
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");

    cr_assert(file);
    cr_assert_eq(fscanf(file, "%u %u", ret_first, ret_last), 2);
    fclose(file);
}

/* A port that a probe had is free again: whoever gets it goes where everybody goes. All are tried, but for
 * those that somebody else has. */
Test(index_probe, a_port_that_is_free_again_leads_nobody_astray)
{
    uint16_t order[6], port = 0;
    unsigned first, last, tried = 0;
    int fds[6];

    port_range(&first, &last);
    for (size_t i = 0; i < 6; i++) fds[i] = test_listen("127.0.0.1", &port);
    probe("127.0.0.1", port, fds, 6, order);
    for (unsigned source = first; source <= last; source++) {
        struct rp_address from = test_address("127.0.0.1", (uint16_t)source);
        int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        cr_assert_geq(client, 0);
        if (bind(client, (struct sockaddr *)&from.storage, from.length) == 0) {
            test_connect(client, "127.0.0.1", port);
            cr_assert_eq(test_who_accepts(fds, 6), 0, "from port %u", source);
            tried++;
        }
        test_close_client(client);
    }
    cr_assert_gt(tried, (last - first) / 2);
}

Test(index_probe, is_fast)
{
    uint16_t order[8], port = 0;
    struct timespec begin, end;
    int fds[8];
    double us;

    for (size_t i = 0; i < 8; i++) fds[i] = test_listen("127.0.0.1", &port);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (unsigned i = 0; i < 100; i++) probe("127.0.0.1", port, fds, 8, order);
    clock_gettime(CLOCK_MONOTONIC, &end);
    us = ((double)(end.tv_sec - begin.tv_sec) * 1e6 + (double)(end.tv_nsec - begin.tv_nsec) / 1e3) / 100;
    cr_log_info("order of 8 listeners learnt in %.0f us", us);
    /* The aim is 1000; the bound is one for a busy machine with sanitizers. */
    cr_assert_lt(us, 20000);
}

/* The group model against the kernel: at every step the order is probed, at every hundredth it is also
 * compared with who accepts. */
static void random_listens_and_closes(const char *ip, unsigned seed)
{
    enum { MAX = 10 };
    struct rpctl_group_model model;
    int fds[MAX]; /* parallel to the model */
    uint16_t port = 0;

    rpctl_group_model_init(&model);
    srand(seed);
    for (unsigned step = 0; step < RANDOM_STEPS; step++) {
        uint16_t order[MAX];
        /* Mostly small groups, which are the ones with sharp corners. */
        bool open = model.count < 2 || (model.count < MAX && rand() % 5 < 2);

        if (open) {
            fds[model.count] = test_listen(ip, &port);
            cr_assert_eq(rpctl_group_model_append(&model, test_inode(fds[model.count])), 0);
        } else {
            size_t index = (size_t)rand() % model.count;

            close(fds[index]);
            fds[index] = fds[model.count - 1];
            cr_assert_eq(rpctl_group_model_remove(&model, model.ids[index]), 0);
        }
        for (size_t i = 0; i < model.count; i++) cr_assert_eq(model.ids[i], test_inode(fds[i]));
        probe(ip, port, fds, model.count, order);
        for (size_t i = 0; i < model.count; i++) cr_assert_eq(order[i], i, "step %u, index %zu", step, i);
        if (step % 100 != 0) continue;
        ask(ip, port, fds, model.count, order);
        for (size_t i = 0; i < model.count; i++) cr_assert_eq(order[i], i, "step %u, index %zu", step, i);
    }
}

Test(group_model_kernel, ten_thousand_random_listens_and_closes_ipv4)
{
    random_listens_and_closes("127.0.0.1", 1);
}

Test(group_model_kernel, ten_thousand_random_listens_and_closes_ipv6)
{
    random_listens_and_closes("::1", 2);
}

/* A listener that is shut down leaves like one that is closed, though descriptors of it stay open. */
Test(group_model_kernel, shutdown_is_leaving_too)
{
    uint16_t order[3], port = 0;
    int fds[4];

    for (size_t i = 0; i < 4; i++) fds[i] = test_listen("127.0.0.1", &port);
    cr_assert_eq(shutdown(fds[1], SHUT_RDWR), 0);
    fds[1] = fds[3];
    probe("127.0.0.1", port, fds, 3, order);
    for (uint16_t i = 0; i < 3; i++) cr_assert_eq(order[i], i);
}
