/* All groups of one service: membership, order, steering, shape, leaving. */
#include "linux/groups.h"

#include "linux/listener_hide.h"
#include "linux/tcp_listener.h"
#include "upgrader/kernel_group.h"

#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#define MAX 16

/* Listeners of several generations on one address; the test accepts on `fds`, the groups hold duplicates. */
struct site {
    const char *ip;
    uint16_t port;
    int fds[MAX];
    unsigned generation[MAX];
    size_t count;
};

static struct rpctl_groups *new_groups(void)
{
    struct rpctl_groups *groups = NULL;

    cr_assert_eq(rpctl_groups_new(&groups, NULL), 0);
    return groups;
}

static void add(struct rpctl_groups *groups, int fd, unsigned generation)
{
    struct rp_error error = {0};
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    cr_assert_eq(rpctl_groups_add(groups, copy, generation, 0, &error), 0, "%s", error.message);
}

static void open_listeners(struct rpctl_groups *groups, struct site *site, unsigned generation, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        site->generation[site->count] = generation;
        site->fds[site->count] = test_listen(site->ip, &site->port);
        add(groups, site->fds[site->count++], generation);
    }
}

static void learn(struct rpctl_groups *groups)
{
    struct rp_error error = {0};

    cr_assert_eq(rpctl_groups_learn(groups, &error), 0, "%s", error.message);
}

static void steer_to(struct rpctl_groups *groups, unsigned generation)
{
    struct rpctl_share share = {generation, 1};
    struct rp_error error = {0};

    cr_assert_eq(rpctl_groups_steer(groups, &share, 1, NULL, 0, &error), 0, "%s", error.message);
}

/* Which generation gets a connection to `ip`. */
static unsigned reach(const struct site *site, const char *ip)
{
    return site->generation[test_one_connection(ip, site->port, site->fds, site->count)];
}

static void assert_all_to(const struct site *site, const char *ip, unsigned generation)
{
    for (unsigned i = 0; i < 60; i++) cr_assert_eq(reach(site, ip), generation);
}

/* Forgets the listeners of a generation that has been closed. */
static void forget(struct site *site, unsigned generation)
{
    size_t kept = 0;

    for (size_t i = 0; i < site->count; i++) {
        if (site->generation[i] == generation) {
            close(site->fds[i]);
            continue;
        }
        site->fds[kept] = site->fds[i];
        site->generation[kept++] = site->generation[i];
    }
    site->count = kept;
}

static unsigned close_generation(struct rpctl_groups *groups, unsigned generation, unsigned serving)
{
    struct rpctl_groups_closed closed;
    struct rp_error error = {0};

    cr_assert_eq(rpctl_groups_close_generation(groups, generation, serving, &closed, &error), 0, "%s",
                 error.message);
    cr_assert_eq(closed.queued, 0);
    return closed.listeners;
}

Test(groups, groups_by_address_and_knows_a_socket_again)
{
    struct rpctl_groups *groups = new_groups();
    struct site first = {.ip = "127.0.0.1"}, second = {.ip = "::"};
    struct rpctl_groups_listener listeners[4];
    struct rp_address addresses[4];

    open_listeners(groups, &first, 1, 2);
    open_listeners(groups, &second, 1, 3);
    cr_assert_eq(rpctl_groups_count(groups), 2);
    cr_assert_eq(rpctl_groups_listener_count(groups, 1), 5);
    for (size_t i = 0; i < 2; i++) add(groups, first.fds[i], 1);
    cr_assert_eq(rpctl_groups_listener_count(groups, 1), 5);
    add(groups, first.fds[1], 2);
    cr_assert_eq(rpctl_groups_listener_count(groups, 1), 4);
    cr_assert_eq(rpctl_groups_listener_count(groups, 2), 1);
    cr_assert_eq(rpctl_groups_addresses(groups, 1, addresses, 4), 2);
    cr_assert_eq(rp_address_port(&addresses[0]), first.port);
    cr_assert_eq(rpctl_groups_addresses(groups, 2, NULL, 0), 1);
    cr_assert_eq(rpctl_groups_listeners(groups, 1, 0, listeners, 4), 4);
    cr_assert_eq(listeners[0].id, test_inode(first.fds[0]));
    cr_assert_eq(listeners[3].id, test_inode(second.fds[2]));
    cr_assert_eq(test_inode(listeners[3].fd), listeners[3].id);
    cr_assert_eq(rpctl_groups_listeners(groups, 1, 7, listeners, 4), 0);
    cr_assert_eq(rpctl_groups_listeners(groups, 1, 0, listeners, 2), 4);
    rpctl_groups_free(groups);
    rpctl_groups_free(NULL);
}

/* --- listeners that nobody serves ----------------------------------------------------------------------- */

/* Of one generation: `count` listeners of each of three instances. */
static void open_instances(struct rpctl_groups *groups, struct site *site, size_t count)
{
    struct rp_error error = {0};

    for (size_t i = 0; i < 3 * count; i++) {
        site->generation[i] = (unsigned)(i / count) + 1; /* whom a connection reaches: the instance */
        site->fds[i] = test_listen(site->ip, &site->port);
        cr_assert_eq(
            rpctl_groups_add(groups, fcntl(site->fds[i], F_DUPFD_CLOEXEC, 0), 1, site->generation[i], &error),
            0, "%s", error.message);
    }
    site->count = 3 * count;
    learn(groups);
}

/* Bit i: some of the connections come to instance i. */
static unsigned who_is_reached(const struct site *site)
{
    unsigned reached = 0;

    for (unsigned i = 0; i < 120; i++) reached |= 1u << reach(site, site->ip);
    return reached;
}

Test(groups, what_waits_for_a_process_gets_nothing_new)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};

    open_instances(groups, &site, 2);
    cr_assert_not(rpctl_groups_need_steering(groups));
    rpctl_groups_set_served(groups, 1, 2, false);
    cr_assert(rpctl_groups_need_steering(groups));
    steer_to(groups, 1);
    cr_assert_eq(who_is_reached(&site), 1u << 1 | 1u << 3);
    learn(groups);
    cr_assert_eq(who_is_reached(&site), 1u << 1 | 1u << 3, "it holds while the order is learnt");
    cr_assert_eq(rpctl_groups_detach(groups, NULL), -EBUSY);
    rpctl_groups_set_served(groups, 1, 2, true);
    steer_to(groups, 1);
    cr_assert_eq(who_is_reached(&site), 1u << 1 | 1u << 2 | 1u << 3);
    cr_assert_eq(rpctl_groups_detach(groups, NULL), 0);
    forget(&site, 1);
    rpctl_groups_free(groups);
}

Test(groups, where_nobody_serves_all_wait)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};

    open_instances(groups, &site, 1);
    for (unsigned i = 1; i <= 3; i++) rpctl_groups_set_served(groups, 1, i, false);
    cr_assert_not(rpctl_groups_need_steering(groups));
    steer_to(groups, 1);
    cr_assert_eq(who_is_reached(&site), 1u << 1 | 1u << 2 | 1u << 3);
    rpctl_groups_free(groups);
}

Test(groups, an_older_generation_closes_beside_one_that_waits)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};

    open_listeners(groups, &site, 9, 2);
    for (unsigned i = 1; i <= 3; i++) {
        struct site one = {.ip = site.ip, .port = site.port};
        struct rp_error error = {0};

        one.fds[0] = test_listen(one.ip, &one.port);
        site.fds[site.count] = one.fds[0];
        site.generation[site.count++] = i;
        cr_assert_eq(rpctl_groups_add(groups, fcntl(one.fds[0], F_DUPFD_CLOEXEC, 0), 1, i, &error), 0);
    }
    learn(groups);
    rpctl_groups_set_served(groups, 1, 3, false); /* the last one, which moves into the free place */
    steer_to(groups, 1);
    cr_assert_eq(close_generation(groups, 9, 1), 2);
    forget(&site, 9);
    cr_assert_eq(who_is_reached(&site), 1u << 1 | 1u << 2);
    rpctl_groups_free(groups);
}

Test(groups, what_was_given_up_is_closed_in_order)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};

    open_instances(groups, &site, 2);
    rpctl_groups_disown(groups, 1, 1);
    cr_assert(rpctl_groups_need_steering(groups));
    cr_assert_eq(rpctl_groups_listener_count(groups, 1), 4);
    steer_to(groups, 1);
    cr_assert_eq(who_is_reached(&site), 1u << 2 | 1u << 3);
    cr_assert_eq(rpctl_groups_detach(groups, NULL), -EBUSY);
    cr_assert_eq(close_generation(groups, RPCTL_GROUPS_NOBODY, 1), 2);
    forget(&site, 1);
    cr_assert_eq(who_is_reached(&site), 1u << 2 | 1u << 3);
    cr_assert_eq(rpctl_groups_detach(groups, NULL), 0);
    cr_assert_eq(who_is_reached(&site), 1u << 2 | 1u << 3);
    rpctl_groups_free(groups);
}

Test(groups, takes_the_descriptor_also_when_it_refuses_it)
{
    struct rpctl_groups *groups = new_groups();
    struct rp_error error = {0};
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(rpctl_groups_add(groups, udp, 1, 0, &error), -EPROTONOSUPPORT);
    cr_assert_eq(fcntl(udp, F_GETFD), -1);
    cr_assert_eq(errno, EBADF);
    cr_assert_eq(rpctl_groups_count(groups), 0);
    rpctl_groups_free(groups);
}

Test(groups, too_many_addresses_are_refused)
{
    struct rpctl_groups *groups = new_groups();
    struct rp_error error = {0};
    uint16_t port = 0;

    for (unsigned i = 0; i < RPCTL_GROUPS_MAX; i++) {
        port = 0;
        add(groups, test_listen("127.0.0.1", &port), 1);
    }
    port = 0;
    cr_assert_eq(rpctl_groups_add(groups, test_listen("127.0.0.1", &port), 1, 0, &error), -ENOSPC);
    cr_assert_neq(error.message[0], '\0');
    rpctl_groups_free(groups);
}

Test(groups, verify_names_a_stranger)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};
    struct rp_error error = {0};
    char expected[64];
    int stranger, hold[2];
    pid_t child;

    open_listeners(groups, &site, 1, 2);
    cr_assert_eq(rpctl_groups_verify(groups, NULL), 0);
    stranger = test_listen("127.0.0.1", &site.port);
    cr_assert_eq(pipe2(hold, O_CLOEXEC), 0);
    child = fork();
    if (child == 0) {
        char byte;

        close(hold[1]);
        _exit(read(hold[0], &byte, 1) != 0);
    }
    cr_assert_eq(rpctl_groups_verify(groups, &error), -EEXIST);
    snprintf(expected, sizeof(expected), "inode %llu, uid %u, pid %d",
             (unsigned long long)test_inode(stranger), (unsigned)geteuid(), (int)child);
    cr_assert(strstr(error.message, expected), "%s", error.message);
    cr_assert_eq(rpctl_groups_learn(groups, &error), -EEXIST);
    cr_assert_eq(rpctl_groups_detach(groups, &error), -EEXIST);
    close(hold[1]);
    waitpid(child, NULL, 0);
    close(stranger);
    cr_assert_eq(rpctl_groups_verify(groups, &error), 0);
    rpctl_groups_free(groups);
}

Test(groups, a_listener_that_was_shut_down_is_noticed_and_taken_out)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};
    struct rp_error error = {0};

    open_listeners(groups, &site, 1, 4);
    learn(groups);
    cr_assert_eq(shutdown(site.fds[1], SHUT_RDWR), 0);
    cr_assert_eq(rpctl_groups_verify(groups, &error), -ESTALE);
    cr_assert(strstr(error.message, "shut it down"), "%s", error.message);
    learn(groups);
    cr_assert_eq(rpctl_groups_listener_count(groups, 1), 3);
    cr_assert_eq(rpctl_groups_verify(groups, &error), 0);
    for (size_t i = 0; i < 4; i++) shutdown(site.fds[i], SHUT_RDWR);
    learn(groups);
    cr_assert_eq(rpctl_groups_count(groups), 0);
    rpctl_groups_free(groups);
}

/* Added in an order that is not that of the kernel. */
Test(groups, learns_an_order_it_was_told_wrongly)
{
    struct rpctl_groups *groups = new_groups();
    struct rpctl_groups_listener listeners[6];
    struct site site = {.ip = "::1"};

    for (size_t i = 0; i < 6; i++) site.fds[i] = test_listen(site.ip, &site.port);
    site.count = 6;
    for (size_t i = 6; i-- > 0;) {
        site.generation[i] = i % 2 ? 2 : 1;
        add(groups, site.fds[i], site.generation[i]);
    }
    learn(groups);
    cr_assert_eq(rpctl_groups_listeners(groups, 2, 0, listeners, 6), 3);
    for (size_t i = 0; i < 3; i++) cr_assert_eq(listeners[i].id, test_inode(site.fds[2 * i + 1]));
    steer_to(groups, 2);
    assert_all_to(&site, "::1", 2);
    steer_to(groups, 1);
    assert_all_to(&site, "::1", 1);
    rpctl_groups_free(groups);
}

Test(groups, a_pin_needs_no_order_and_holds)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "::"};
    struct rpctl_share two = {2, 1};
    struct rp_error error = {0};

    open_listeners(groups, &site, 1, 3);
    steer_to(groups, 1);
    open_listeners(groups, &site, 2, 3);
    assert_all_to(&site, "127.0.0.1", 1);
    assert_all_to(&site, "::1", 1);
    cr_assert_eq(rpctl_groups_steer(groups, &two, 1, NULL, 0, &error), -ESTALE);
    cr_assert(strstr(error.message, "not been learnt"), "%s", error.message);
    learn(groups);
    assert_all_to(&site, "127.0.0.1", 1);
    steer_to(groups, 2);
    assert_all_to(&site, "::1", 2);
    rpctl_groups_free(groups);
}

Test(groups, learning_does_not_let_anyone_through_a_pin)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};

    open_listeners(groups, &site, 1, 2);
    steer_to(groups, 1);
    open_listeners(groups, &site, 2, 2);
    for (unsigned i = 0; i < 100; i++) {
        learn(groups);
        cr_assert_eq(reach(&site, "127.0.0.1"), 1);
    }
    rpctl_groups_free(groups);
}

Test(groups, steers_probes_to_each_new_listener)
{
    struct rpctl_groups *groups = new_groups();
    struct site sites[2] = {{.ip = "127.0.0.1"}, {.ip = "::1"}};
    struct rpctl_share old = {1, 1};
    struct rpctl_groups_probe probes[4];
    struct rp_error error = {0};
    int clients[4];

    for (size_t i = 0; i < 2; i++) open_listeners(groups, &sites[i], 1, 2);
    steer_to(groups, 1);
    for (size_t i = 0; i < 2; i++) open_listeners(groups, &sites[i], 2, 2);
    learn(groups);
    for (size_t i = 0; i < 4; i++) {
        const struct site *site = &sites[i / 2];

        clients[i] = test_bind_client(site->ip, &probes[i].source);
        probes[i].group = test_address(site->ip, site->port);
        probes[i].listener = test_inode(site->fds[2 + i % 2]);
    }
    cr_assert_eq(rpctl_groups_steer(groups, &old, 1, probes, 4, &error), 0, "%s", error.message);
    for (size_t i = 0; i < 4; i++) {
        const struct site *site = &sites[i / 2];

        cr_assert_eq(reach(site, site->ip), 1);
        test_connect(clients[i], site->ip, site->port);
        cr_assert_eq(test_who_accepts(site->fds, site->count), 2 + i % 2);
        test_close_client(clients[i]);
    }
    probes[3].listener = 1;
    cr_assert_eq(rpctl_groups_steer(groups, &old, 1, probes, 4, &error), -ENOENT);
    rpctl_groups_free(groups);
}

/* The second group cannot be steered, so the first must be as it was. */
Test(groups, steering_is_all_or_nothing)
{
    struct rpctl_groups *groups = new_groups();
    struct site sites[2] = {{.ip = "127.0.0.1"}, {.ip = "127.0.0.1"}};
    struct rpctl_share new_share = {2, 1};
    struct rp_error error = {0};
    int one = 1;

    for (size_t i = 0; i < 2; i++) open_listeners(groups, &sites[i], 1, 2);
    steer_to(groups, 1);
    for (size_t i = 0; i < 2; i++) open_listeners(groups, &sites[i], 2, 2);
    learn(groups);
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(setsockopt(sites[1].fds[i], SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof(one)), 0);
    cr_assert_eq(rpctl_groups_steer(groups, &new_share, 1, NULL, 0, &error), -EPERM);
    cr_assert_neq(error.message[0], '\0');
    for (size_t i = 0; i < 2; i++) assert_all_to(&sites[i], "127.0.0.1", 1);
    cr_assert_eq(rpctl_groups_steer(groups, &new_share, 1, NULL, 0, NULL), -EPERM, "without an error object");
    rpctl_groups_free(groups);
}

Test(groups, steering_leaves_alone_where_no_share_listens)
{
    struct rpctl_groups *groups = new_groups();
    struct site common = {.ip = "127.0.0.1"}, extra = {.ip = "127.0.0.2"};
    struct rpctl_share shares[] = {{1, 1}, {2, 0}}, nobody = {9, 1};
    struct rp_error error = {0};

    open_listeners(groups, &common, 1, 2);
    steer_to(groups, 1);
    open_listeners(groups, &common, 2, 2);
    open_listeners(groups, &extra, 2, 2);
    learn(groups);
    cr_assert_eq(rpctl_groups_steer(groups, shares, 2, NULL, 0, &error), 0, "%s", error.message);
    assert_all_to(&common, "127.0.0.1", 1);
    assert_all_to(&extra, "127.0.0.2", 2);
    cr_assert_eq(rpctl_groups_steer(groups, &nobody, 1, NULL, 0, &error), -EINVAL);
    rpctl_groups_free(groups);
}

Test(groups, shares_by_weight)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};
    struct rpctl_share shares[] = {{1, 3}, {2, 1}};
    unsigned to_new = 0;

    open_listeners(groups, &site, 1, 2);
    open_listeners(groups, &site, 2, 3);
    learn(groups);
    cr_assert_eq(rpctl_groups_steer(groups, shares, 2, NULL, 0, NULL), 0);
    for (unsigned i = 0; i < 2000; i++) to_new += reach(&site, "127.0.0.1") == 2;
    cr_assert(390 <= to_new && to_new <= 610, "%u of 2000", to_new);
    rpctl_groups_free(groups);
}

Test(groups, checks_the_shape)
{
    struct rpctl_groups *groups = new_groups();
    struct site first = {.ip = "127.0.0.1"}, second = {.ip = "127.0.0.2"};
    struct rp_error error = {0};

    open_listeners(groups, &first, 1, 2);
    open_listeners(groups, &second, 1, 1);
    open_listeners(groups, &first, 2, 2);
    cr_assert_eq(rpctl_groups_check_shape(groups, 1, 2, false, &error), -EADDRNOTAVAIL);
    cr_assert(strstr(error.message, "127.0.0.2:") && strstr(error.message, "--allow-drop"), "%s",
              error.message);
    cr_assert_eq(rpctl_groups_check_shape(groups, 1, 2, true, &error), 0);
    open_listeners(groups, &second, 2, 1);
    cr_assert_eq(rpctl_groups_check_shape(groups, 1, 2, false, &error), 0, "one for one is fine");
    open_listeners(groups, &first, 3, 1);
    open_listeners(groups, &second, 3, 2);
    cr_assert_eq(rpctl_groups_check_shape(groups, 2, 3, false, &error), -EXDEV);
    cr_assert(strstr(error.message, "127.0.0.1:") && strstr(error.message, "at least two"), "%s",
              error.message);
    cr_assert_eq(rpctl_groups_check_shape(groups, 9, 3, false, &error), 0, "there is no old one");
    rpctl_groups_free(groups);
}

Test(groups, one_serving_above_several_is_not_closed)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};
    struct rpctl_groups_closed closed;
    struct rp_error error = {0};

    open_listeners(groups, &site, 1, 2);
    open_listeners(groups, &site, 2, 1);
    learn(groups);
    steer_to(groups, 2);
    cr_assert_eq(rpctl_groups_close_generation(groups, 1, 2, &closed, &error), -EXDEV);
    cr_assert_eq(closed.listeners, 0);
    assert_all_to(&site, "127.0.0.1", 2);
    rpctl_groups_free(groups);
}

Test(groups, closes_in_order_over_two_addresses_and_detaches)
{
    struct rpctl_groups *groups = new_groups();
    struct site sites[2] = {{.ip = "127.0.0.1"}, {.ip = "::"}};
    struct rp_error error = {0};

    for (unsigned generation = 1; generation <= 6; generation++) {
        size_t count = 2 + generation % 3;

        for (size_t i = 0; i < 2; i++) open_listeners(groups, &sites[i], generation, count);
        if (generation == 1) {
            learn(groups);
            steer_to(groups, 1);
            continue;
        }
        for (size_t i = 0; i < 2; i++) assert_all_to(&sites[i], "127.0.0.1", generation - 1);
        learn(groups);
        steer_to(groups, generation);
        cr_assert_eq(rpctl_groups_settle(groups, &error), 0);
        cr_assert_eq(rpctl_groups_detach(groups, &error), -EBUSY);
        cr_assert_eq(close_generation(groups, generation - 1, generation), 2 * (2 + (generation - 1) % 3));
        for (size_t i = 0; i < 2; i++) {
            forget(&sites[i], generation - 1);
            assert_all_to(&sites[i], "127.0.0.1", generation);
        }
    }
    cr_assert_eq(rpctl_groups_detach(groups, &error), 0, "%s", error.message);
    open_listeners(groups, &sites[0], 7, 4);
    for (unsigned i = 0, newest = 0; newest == 0; i++) {
        newest += reach(&sites[0], "127.0.0.1") == 7;
        cr_assert_lt(i, 1000, "the program is still there");
    }
    rpctl_groups_free(groups);
}

/* Two generations drain while a third serves; they leave in either order. */
Test(groups, generations_that_drain_are_never_chosen)
{
    for (unsigned first = 1; first <= 2; first++) {
        struct rpctl_groups *groups = new_groups();
        struct site site = {.ip = "127.0.0.1"};

        open_listeners(groups, &site, 1, 3);
        open_listeners(groups, &site, 2, 3);
        open_listeners(groups, &site, 3, 2);
        learn(groups);
        steer_to(groups, 3);
        cr_assert_eq(close_generation(groups, first, 3), 3);
        forget(&site, first);
        assert_all_to(&site, "127.0.0.1", 3);
        cr_assert_eq(close_generation(groups, 3 - first, 3), 3);
        forget(&site, 3 - first);
        assert_all_to(&site, "127.0.0.1", 3);
        cr_assert_eq(rpctl_groups_listener_count(groups, 3), 2);
        rpctl_groups_free(groups);
    }
}

/* A new version that failed: it leaves, and the pin is what it was. */
Test(groups, a_failed_newcomer_leaves_no_trace)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};

    open_listeners(groups, &site, 1, 1);
    steer_to(groups, 1);
    open_listeners(groups, &site, 2, 3);
    cr_assert_eq(close_generation(groups, 2, 1), 3, "the order is learnt when it is needed");
    forget(&site, 2);
    assert_all_to(&site, "127.0.0.1", 1);
    cr_assert_eq(rpctl_groups_detach(groups, NULL), 0);
    rpctl_groups_free(groups);
}

/* An address that only the old generation had, and one that only the new one has. */
Test(groups, closes_an_address_that_was_dropped)
{
    struct rpctl_groups *groups = new_groups();
    struct site common = {.ip = "127.0.0.1"}, dropped = {.ip = "127.0.0.2"}, extra = {.ip = "127.0.0.3"};
    struct sockaddr_storage source;
    struct rp_address address;
    int client;

    open_listeners(groups, &common, 1, 2);
    open_listeners(groups, &dropped, 1, 2);
    steer_to(groups, 1);
    open_listeners(groups, &common, 2, 2);
    open_listeners(groups, &extra, 2, 2);
    learn(groups);
    steer_to(groups, 2);
    cr_assert_eq(close_generation(groups, 1, 2), 4);
    cr_assert_eq(rpctl_groups_count(groups), 2);
    forget(&common, 1);
    assert_all_to(&common, "127.0.0.1", 2);
    address = test_address("127.0.0.2", dropped.port);
    client = test_bind_client("127.0.0.2", &source);
    cr_assert_eq(connect(client, (struct sockaddr *)&address.storage, address.length), -1);
    cr_assert_eq(errno, ECONNREFUSED, "also though the test holds descriptors of its listeners");
    cr_assert_eq(rpctl_groups_detach(groups, NULL), 0);
    rpctl_groups_free(groups);
}

/* The process still holds its listeners, or a grandchild does: they leave the group all the same. */
Test(groups, a_forgotten_descriptor_keeps_nothing_alive)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};

    open_listeners(groups, &site, 1, 2);
    open_listeners(groups, &site, 2, 2);
    learn(groups);
    steer_to(groups, 2);
    close_generation(groups, 1, 2);
    cr_assert_eq(rpctl_groups_verify(groups, NULL), 0);
    forget(&site, 1);
    assert_all_to(&site, "127.0.0.1", 2);
    rpctl_groups_free(groups);
}

/* The process shut its listeners down itself before they were closed here. */
Test(groups, closes_a_generation_that_has_shut_itself_down)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};
    struct rpctl_groups_queue queue;

    open_listeners(groups, &site, 1, 3);
    open_listeners(groups, &site, 2, 2);
    learn(groups);
    steer_to(groups, 2);
    shutdown(site.fds[0], SHUT_RDWR);
    cr_assert_eq(rpctl_groups_queue(groups, 1, 0, &queue, NULL), 0);
    cr_assert_eq(queue.listeners, 2);
    cr_assert_eq(close_generation(groups, 1, 2), 2);
    forget(&site, 1);
    assert_all_to(&site, "127.0.0.1", 2);
    rpctl_groups_free(groups);
}

Test(groups, closing_nothing_or_everything)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};

    open_listeners(groups, &site, 1, 3);
    cr_assert_eq(close_generation(groups, 9, 0), 0);
    cr_assert_eq(close_generation(groups, 1, 0), 3);
    cr_assert_eq(rpctl_groups_count(groups), 0);
    cr_assert_eq(rpctl_groups_settle(groups, NULL), 0);
    cr_assert_eq(rpctl_groups_detach(groups, NULL), 0);
    rpctl_groups_free(groups);
}

Test(groups, counts_what_a_close_cuts)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};
    struct rpctl_groups_queue queue;
    struct rpctl_groups_closed closed;
    struct sockaddr_storage source;
    int clients[3];

    if (test_kernel_migrates()) cr_skip_test("net.ipv4.tcp_migrate_req is on: nothing is cut");
    open_listeners(groups, &site, 1, 2);
    for (size_t i = 0; i < 3; i++) {
        clients[i] = test_bind_client("127.0.0.1", &source);
        test_connect(clients[i], "127.0.0.1", site.port);
    }
    cr_assert_eq(rpctl_groups_queue(groups, 1, 0, &queue, NULL), 0);
    cr_assert_eq(queue.waiting, 3);
    cr_assert_eq(queue.listeners, 2);
    cr_assert_eq(rpctl_groups_close_generation(groups, 1, 0, &closed, NULL), 0);
    cr_assert_eq(closed.queued, 3);
    for (size_t i = 0; i < 3; i++) test_close_client(clients[i]);
    rpctl_groups_free(groups);
}

Test(groups, closing_what_may_still_be_chosen_is_a_bug, .signal = SIGABRT)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};
    struct rpctl_share both[] = {{1, 1}, {2, 1}};
    struct rpctl_groups_closed closed;

    open_listeners(groups, &site, 1, 2);
    open_listeners(groups, &site, 2, 2);
    learn(groups);
    cr_assert_eq(rpctl_groups_steer(groups, both, 2, NULL, 0, NULL), 0);
    rpctl_groups_close_generation(groups, 1, 2, &closed, NULL);
}

/* A stranger that joins behind our back makes every index doubtful: nothing is closed. */
Test(groups, closes_nothing_beside_a_stranger)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};
    struct rpctl_groups_closed closed;
    struct rp_error error = {0};
    int stranger;

    open_listeners(groups, &site, 1, 2);
    open_listeners(groups, &site, 2, 2);
    learn(groups);
    steer_to(groups, 2);
    stranger = test_listen("127.0.0.1", &site.port);
    cr_assert_eq(rpctl_groups_close_generation(groups, 1, 2, &closed, &error), -EEXIST);
    cr_assert_eq(closed.listeners, 0);
    close(stranger);
    cr_assert_eq(close_generation(groups, 1, 2), 2);
    rpctl_groups_free(groups);
}

/* A newcomer that listens where somebody else does has to leave, and takes nothing with it. */
Test(groups, leaves_strangers_where_nothing_is_steered)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"}, theirs = {.ip = "127.0.0.2"};

    open_listeners(groups, &site, 1, 2);
    steer_to(groups, 1);
    theirs.fds[0] = test_listen(theirs.ip, &theirs.port);
    theirs.count = 1;
    open_listeners(groups, &site, 2, 2);
    open_listeners(groups, &theirs, 2, 2);
    cr_assert_eq(close_generation(groups, 2, 1), 4);
    forget(&site, 2);
    forget(&theirs, 2);
    assert_all_to(&site, "127.0.0.1", 1);
    assert_all_to(&theirs, "127.0.0.2", 0);
    cr_assert_eq(rpctl_groups_detach(groups, NULL), 0);
    close(theirs.fds[0]);
    rpctl_groups_free(groups);
}

/* A handshake whose last ACK is held back belongs to the old listener, is seen there, and is served. */
Test(groups, a_half_open_handshake_is_waited_for)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};
    struct rpctl_half_open *mark = NULL;
    struct rpctl_groups_queue queue;
    struct sockaddr_storage source;
    struct rp_address address;
    struct pollfd connected;
    size_t left;
    int client;

    open_listeners(groups, &site, 1, 2);
    steer_to(groups, 1);
    address = test_address("127.0.0.1", site.port);
    client = test_bind_client("127.0.0.1", &source);
    cr_assert_eq(fcntl(client, F_SETFL, O_NONBLOCK), 0);
    test_set_deaf(client, true);
    cr_assert_eq(connect(client, (struct sockaddr *)&address.storage, address.length), -1);
    test_wait_half_open(&address, 1);
    open_listeners(groups, &site, 2, 2);
    learn(groups);
    steer_to(groups, 2);
    cr_assert_eq(rpctl_groups_settle(groups, NULL), 0);
    cr_assert_eq(rpctl_groups_half_open_mark(groups, 1, &mark, NULL), 0);
    cr_assert_eq(rpctl_half_open_left(mark, &left, NULL), 0);
    cr_assert_eq(left, 1);
    test_set_deaf(client, false);
    connected = (struct pollfd){.fd = client, .events = POLLOUT};
    cr_assert_eq(poll(&connected, 1, TEST_WAIT_MS), 1);
    test_wait_half_open(&address, 0);
    cr_assert_eq(rpctl_half_open_left(mark, &left, NULL), 0);
    cr_assert_eq(left, 0);
    cr_assert_eq(rpctl_groups_queue(groups, 1, 0, &queue, NULL), 0);
    cr_assert_eq(queue.waiting, 1);
    cr_assert_lt(test_who_accepts(site.fds, 2), 2);
    cr_assert_eq(close_generation(groups, 1, 2), 2);
    rpctl_half_open_free(mark);
    test_close_client(client);
    rpctl_groups_free(groups);
}

/* One connection that none of the serving generation's listeners gets. */
static bool goes_astray(const struct site *site, unsigned serving)
{
    struct pollfd polled[MAX];
    struct sockaddr_storage source;
    int client = test_bind_client(site->ip, &source);
    bool met = false;

    test_connect(client, site->ip, site->port);
    for (size_t k = 0; k < site->count; k++)
        polled[k] =
            (struct pollfd){.fd = site->generation[k] == serving ? site->fds[k] : -1, .events = POLLIN};
    cr_assert_geq(poll(polled, site->count, 20), 0);
    for (size_t k = 0; k < site->count; k++) {
        int fd = polled[k].revents & POLLIN ? accept4(site->fds[k], NULL, NULL, SOCK_CLOEXEC) : -1;

        if (fd < 0) continue;
        met = true;
        close(fd);
    }
    test_close_client(client);
    return !met;
}

/* The listeners of a generation leave one after the other, as when a process is killed that alone has them.
 * Returns how many connections go astray meanwhile. */
static unsigned close_as_killed(struct rpctl_groups *groups, struct site *site, unsigned generation,
                                bool last_first)
{
    struct rpctl_groups_listener listeners[MAX];
    size_t count = rpctl_groups_listeners(groups, generation, 0, listeners, MAX);
    unsigned astray = 0;

    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(shutdown(listeners[last_first ? count - 1 - i : i].fd, SHUT_RDWR), 0);
        for (unsigned n = 0; n < 100; n++) astray += goes_astray(site, generation + 1);
    }
    return astray;
}

static unsigned end_of_the_supervisor(size_t old, size_t new, bool doomed, bool last_first)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};
    unsigned astray;

    open_listeners(groups, &site, 1, old);
    open_listeners(groups, &site, 2, new);
    learn(groups);
    steer_to(groups, 2);
    if (doomed) cr_assert_eq(rpctl_groups_doom(groups, 1, true, NULL), 0);
    astray = close_as_killed(groups, &site, 1, last_first);
    forget(&site, 1);
    forget(&site, 2);
    rpctl_groups_free(groups);
    return astray;
}

Test(groups, doomed_listeners_may_leave_in_any_order)
{
    for (size_t old = 1; old <= 3; old++) {
        cr_assert_eq(end_of_the_supervisor(old, 3, true, true), 0);
        cr_assert_eq(end_of_the_supervisor(old, 3, true, false), 0);
    }
    if (!test_kernel_migrates())
        cr_assert_gt(end_of_the_supervisor(3, 3, false, false), 0, "else it proves nothing");
}

Test(groups, what_is_not_doomed_any_more_is_steered_to_all)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};
    unsigned met[4] = {0};

    open_listeners(groups, &site, 1, 2);
    open_listeners(groups, &site, 2, 2);
    learn(groups);
    steer_to(groups, 2);
    cr_assert_eq(rpctl_groups_doom(groups, 1, true, NULL), 0);
    for (unsigned i = 0; i < 60; i++) met[test_one_connection(site.ip, site.port, site.fds, site.count)]++;
    cr_assert_eq(met[2], 60, "the one that cannot be moved has all");
    cr_assert_eq(rpctl_groups_doom(groups, 1, false, NULL), 0);
    for (unsigned i = 0; i < 60; i++) met[test_one_connection(site.ip, site.port, site.fds, site.count)]++;
    cr_assert_gt(met[3], 0);
    cr_assert_eq(met[0] + met[1], 0);
    rpctl_groups_free(groups);
}

static void assert_device(int fd, unsigned device, bool hidden)
{
    struct rpctl_tcp_listener listener = {0};

    cr_assert_eq(rpctl_tcp_listener_inspect(fd, &listener, NULL), 0);
    cr_assert_eq(listener.device, device);
    cr_assert_eq(listener.hidden, hidden);
}

Test(groups, what_is_hidden_stays_in_its_group)
{
    struct rpctl_groups *groups = new_groups(), *successor = new_groups();
    struct site site = {.ip = "127.0.0.1"};

    open_listeners(groups, &site, 1, 2);
    open_listeners(groups, &site, 2, 2);
    learn(groups);
    steer_to(groups, 1);
    cr_assert_not(rpctl_groups_is_hidden(groups, 2));
    rpctl_groups_hide(groups, 2);
    cr_assert(rpctl_groups_is_hidden(groups, 2));
    cr_assert_not(rpctl_groups_is_hidden(groups, 1));
    assert_device(site.fds[2], 0, true);
    assert_all_to(&site, site.ip, 1);

    for (size_t i = 0; i < site.count; i++) add(successor, site.fds[i], site.generation[i]);
    cr_assert_eq(rpctl_groups_count(successor), 1);
    cr_assert(rpctl_groups_is_hidden(successor, 2));
    learn(successor);
    steer_to(successor, 1);
    assert_all_to(&site, site.ip, 1);
    cr_assert_eq(close_generation(successor, 2, 1), 2);
    forget(&site, 2);
    assert_all_to(&site, site.ip, 1);
    rpctl_groups_free(groups);
    rpctl_groups_free(successor);
}

Test(groups, a_hidden_listener_knows_its_interface)
{
    uint16_t port = 0;
    int fd = test_listen("127.0.0.1", &port), loopback = (int)if_nametoindex("lo");

    assert_device(fd, 0, false);
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &loopback, sizeof(loopback)), 0);
    assert_device(fd, (unsigned)loopback, false);
    rpctl_listener_hide(fd);
    /* Without CAP_NET_RAW it stays where it is. */
    assert_device(fd, (unsigned)loopback, geteuid() == 0);
    rpctl_listener_hide(fd);
    assert_device(fd, (unsigned)loopback, geteuid() == 0);
    close(fd);
}

Test(groups, sees_who_holds_a_listener)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};
    pid_t self = getpid();
    int closed[2];
    char byte;
    bool held = true;

    open_listeners(groups, &site, 1, 1);
    open_listeners(groups, &site, 2, 1);
    cr_assert_eq(rpctl_groups_is_held(groups, 1, &self, 1, &held, NULL), 0);
    cr_assert(held);
    cr_assert_eq(rpctl_groups_is_held(groups, 3, &self, 1, &held, NULL), 0);
    cr_assert_not(held);
    cr_assert_eq(pipe(closed), 0);
    pid_t child = fork();
    if (child == 0) {
        struct rpctl_groups_listener listener;

        rpctl_groups_listeners(groups, 1, 0, &listener, 1);
        close(site.fds[0]);
        close(listener.fd);
        (void)!write(closed[1], "x", 1);
        pause();
    }
    cr_assert_eq(read(closed[0], &byte, 1), 1);
    cr_assert_eq(rpctl_groups_is_held(groups, 1, &child, 1, &held, NULL), 0);
    cr_assert_not(held);
    cr_assert_eq(rpctl_groups_is_held(groups, 2, &child, 1, &held, NULL), 0);
    cr_assert(held);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    rpctl_groups_free(groups);
}

static size_t open_descriptors(void)
{
    size_t count = 0;

    for (int fd = 0; fd < 1024; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

Test(groups, leaves_no_descriptor_behind)
{
    size_t before = open_descriptors();

    for (unsigned round = 0; round < 3; round++) {
        struct rpctl_groups *groups = new_groups();
        struct site site = {.ip = "127.0.0.1"};

        open_listeners(groups, &site, 1, 2);
        open_listeners(groups, &site, 2, 2);
        learn(groups);
        steer_to(groups, 2);
        close_generation(groups, 1, 2);
        forget(&site, 1);
        forget(&site, 2);
        rpctl_groups_free(groups);
        cr_assert_eq(open_descriptors(), before);
    }
}

Test(groups, user_and_shareable)
{
    struct rpctl_groups *groups = new_groups();
    struct site site = {.ip = "127.0.0.1"};
    struct rp_error error;
    int off = 0;

    open_listeners(groups, &site, 1, 2);
    open_listeners(groups, &site, 2, 1);
    cr_assert_eq(rpctl_groups_user(groups, 1), geteuid());
    cr_assert_eq(rpctl_groups_user(groups, 3), (uid_t)-1);
    cr_assert_eq(rpctl_groups_check_shareable(groups, 1, &error), 0);
    cr_assert_eq(setsockopt(site.fds[1], SOL_SOCKET, SO_REUSEPORT, &off, sizeof(off)), 0);
    cr_assert_eq(rpctl_groups_check_shareable(groups, 1, &error), -ENOPROTOOPT);
    cr_assert_not_null(strstr(error.message, "127.0.0.1"), "%s", error.message);
    cr_assert_eq(rpctl_groups_check_shareable(groups, 2, &error), 0, "it is about one generation");
    /* One that was shut down is in nobody's way. */
    cr_assert_eq(shutdown(site.fds[1], SHUT_RD), 0);
    cr_assert_eq(rpctl_groups_check_shareable(groups, 1, &error), 0);
    rpctl_groups_free(groups);
    for (size_t i = 0; i < site.count; i++) close(site.fds[i]);
}
