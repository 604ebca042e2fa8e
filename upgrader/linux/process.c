#include "linux/process.h"
#include "linux/process_stat.h"
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int rpctl_process_open(struct rpctl_process *ret_process, pid_t pid, struct rp_error *error)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return rp_error_set(error, -errno, "cannot open process %d: %s", (int)pid, strerror(errno));
    uint64_t start_time = 0;
    int r = rpctl_process_start_time(pid, &start_time);
    if (r < 0) {
        close(pidfd);
        return rp_error_set(error, r, "cannot read /proc/%d/stat: %s", (int)pid, strerror(-r));
    }
    *ret_process = (struct rpctl_process){.pid = pid, .pidfd = pidfd, .start_time = start_time};
    return 0;
}

void rpctl_process_close(struct rpctl_process *process)
{
    if (process->pidfd >= 0) close(process->pidfd);
    process->pidfd = -1;
}

/* A pidfd becomes readable when its process ends; pidfd_open(2). */
bool rpctl_process_is_dead(const struct rpctl_process *process)
{
    struct pollfd polled = {.fd = process->pidfd, .events = POLLIN};
    return poll(&polled, 1, 0) == 1 && (polled.revents & POLLIN);
}

int rpctl_process_signal(const struct rpctl_process *process, int signal_number)
{
    if (syscall(SYS_pidfd_send_signal, process->pidfd, signal_number, NULL, 0) < 0) return -errno;
    return 0;
}

int rpctl_process_user(pid_t pid, uid_t *ret_user)
{
    char path[32];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    if (stat(path, &status) < 0) return errno == ENOENT ? -ESRCH : -errno;
    *ret_user = status.st_uid; /* proc(5): its files belong to the effective user */
    return 0;
}

int rpctl_process_take_fd(const struct rpctl_process *process, int fd, int *ret_fd, struct rp_error *error)
{
    int copy = (int)syscall(SYS_pidfd_getfd, process->pidfd, fd, 0);
    if (copy >= 0) {
        *ret_fd = copy;
        return 0;
    }
    int code = -errno;
    const char *remedy = "";
    uid_t user = geteuid();
    if (code == -EPERM && rpctl_process_user(process->pid, &user) == 0 && user != geteuid())
        return rp_error_set(error, code,
                            "pid %d runs as user %u, and this supervisor as user %u: let the "
                            "server run as the latter, or the supervisor as root",
                            (int)process->pid, (unsigned)user, (unsigned)geteuid());
    if (code == -EPERM)
        remedy = " (ptrace rights are missing: see kernel.yama.ptrace_scope, or in a container allow "
                 "pidfd_getfd; a server that sends FDSTORE=1 needs none)";
    return rp_error_set(error, code, "cannot duplicate descriptor %d of process %d: %s%s", fd,
                        (int)process->pid, strerror(-code), remedy);
}

int rpctl_process_start_time(pid_t pid, uint64_t *ret_start_time)
{
    struct rpctl_process_stat stat;
    int r = rpctl_process_stat_read(pid, &stat);
    if (r == 0) *ret_start_time = stat.start_time;
    return r;
}

/* proc(5) tells start times by this clock, and in these units. */
uint64_t rpctl_process_clock(void)
{
    struct timespec now;
    uint64_t ticks = (uint64_t)sysconf(_SC_CLK_TCK);
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * ticks + (uint64_t)now.tv_nsec * ticks / 1000000000;
}

int rpctl_process_become_subreaper(struct rp_error *error)
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0) return 0;
    return rp_error_set(error, -errno, "cannot become the parent of orphans (PR_SET_CHILD_SUBREAPER): %s",
                        strerror(errno));
}

void rpctl_process_ignore_sigpipe(void)
{
    struct sigaction action;
    sigaction(SIGPIPE, NULL, &action);
    if (!(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_DFL) signal(SIGPIPE, SIG_IGN);
}

/* In two steps: what is to be known of the process can be read as long as it is not reaped. */
int rpctl_process_reap(struct rpctl_process_end *ret_end)
{
    siginfo_t info = {0};
    int r, status;
    do r = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
    while (r < 0 && errno == EINTR);
    if (r < 0) return -errno;
    if (info.si_pid == 0) return -EAGAIN;
    struct rpctl_process_end end = {.pid = info.si_pid, .user = geteuid()};
    rpctl_process_user(end.pid, &end.user);
    do r = waitpid(end.pid, &status, WNOHANG);
    while (r < 0 && errno == EINTR);
    if (r <= 0) return r < 0 ? -errno : -EAGAIN;
    end.status = status;
    *ret_end = end;
    return 0;
}

void rpctl_process_describe_status(int status, char text[RPCTL_PROCESS_STATUS_BYTES])
{
    if (WIFEXITED(status)) {
        snprintf(text, RPCTL_PROCESS_STATUS_BYTES, "exit status %d", WEXITSTATUS(status));
        return;
    }
    assert(WIFSIGNALED(status));
    const char *name = sigabbrev_np(WTERMSIG(status));
    snprintf(text, RPCTL_PROCESS_STATUS_BYTES, name ? "signal %d (SIG%s)%s" : "signal %d%s%s",
             WTERMSIG(status), name ? name : "", WCOREDUMP(status) ? ", core dumped" : "");
}
