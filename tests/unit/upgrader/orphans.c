#include "linux/orphans.h"
#include "fixture.h"
#include "linux/process.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t leader, member;
static struct rp_error error;

/* A child that led a session and has ended; one of its own is in that session still, and is ours by now. */
static void set_up(void)
{
    int told[2];
    cr_assert_eq(rpctl_process_become_subreaper(&error), 0, "%s", error.message);
    cr_assert_eq(pipe(told), 0);
    leader = fork();
    if (leader == 0) {
        setsid();
        pid_t child = fork();
        if (child == 0) {
            alarm(30); /* when the test fails */
            for (;;) pause();
        }
        _exit(write(told[1], &child, sizeof child) == sizeof child ? 0 : 1);
    }
    cr_assert_eq(read(told[0], &member, sizeof member), sizeof member);
    close(told[0]);
    close(told[1]);
    cr_assert_eq(waitpid(leader, NULL, 0), leader);
}

static void tear_down(void)
{
    kill(member, SIGKILL);
    waitpid(member, NULL, 0);
}

TestSuite(orphans, .init = set_up, .fini = tear_down, .timeout = 30);

static size_t find(uint64_t ended)
{
    const struct rpctl_orphan_owner owner = {
        .service = "web", .generation = 1, .leaders = {{leader, ended}}, .leader_count = 1};
    pid_t pids[RPCTL_ORPHANS_MAX];
    size_t count = 0;
    cr_assert_eq(rpctl_orphans_find(&owner, pids, &count, &error), 0, "%s", error.message);
    if (count > 0) cr_assert_eq(pids[0], member);
    return count;
}

Test(orphans, in_the_session_of_a_process_that_has_ended)
{
    int fds = count_open_fds();
    cr_assert_eq(find(rpctl_process_clock()), 1);
    cr_assert_eq(find(UINT64_MAX), 1);
    cr_assert_eq(count_open_fds(), fds);
    expect_no_leak();
}

/* The number of the session is that of a pid, which others may have had since. */
Test(orphans, started_when_the_leader_had_ended_long_ago)
{
    uint64_t started = 0;
    size_t told = 1;
    cr_assert_eq(rpctl_process_start_time(member, &started), 0);
    cr_assert_eq(find(started - 1), 0);
    const struct rpctl_orphan_owner owner = {
        .service = "web", .generation = 1, .leaders = {{leader, started - 1}}, .leader_count = 1};
    cr_assert_eq(rpctl_orphans_signal(&owner, SIGKILL, &told, &error), 0);
    cr_assert_eq(told, 0);
    cr_assert_eq(waitpid(member, NULL, WNOHANG), 0, "it lives");
}
