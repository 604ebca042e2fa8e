/* The n-th system call of a kind fails: an error at the start where the link could never work, another try
 * where it may, and no descriptor is left. */
#include "linux/link.h"

#include "server/leaks.h"
#include "server/supervisor.h"

#include <rp/lifecycle.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

enum call { CALL_SOCKET, CALL_CONNECT, CALL_EPOLL_CREATE, CALL_TIMER_CREATE, CALL_EPOLL_CTL };

static struct {
    enum call call;
    unsigned countdown; /* 0: nothing fails */
    int code;
} fault;

static void arm(enum call call, unsigned countdown, int code)
{
    fault.call = call;
    fault.countdown = countdown;
    fault.code = code;
}

static bool fails(enum call call)
{
    if (fault.countdown == 0 || fault.call != call || --fault.countdown > 0) return false;
    errno = fault.code;
    return true;
}

/* These stand before libc's for the whole program. */
int fake_socket(int domain, int type, int protocol) __asm__("socket");
int fake_connect(int fd, const struct sockaddr *address, socklen_t length) __asm__("connect");
int fake_epoll_create1(int flags) __asm__("epoll_create1");
int fake_timerfd_create(int clock, int flags) __asm__("timerfd_create");
int fake_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event) __asm__("epoll_ctl");

int fake_socket(int domain, int type, int protocol)
{
    return fails(CALL_SOCKET) ? -1 : (int)syscall(SYS_socket, domain, type, protocol);
}

int fake_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    return fails(CALL_CONNECT) ? -1 : (int)syscall(SYS_connect, fd, address, length);
}

int fake_epoll_create1(int flags)
{
    return fails(CALL_EPOLL_CREATE) ? -1 : (int)syscall(SYS_epoll_create1, flags);
}

int fake_timerfd_create(int clock, int flags)
{
    return fails(CALL_TIMER_CREATE) ? -1 : (int)syscall(SYS_timerfd_create, clock, flags);
}

int fake_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    return fails(CALL_EPOLL_CTL) ? -1 : (int)syscall(SYS_epoll_ctl, epoll_fd, operation, fd, event);
}

static enum rp_link_news next_news(struct rp_link *link)
{
    for (;;) {
        cr_assert(readable(link->epoll_fd, PATIENCE_MS), "the link has nothing to do");
        enum rp_link_news news = rp_link_dispatch(link);
        if (news != RP_LINK_NOTHING) return news;
    }
}

Test(link_faults, what_makes_a_link_impossible_is_an_error, .init = supervisor_prepare,
     .fini = supervisor_forget)
{
    static const enum call calls[] = {CALL_EPOLL_CREATE, CALL_TIMER_CREATE, CALL_EPOLL_CTL};
    supervisor_start(4);
    size_t before = count_descriptors();
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct rp_link link;
        struct rp_lifecycle *lifecycle;
        struct rp_error error = {0};
        arm(calls[i], 1, EMFILE);
        cr_assert_eq(rp_link_init(&link, supervisor.link_path, &error), -EMFILE, "call %zu", i);
        cr_assert(strstr(error.message, "RP_SOCKET") != NULL, "%s", error.message);
        arm(calls[i], 1, ENOMEM);
        cr_assert_eq(rp_lifecycle_new(&lifecycle, &error), -ENOMEM, "call %zu", i);
        cr_assert_eq(count_descriptors(), before, "call %zu", i);
    }
    supervisor_die();
    expect_no_leak();
}

static const struct {
    enum call call;
    unsigned nth; /* of rp_link_init: its first epoll_ctl() is for the timer */
    int code;
} passing[] = {{CALL_SOCKET, 1, EMFILE},        {CALL_SOCKET, 1, ENOMEM},  {CALL_CONNECT, 1, EAGAIN},
               {CALL_CONNECT, 1, ECONNREFUSED}, {CALL_CONNECT, 1, ENOENT}, {CALL_CONNECT, 1, EACCES},
               {CALL_EPOLL_CTL, 2, ENOSPC}};

#define PASSING_COUNT (sizeof passing / sizeof passing[0])

Test(link_faults, what_may_pass_is_tried_again, .init = supervisor_prepare, .fini = supervisor_forget)
{
    supervisor_start(64);
    size_t before = count_descriptors();
    for (size_t i = 0; i < PASSING_COUNT; i++) {
        struct rp_link link;
        arm(passing[i].call, passing[i].nth, passing[i].code);
        cr_assert_eq(rp_link_init(&link, supervisor.link_path, NULL), 0, "row %zu", i);
        cr_assert_eq(fault.countdown, 0);
        cr_assert_lt(link.fd, 0, "row %zu", i);
        cr_assert_eq(count_descriptors(), before + 2, "row %zu", i);
        /* And the try after that fails as well. */
        arm(passing[i].call, 1, passing[i].code);
        cr_assert_eq(next_news(&link), RP_LINK_MADE, "row %zu", i);
        cr_assert_eq(fault.countdown, 0);
        cr_assert_eq(count_descriptors(), before + 3, "row %zu", i);
        rp_link_done(&link);
        cr_assert_eq(count_descriptors(), before, "row %zu", i);
    }
    supervisor_die();
    expect_no_leak();
}
