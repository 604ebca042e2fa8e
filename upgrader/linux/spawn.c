/* Theory of operation
 *
 * fork, then exec. Between the two the child is a copy of one thread of a process that has others (libuv's
 * pool): locks of malloc, stdio and the loader may be held by threads that do not exist in the copy. So
 * everything that needs memory is made before the fork (struct plan), and the child does only what POSIX
 * calls async-signal-safe. LISTEN_PID must hold the child's own pid, which nobody knows before the fork: its
 * digits are written by the child into a buffer that is part of the environment already.
 *
 * All signals are blocked around the fork. Else a signal that arrives in the child before its handlers are
 * reset would run libuv's handler there, which writes into a pipe that the child shares with us.
 *
 * The child's failures come back through a pipe that is close-on-exec: its end of file means that execve has
 * succeeded (or that the child was killed before; then its exit status is seen like any other). A child that
 * reported is reaped here, so that nobody else sees it.
 *
 * The pidfd is opened after the fork, without a race: a child that has died keeps its pid until it is reaped,
 * and nobody reaps meanwhile (see the header). */
#include "linux/spawn.h"
#include "linux/exec_error.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_LISTEN_FD  3 /* SD_LISTEN_FDS_START */
#define LISTEN_PID       "LISTEN_PID="
#define LISTEN_FDS       "LISTEN_FDS="
#define LISTEN_FDNAMES   "LISTEN_FDNAMES="
#define LISTEN_NAME      "listener" /* of each descriptor, joined by ':' */
#define LISTEN_VARIABLES 3
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4u
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

enum step { STEP_SESSION, STEP_DIRECTORY, STEP_DESCRIPTORS, STEP_EXEC };

struct report {
    enum step step;
    int error; /* errno */
};

/* All that the child needs, made by the parent. */
struct plan {
    const struct rpctl_spawn_request *request;
    char **envp;
    char listen_pid[sizeof LISTEN_PID + 20];
    char listen_fds[sizeof LISTEN_FDS + 20];
    char listen_names[sizeof LISTEN_FDNAMES + RPCTL_SPAWN_LISTEN_FDS_MAX * sizeof LISTEN_NAME];
    int moved[RPCTL_SPAWN_LISTEN_FDS_MAX];
    int null_fd;
    int report_read_fd;
    int report_write_fd;
};

/* --- in the child: nothing here may allocate, lock or use stdio --- */

static _Noreturn void child_fail(const struct plan *plan, enum step step)
{
    struct report report = {step, errno};
    ssize_t written;
    do written = write(plan->report_write_fd, &report, sizeof report);
    while (written < 0 && errno == EINTR);
    _exit(127);
}

static void child_reset_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    /* Fails for SIGKILL, SIGSTOP and the two that glibc keeps for itself, all of which are at their default.
     */
    for (int i = 1; i < NSIG; i++) sigaction(i, &action, NULL);
}

static int child_move_up(const struct plan *plan, int fd)
{
    int floor = FIRST_LISTEN_FD + (int)plan->request->listen_fd_count;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, floor);
    if (moved < 0) child_fail(plan, STEP_DESCRIPTORS);
    return moved;
}

static void child_place(const struct plan *plan, int fd, int number)
{
    if (dup2(fd, number) < 0) child_fail(plan, STEP_DESCRIPTORS);
}

/* Any source may have a number that is another's target, so all are moved out of the way first. */
static void child_arrange_descriptors(struct plan *plan)
{
    const struct rpctl_spawn_request *request = plan->request;
    plan->report_write_fd = child_move_up(plan, plan->report_write_fd);
    int null_fd = child_move_up(plan, plan->null_fd);
    int log_fd = child_move_up(plan, request->log_fd);
    for (size_t i = 0; i < request->listen_fd_count; i++)
        plan->moved[i] = child_move_up(plan, request->listen_fds[i]);
    child_place(plan, null_fd, STDIN_FILENO);
    child_place(plan, log_fd, STDOUT_FILENO);
    child_place(plan, log_fd, STDERR_FILENO);
    for (size_t i = 0; i < request->listen_fd_count; i++)
        child_place(plan, plan->moved[i], FIRST_LISTEN_FD + (int)i);
    /* Everything of ours is close-on-exec from birth. This is for what a library or our own parent left open:
     * a leaked listener keeps a dead queue alive. Linux < 5.11 does not know it. */
    syscall(SYS_close_range, FIRST_LISTEN_FD + (unsigned)request->listen_fd_count, ~0u, CLOSE_RANGE_CLOEXEC);
}

static void child_write_listen_pid(struct plan *plan)
{
    char digits[20];
    size_t count = 0;
    for (pid_t left = getpid(); left > 0; left /= 10) digits[count++] = (char)('0' + left % 10);
    char *to = plan->listen_pid + strlen(LISTEN_PID);
    while (count > 0) *to++ = digits[--count];
    *to = '\0';
}

static _Noreturn void child_main(struct plan *plan)
{
    const struct rpctl_spawn_request *request = plan->request;
    sigset_t none;
    child_reset_signals();
    if (setsid() < 0) child_fail(plan, STEP_SESSION);
    if (request->cwd_fd >= 0 && fchdir(request->cwd_fd) < 0) child_fail(plan, STEP_DIRECTORY);
    child_arrange_descriptors(plan);
    child_write_listen_pid(plan);
    umask(request->umask);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(request->binary, request->argv, plan->envp);
    child_fail(plan, STEP_EXEC);
}

/* --- in the parent --- */

static bool is_listen_variable(const char *variable)
{
    return strncmp(variable, LISTEN_PID, strlen(LISTEN_PID)) == 0 ||
           strncmp(variable, LISTEN_FDS, strlen(LISTEN_FDS)) == 0 ||
           strncmp(variable, LISTEN_FDNAMES, strlen(LISTEN_FDNAMES)) == 0;
}

static void write_listen_variables(struct plan *plan, size_t count)
{
    snprintf(plan->listen_pid, sizeof plan->listen_pid, LISTEN_PID);
    snprintf(plan->listen_fds, sizeof plan->listen_fds, LISTEN_FDS "%zu", count);
    char *end = stpcpy(plan->listen_names, LISTEN_FDNAMES);
    for (size_t i = 0; i < count; i++) end = stpcpy(end, i == 0 ? LISTEN_NAME : ":" LISTEN_NAME);
}

static int build_environment(struct plan *plan)
{
    const struct rpctl_spawn_request *request = plan->request;
    size_t count = 0;
    while (request->envp[count]) count++;
    plan->envp = calloc(count + LISTEN_VARIABLES + 1, sizeof *plan->envp);
    if (!plan->envp) return -ENOMEM;
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_listen_variable(request->envp[i])) plan->envp[used++] = request->envp[i];
    write_listen_variables(plan, request->listen_fd_count);
    if (request->listen_fd_count > 0) {
        plan->envp[used++] = plan->listen_pid;
        plan->envp[used++] = plan->listen_fds;
        plan->envp[used++] = plan->listen_names;
    }
    return 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static void plan_done(struct plan *plan)
{
    close_fd(&plan->null_fd);
    close_fd(&plan->report_read_fd);
    close_fd(&plan->report_write_fd);
    free(plan->envp);
}

static int plan_init(struct plan *plan, const struct rpctl_spawn_request *request)
{
    int pipe_fds[2];
    plan->request = request;
    plan->envp = NULL;
    plan->null_fd = plan->report_read_fd = plan->report_write_fd = -1;
    int r = build_environment(plan);
    if (r < 0) return r;
    if (pipe2(pipe_fds, O_CLOEXEC) < 0) return -errno;
    plan->report_read_fd = pipe_fds[0];
    plan->report_write_fd = pipe_fds[1];
    plan->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return plan->null_fd < 0 ? -errno : 0;
}

static pid_t fork_child(struct plan *plan)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) child_main(plan);
    int saved = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return pid;
}

static void reap_child(pid_t pid)
{
    pid_t r;
    do r = waitpid(pid, NULL, 0);
    while (r < 0 && errno == EINTR);
}

static bool read_report(const struct plan *plan, struct report *ret_report)
{
    ssize_t length;
    do length = read(plan->report_read_fd, ret_report, sizeof *ret_report);
    while (length < 0 && errno == EINTR);
    return length == (ssize_t)sizeof *ret_report;
}

static int explain_report(const char *binary, const struct report *report, struct rp_error *error)
{
    if (report->step == STEP_EXEC || report->error == EMFILE)
        return rpctl_exec_error_explain(binary, -report->error, error);
    static const char *const names[] = {"setsid", "fchdir", "descriptors"};
    rpctl_exec_error_explain(binary, -report->error, error);
    return rp_error_prefix(error, "%s", names[report->step]);
}

static int run(struct plan *plan, struct rpctl_process *ret_process, struct rp_error *error)
{
    struct report report;
    const char *binary = plan->request->binary;
    pid_t pid = fork_child(plan);
    if (pid < 0) return rpctl_exec_error_explain(binary, -errno, error);
    close_fd(&plan->report_write_fd);
    int r = rpctl_process_open(ret_process, pid, NULL);
    if (r < 0) {
        kill(pid, SIGKILL);
        reap_child(pid);
        return rpctl_exec_error_explain(binary, r, error);
    }
    if (!read_report(plan, &report)) return 0;
    reap_child(pid);
    rpctl_process_close(ret_process);
    return explain_report(binary, &report, error);
}

int rpctl_spawn(const struct rpctl_spawn_request *request, struct rpctl_process *ret_process,
                struct rp_error *error)
{
    assert(request->listen_fd_count <= RPCTL_SPAWN_LISTEN_FDS_MAX);
    struct plan plan;
    struct rpctl_process process;
    int r = plan_init(&plan, request);
    if (r < 0)
        r = rpctl_exec_error_explain(request->binary, r, error);
    else
        r = run(&plan, &process, error);
    plan_done(&plan);
    if (r == 0) *ret_process = process;
    return r;
}
