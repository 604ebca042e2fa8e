/* The n-th look into /proc fails, for n = 1, 2, …: a process or a socket that cannot be read is not taken for
 * one that is not there. */
#include "linux/orphans.h"
#include "linux/process.h"

#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned countdown; /* 0: nothing fails */

static bool fails(int code)
{
    if (countdown == 0 || --countdown > 0) return false;
    errno = code;
    return true;
}

/* These stand before libc's for the whole program. */
int fake_open(const char *path, int flags, ...) __asm__("open");
ssize_t fake_read(int fd, void *bytes, size_t count) __asm__("read");
ssize_t fake_readlinkat(int dir, const char *path, char *target, size_t bytes) __asm__("readlinkat");

int fake_open(const char *path, int flags, ...)
{
    return fails(EMFILE) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600);
}

ssize_t fake_read(int fd, void *bytes, size_t count)
{
    return fails(EIO) ? -1 : syscall(SYS_read, fd, bytes, count);
}

ssize_t fake_readlinkat(int dir, const char *path, char *target, size_t bytes)
{
    return fails(ENOMEM) ? -1 : syscall(SYS_readlinkat, dir, path, target, bytes);
}

static char *const environment[] = {(char *)(uintptr_t) "RP_SERVICE=faults",
                                    (char *)(uintptr_t) "RP_GENERATION=3", NULL};

/* A child that says whose it is, in a session of its own. */
static pid_t start_orphan(void)
{
    char *const words[] = {(char *)(uintptr_t) "tail", (char *)(uintptr_t) "-f",
                           (char *)(uintptr_t) "/dev/null", NULL};
    int pipe_fds[2];
    char byte;
    pid_t pid;

    cr_assert_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test fails */
        setsid();
        execve("/usr/bin/tail", words, environment);
        _exit(1);
    }
    close(pipe_fds[1]);
    cr_assert_eq(syscall(SYS_read, pipe_fds[0], &byte, 1), 0); /* its end is that of exec */
    close(pipe_fds[0]);
    return pid;
}

Test(process_faults, an_orphan_is_found_or_the_reason_told)
{
    pid_t pids[RPCTL_ORPHANS_MAX], orphan = start_orphan();
    struct rpctl_orphan_owner owner = {.service = "faults", .generation = 3};
    struct rp_error error = {0};
    int fds = count_open_fds();

    for (unsigned n = 1; countdown == 0; n++) {
        size_t count = 0;
        int result;

        countdown = n;
        result = rpctl_orphans_find(&owner, pids, &count, &error);
        cr_assert(result < 0 || (count == 1 && pids[0] == orphan), "call %u: %zu found", n, count);
        if (result < 0) cr_assert(error.message[0]);
    }
    countdown = 0;
    cr_assert_eq(count_open_fds(), fds);
    kill(orphan, SIGKILL);
    waitpid(orphan, NULL, 0);
    expect_no_leak();
}

Test(process_faults, a_socket_is_found_or_the_reason_told)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct rp_error error = {0};
    struct rpctl_process_socket *sockets = NULL;
    size_t count = 0, found = 0;

    cr_assert_eq(rpctl_process_sockets(getpid(), &sockets, &found, &error), 0);
    free(sockets);
    for (unsigned n = 1; countdown == 0; n++) {
        int result;

        countdown = n;
        result = rpctl_process_sockets(getpid(), &sockets, &count, &error);
        if (result == 0) cr_assert_eq(count, found, "call %u", n);
        if (result == 0) free(sockets);
    }
    countdown = 0;
    close(fd);
    expect_no_leak();
}
