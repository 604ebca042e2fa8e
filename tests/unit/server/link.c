#include "linux/link.h"

#include "server/leaks.h"
#include "server/supervisor.h"

#include <time.h>

static struct rp_link link_here;

static void open_link(void)
{
    struct rp_error error = {0};
    cr_assert_eq(rp_link_init(&link_here, supervisor.link_path, &error), 0, "%s", error.message);
}

static enum rp_link_news next_news(void)
{
    for (;;) {
        cr_assert(readable(link_here.epoll_fd, PATIENCE_MS), "the link has nothing to do");
        enum rp_link_news news = rp_link_dispatch(&link_here);
        if (news != RP_LINK_NOTHING) return news;
    }
}

/* It sees the end, and has nothing else to do for now. */
static void expect_lost(void)
{
    cr_assert(readable(link_here.epoll_fd, PATIENCE_MS));
    cr_assert_eq(rp_link_dispatch(&link_here), RP_LINK_NOTHING);
    cr_assert_lt(link_here.fd, 0);
}

static size_t descriptors_before;

static void set_up(void)
{
    supervisor_prepare();
    descriptors_before = count_descriptors();
}

static void tear_down(void)
{
    rp_link_done(&link_here);
    supervisor_die();
    cr_assert_eq(count_descriptors(), descriptors_before);
}

TestSuite(link, .init = set_up, .fini = supervisor_forget);

Test(link, nobody_to_be_linked_to)
{
    cr_assert_eq(rp_link_init(&link_here, NULL, NULL), 0);
    cr_assert_eq(link_here.epoll_fd, -1);
    cr_assert_eq(rp_link_dispatch(&link_here), RP_LINK_NOTHING);
    rp_link_ask_tick(&link_here);
    rp_link_done(&link_here);
    cr_assert_eq(count_descriptors(), descriptors_before);
}

Test(link, bad_paths)
{
    static const char *const texts[] = {"", "/", "run/x", "@name", " /run/x"};
    char longest[109] = "/";
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct rp_error error = {0};
        cr_assert_eq(rp_link_init(&link_here, texts[i], &error), -EINVAL, "%s", texts[i]);
        cr_assert_eq(strncmp(error.message, "bad RP_SOCKET=", 14), 0, "%s", error.message);
    }
    memset(longest + 1, 'p', 107);
    struct rp_error error = {0};
    cr_assert_eq(rp_link_init(&link_here, longest, &error), -ENAMETOOLONG);
    cr_assert(strstr(error.message, "RP_SOCKET") && strstr(error.message, "more than 107 bytes"), "%s",
              error.message);
    longest[107] = '\0';
    cr_assert_eq(rp_link_init(&link_here, longest, NULL), 0);
    rp_link_done(&link_here);
    cr_assert_eq(count_descriptors(), descriptors_before);
}

Test(link, is_there_at_once_and_quiet)
{
    supervisor_start(4);
    open_link();
    close(supervisor_accept());
    expect_lost();
    tear_down();
}

Test(link, the_first_supervisor_comes_late)
{
    open_link();
    cr_assert_lt(link_here.fd, 0);
    supervisor_start(4);
    cr_assert_eq(next_news(), RP_LINK_MADE);
    cr_assert(supervisor_has_link());
    tear_down();
}

Test(link, each_new_supervisor_is_news_once)
{
    supervisor_start(4);
    open_link();
    size_t linked = count_descriptors();
    for (int i = 0; i < 5; i++) {
        supervisor_die();
        expect_lost();
        supervisor_start(4);
        cr_assert_eq(next_news(), RP_LINK_MADE);
        cr_assert_not(readable(link_here.epoll_fd, 0));
        cr_assert_eq(rp_link_dispatch(&link_here), RP_LINK_NOTHING);
        cr_assert_eq(count_descriptors(), linked);
    }
    tear_down();
}

/* A supervisor that takes us for a stranger accepts and closes. */
Test(link, an_end_is_not_followed_at_once)
{
    supervisor_start(4);
    open_link();
    for (int i = 0; i < 3; i++) {
        struct timespec began, ended;
        close(supervisor_accept());
        clock_gettime(CLOCK_MONOTONIC, &began);
        expect_lost();
        cr_assert_not(supervisor_has_link());
        cr_assert_eq(next_news(), RP_LINK_MADE);
        clock_gettime(CLOCK_MONOTONIC, &ended);
        double ms =
            (double)(ended.tv_sec - began.tv_sec) * 1e3 + (double)(ended.tv_nsec - began.tv_nsec) / 1e6;
        cr_assert_geq(ms, RP_LINK_TICK_MS - 1);
    }
    tear_down();
}

Test(link, what_comes_on_it_is_left_there)
{
    supervisor_start(4);
    open_link();
    int peer = supervisor_accept();
    cr_assert_eq(send(peer, "later", 5, 0), 5);
    cr_assert_not(readable(link_here.epoll_fd, 0));
    cr_assert_eq(rp_link_dispatch(&link_here), RP_LINK_NOTHING);
    cr_assert_geq(link_here.fd, 0);
    /* Half an end is the end. */
    cr_assert_eq(shutdown(peer, SHUT_WR), 0);
    expect_lost();
    close(peer);
    tear_down();
}

Test(link, a_backlog_without_room)
{
    struct rp_link first;
    supervisor_start(0);
    cr_assert_eq(rp_link_init(&first, supervisor.link_path, NULL), 0);
    cr_assert_geq(first.fd, 0);
    open_link();
    cr_assert_lt(link_here.fd, 0);
    close(supervisor_accept());
    cr_assert_eq(next_news(), RP_LINK_MADE);
    rp_link_done(&first);
    tear_down();
}

Test(link, another_kind_of_socket_stands_there)
{
    supervisor_start(4);
    close(supervisor.link_fd);
    supervisor.link_fd = supervisor_bind(supervisor.link_path, SOCK_STREAM);
    cr_assert_eq(listen(supervisor.link_fd, 4), 0);
    open_link();
    cr_assert_lt(link_here.fd, 0);
    close(supervisor.link_fd);
    close(supervisor.notify_fd);
    supervisor_start(4);
    cr_assert_eq(next_news(), RP_LINK_MADE);
    tear_down();
}

Test(link, a_tick_comes_once)
{
    supervisor_start(4);
    open_link();
    cr_assert_not(readable(link_here.epoll_fd, 0));
    rp_link_ask_tick(&link_here);
    cr_assert_eq(next_news(), RP_LINK_TICK);
    cr_assert_eq(rp_link_dispatch(&link_here), RP_LINK_NOTHING);
    cr_assert_not(readable(link_here.epoll_fd, 2 * RP_LINK_TICK_MS));
    tear_down();
    expect_no_leak();
}
