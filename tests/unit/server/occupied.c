#include "linux/occupied.h"
#include "server/child.h"
#include "server/network.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define SERVICE_MARK "RP_SERVICE=web"
#define NOTIFY_MARK  "NOTIFY_SOCKET=/run/web/notify"

static const struct rp_identity identity = {.supervised = true, .service = "web"};
static struct rp_error error;

static void set_up(void)
{
    own_network();
    cr_assert_eq(putenv((char *)(uintptr_t)SERVICE_MARK), 0);
    cr_assert_eq(putenv((char *)(uintptr_t)NOTIFY_MARK), 0);
}

TestSuite(occupied, .init = set_up, .timeout = 30);

static struct rp_address parse(const char *text)
{
    struct rp_address address;
    cr_assert_eq(rp_address_parse(&address, text, &error), 0, "%s", text);
    return address;
}

/* Bound, and not listening yet. */
static struct rp_listeners bind_to(struct rp_address address)
{
    struct rp_listeners listeners;
    cr_assert_eq(rp_listeners_bind(&listeners, &address, 1, 2, &error), 0, "%s", error.message);
    return listeners;
}

/* A process that has a listener, and nobody else. */
static pid_t start_holder(const char *address_text, const char *const *environment)
{
    struct rp_listeners listeners = bind_to(parse(address_text));
    const char *const words[] = {"tail", "-f", "/dev/null", NULL};
    int executed[2];
    char byte;
    cr_assert_eq(rp_listeners_listen(&listeners, 16, &error), 0);
    cr_assert_eq(pipe2(executed, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test fails */
        fcntl(listeners.items[0].fd, F_SETFD, 0);
        execve("/usr/bin/tail", (char *const *)(uintptr_t)words, (char *const *)(uintptr_t)environment);
        _exit(1);
    }
    close(executed[1]);
    cr_assert_eq(read(executed[0], &byte, 1), 0, "its end is that of exec");
    close(executed[0]);
    rp_listeners_close(&listeners);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static int check(const char *address, const struct rp_identity *who)
{
    struct rp_listeners listeners = bind_to(parse(address));
    int result = rp_occupied_check(&listeners, who, &error);
    rp_listeners_close(&listeners);
    return result;
}

Test(occupied, by_nobody)
{
    cr_assert_eq(check("127.0.0.1:8000", &identity), 0);
}

Test(occupied, by_a_stranger)
{
    const char *const others[][3] = {
        {NULL},
        {"RP_SERVICE=api", NOTIFY_MARK, NULL},
        {SERVICE_MARK, "NOTIFY_SOCKET=/run/elsewhere/notify", NULL},
        {SERVICE_MARK "2", NOTIFY_MARK "2", NULL},
    };
    size_t descriptors = count_descriptors();
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char text[64];
        pid_t pid = start_holder("127.0.0.1:8000", others[i]);
        cr_assert_eq(check("127.0.0.1:8000", &identity), -EADDRINUSE, "%zu", i);
        snprintf(text, sizeof text, "pid %d, which is not of service web,", pid);
        cr_assert_not_null(strstr(error.message, text), "%s", error.message);
        cr_assert_eq(check("127.0.0.2:8000", &identity), 0);
        cr_assert_eq(check("127.0.0.1:8001", &identity), 0);
        cr_assert_eq(check("0.0.0.0:8000", &identity), 0, "the other one loses nothing");
        end(pid);
    }
    cr_assert_eq(count_descriptors(), descriptors);
}

Test(occupied, by_a_stranger_on_all_addresses)
{
    const char *const environment[] = {NULL};
    pid_t pid = start_holder("0.0.0.0:8000", environment);
    cr_assert_eq(check("127.0.0.1:8000", &identity), -EADDRINUSE);
    cr_assert_not_null(strstr(error.message, "listens on 0.0.0.0:8000"), "%s", error.message);
    end(pid);
}

Test(occupied, by_another_process_of_the_service)
{
    const char *const environment[] = {"X=1", SERVICE_MARK, NOTIFY_MARK, NULL};
    pid_t pid = start_holder("127.0.0.1:8000", environment);
    cr_assert_eq(check("127.0.0.1:8000", &identity), 0, "%s", error.message);
    end(pid);
}

Test(occupied, where_the_old_generation_listens)
{
    const char *const environment[] = {NULL};
    struct rp_address address = parse("127.0.0.1:8000");
    struct rp_identity of_an_upgrade = identity;
    pid_t pid = start_holder("127.0.0.1:8000", environment);
    of_an_upgrade.expected = &address;
    of_an_upgrade.expected_count = 1;
    cr_assert_eq(check("127.0.0.1:8000", &of_an_upgrade), 0, "that is the supervisor's business");
    end(pid);
}

static const char *check_as_child(void *argument)
{
    (void)argument;
    CHECK(check("127.0.0.1:8000", &identity) == 0);
    return NULL;
}

/* It may hold what a process of ours has listened with, and be the only one that can be looked at. */
Test(occupied, by_the_supervisor)
{
    struct rp_listeners listeners = bind_to(parse("127.0.0.1:8000"));
    cr_assert_eq(rp_listeners_listen(&listeners, 16, &error), 0);
    run_in_child(check_as_child, NULL);
    rp_listeners_close(&listeners);
}
