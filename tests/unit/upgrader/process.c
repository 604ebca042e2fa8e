#include "linux/process.h"
#include "fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct rp_error error;

/* A child that writes one byte when it is set up, and ends when our end of the pair is closed. */
struct child {
    pid_t pid;
    int pair;
};

static struct child start_child(void (*set_up)(void))
{
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char byte = 'x';
        close(pair[0]);
        if (set_up) set_up();
        if (write(pair[1], &byte, 1) != 1) _exit(1);
        while (read(pair[1], &byte, 1) > 0) {
        }
        _exit(0);
    }
    char byte;
    close(pair[1]);
    cr_assert_eq(read(pair[0], &byte, 1), 1);
    return (struct child){pid, pair[0]};
}

static void end_child(struct child child)
{
    close(child.pair);
    cr_assert_eq(waitpid(child.pid, NULL, 0), child.pid);
}

Test(process, open_signal_close)
{
    struct child child = start_child(NULL);
    struct rpctl_process process;
    int status;
    cr_assert_eq(rpctl_process_open(&process, child.pid, &error), 0, "%s", error.message);
    cr_assert_eq(process.pid, child.pid);
    cr_assert_eq(rpctl_process_signal(&process, 0), 0);
    cr_assert_eq(rpctl_process_signal(&process, SIGKILL), 0);
    waitpid(child.pid, &status, 0);
    cr_assert_eq(WTERMSIG(status), SIGKILL);
    cr_assert_eq(rpctl_process_signal(&process, SIGKILL), -ESRCH);
    rpctl_process_close(&process);
    cr_assert_eq(process.pidfd, -1);
}

Test(process, of_a_pid_that_is_none)
{
    struct rpctl_process process;
    uint64_t start_time;
    struct rpctl_process_socket *sockets;
    size_t count;
    int fds = count_open_fds();
    struct child child = start_child(NULL);
    end_child(child);
    cr_assert_eq(rpctl_process_open(&process, child.pid, &error), -ESRCH);
    cr_assert_not_null(strstr(error.message, "cannot open process"));
    cr_assert_eq(rpctl_process_start_time(child.pid, &start_time), -ESRCH);
    cr_assert_eq(rpctl_process_sockets(child.pid, &sockets, &count, &error), -ESRCH);
    cr_assert_eq(count_open_fds(), fds);
}

static unsigned long inode_of(int fd)
{
    struct stat st;
    fstat(fd, &st);
    return st.st_ino;
}

static void take_from(const struct rpctl_process *process, const struct rpctl_process_socket *socket)
{
    int copy;
    cr_assert_eq(rpctl_process_take_fd(process, socket->fd, &copy, &error), 0, "%s", error.message);
    cr_assert_eq(inode_of(copy), socket->inode);
    cr_assert(fcntl(copy, F_GETFD) & FD_CLOEXEC);
    close(copy);
}

static void open_sockets(void)
{
    for (int i = 0; i < 40; i++) socket(AF_INET, SOCK_STREAM, 0);
    if (open("/dev/null", O_RDONLY) < 0) _exit(1);
}

Test(process, sockets_are_listed_and_duplicated)
{
    struct child child = start_child(open_sockets);
    struct rpctl_process process;
    struct rpctl_process_socket *sockets;
    size_t count;
    int copy;
    cr_assert_eq(rpctl_process_open(&process, child.pid, &error), 0);
    cr_assert_eq(rpctl_process_sockets(child.pid, &sockets, &count, &error), 0, "%s", error.message);
    cr_assert_geq(count, 41); /* Criterion has some of its own */
    for (size_t i = 0; i < count; i++) take_from(&process, &sockets[i]);
    free(sockets);
    cr_assert_eq(rpctl_process_take_fd(&process, 999, &copy, &error), -EBADF);
    cr_assert_not_null(strstr(error.message, "descriptor 999 of process"));
    end_child(child);
    cr_assert_eq(rpctl_process_take_fd(&process, 3, &copy, &error), -ESRCH);
    rpctl_process_close(&process);
    expect_no_leak();
}

static void become_undumpable_nobody(void)
{
    if (setresuid(65534, 65534, 65534) != 0) _exit(1);
    prctl(PR_SET_DUMPABLE, 0);
}

Test(process, duplicating_without_the_right_names_the_remedy)
{
    struct rpctl_process process;
    int copy;
    if (geteuid() != 0) cr_skip_test("needs two users");
    struct child child = start_child(become_undumpable_nobody);
    cr_assert_eq(rpctl_process_open(&process, child.pid, &error), 0);
    cr_assert_eq(setresuid(65534, 65534, 0), 0);
    cr_assert_eq(rpctl_process_take_fd(&process, 0, &copy, &error), -EPERM);
    cr_assert_not_null(strstr(error.message, "ptrace_scope"), "%s", error.message);
    struct rpctl_process_socket *sockets;
    size_t count;
    cr_assert_eq(rpctl_process_sockets(child.pid, &sockets, &count, &error), -EACCES);
    cr_assert_eq(setresuid(0, 0, 0), 0);
    prctl(PR_SET_DUMPABLE, 1); /* for the leak checker; changing the user has cleared it */
    end_child(child);
    rpctl_process_close(&process);
}

Test(process, duplicating_from_another_user_names_both)
{
    struct rpctl_process process;
    uid_t user;
    int copy;
    if (geteuid() != 0) cr_skip_test("needs two users");
    struct child child = start_child(NULL);
    cr_assert_eq(rpctl_process_open(&process, child.pid, &error), 0);
    cr_assert_eq(setresuid(65534, 65534, 0), 0);
    cr_assert_eq(rpctl_process_user(child.pid, &user), 0);
    cr_assert_eq(user, 0);
    cr_assert_eq(rpctl_process_take_fd(&process, 0, &copy, &error), -EPERM);
    cr_assert_not_null(strstr(error.message, "user 0"), "%s", error.message);
    cr_assert_not_null(strstr(error.message, "user 65534"), "%s", error.message);
    cr_assert_eq(setresuid(0, 0, 0), 0);
    prctl(PR_SET_DUMPABLE, 1);
    end_child(child);
    cr_assert_eq(rpctl_process_user(child.pid, &user), -ESRCH);
    rpctl_process_close(&process);
}

/* Waits without reaping. */
static void wait_for_death(pid_t pid)
{
    siginfo_t info;
    cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

Test(process, reap_takes_the_dead_only)
{
    struct rpctl_process_end end;
    cr_assert_eq(rpctl_process_reap(&end), -ECHILD);
    struct child alive = start_child(NULL);
    struct child dead = start_child(NULL);
    cr_assert_eq(rpctl_process_reap(&end), -EAGAIN);
    kill(dead.pid, SIGTERM);
    wait_for_death(dead.pid);
    cr_assert_eq(rpctl_process_reap(&end), 0);
    cr_assert_eq(end.pid, dead.pid);
    cr_assert_eq(WTERMSIG(end.status), SIGTERM);
    cr_assert_eq(end.user, geteuid());
    cr_assert_eq(rpctl_process_reap(&end), -EAGAIN);
    end_child(alive);
    cr_assert_eq(rpctl_process_reap(&end), -ECHILD);
}

static const char *describe(int status)
{
    static char text[RPCTL_PROCESS_STATUS_BYTES];
    rpctl_process_describe_status(status, text);
    return text;
}

Test(process, statuses_in_words)
{
    cr_assert_str_eq(describe(0), "exit status 0");
    cr_assert_str_eq(describe(255 << 8), "exit status 255");
    cr_assert_str_eq(describe(SIGKILL), "signal 9 (SIGKILL)");
    cr_assert_str_eq(describe(SIGSEGV | 0x80), "signal 11 (SIGSEGV), core dumped");
    cr_assert_str_eq(describe(SIGRTMIN + 1), "signal 35");
    cr_assert_str_eq(describe((SIGRTMIN + 1) | 0x80), "signal 35, core dumped");
}

static void handle(int signal_number)
{
    (void)signal_number;
}

Test(process, sigpipe)
{
    struct sigaction action;
    signal(SIGPIPE, SIG_DFL);
    rpctl_process_ignore_sigpipe();
    sigaction(SIGPIPE, NULL, &action);
    cr_assert_eq(action.sa_handler, SIG_IGN);
    signal(SIGPIPE, handle);
    rpctl_process_ignore_sigpipe();
    sigaction(SIGPIPE, NULL, &action);
    cr_assert_eq(action.sa_handler, handle, "somebody's handler was replaced");
}

/* --- the tree --- */

static size_t tree_of(pid_t pid, pid_t pids[64])
{
    size_t count;
    cr_assert_eq(rpctl_process_tree(pid, pids, 64, &count, &error), 0, "%s", error.message);
    return count;
}

static void fork_two_generations(void)
{
    for (int i = 0; i < 2; i++)
        if (fork() == 0) {
            fork();
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            pause();
        }
}

/* Grandchildren come when they come: wait for them by looking, with the test's own time limit. */
static void wait_for_tree(pid_t pid, size_t wanted)
{
    pid_t pids[64];
    while (tree_of(pid, pids) < wanted) sched_yield();
}

static void kill_tree(pid_t pid)
{
    pid_t pids[64];
    size_t count = tree_of(pid, pids);
    for (size_t i = count; i > 0; i--) kill(pids[i - 1], SIGKILL);
}

Test(process, tree_of_children_and_grandchildren, .timeout = 20)
{
    pid_t pids[64];
    size_t count;
    struct child child = start_child(fork_two_generations);
    wait_for_tree(child.pid, 5);
    cr_assert_eq(tree_of(child.pid, pids), 5);
    cr_assert_eq(pids[0], child.pid);
    cr_assert_eq(rpctl_process_tree(child.pid, pids, 4, &count, &error), -E2BIG);
    cr_assert_not_null(strstr(error.message, "more than 4"));
    kill_tree(child.pid);
    end_child(child);
}

Test(process, trees_of_several, .timeout = 20)
{
    struct rpctl_process_member members[64];
    size_t count = 7, of_first = 0;
    struct child first = start_child(fork_two_generations), second = start_child(NULL);
    pid_t roots[] = {first.pid, second.pid, first.pid};
    wait_for_tree(first.pid, 5);
    cr_assert_eq(rpctl_process_trees(roots, 3, members, 64, &count, &error), 0, "%s", error.message);
    cr_assert_eq(count, 6, "each belongs to one");
    for (size_t i = 0; i < count; i++) of_first += members[i].root == 0;
    cr_assert_eq(of_first, 5);
    cr_assert_eq(members[0].pid, first.pid);
    cr_assert_eq(members[5].pid, second.pid);
    cr_assert_eq(members[5].root, 1);
    cr_assert_eq(rpctl_process_trees(roots, 0, members, 64, &count, &error), 0);
    cr_assert_eq(count, 0);
    cr_assert_eq(rpctl_process_trees(roots, 2, members, 5, &count, &error), -E2BIG);
    cr_assert_not_null(strstr(error.message, "more than 5"));
    kill_tree(first.pid);
    end_child(first);
    end_child(second);
}

static void new_session_with_orphan(void)
{
    setsid();
    if (fork() == 0) {
        if (fork() == 0) pause();
        _exit(0);
    }
    wait(NULL);
}

Test(process, an_orphan_is_found_by_its_session, .timeout = 20)
{
    pid_t pids[64];
    cr_assert_eq(rpctl_process_become_subreaper(&error), 0);
    struct child child = start_child(new_session_with_orphan);
    wait_for_tree(child.pid, 2);
    cr_assert_eq(tree_of(child.pid, pids), 2);
    pid_t orphan = pids[1];
    kill(child.pid, SIGKILL);
    wait_for_death(child.pid);
    cr_assert_eq(tree_of(child.pid, pids), 1, "the leader is dead, its orphan is not");
    cr_assert_eq(pids[0], orphan);
    kill(orphan, SIGKILL);
    end_child(child);
    cr_assert_eq(waitpid(orphan, NULL, 0), orphan, "as a subreaper we are its parent now");
    cr_assert_eq(tree_of(child.pid, pids), 0);
}
