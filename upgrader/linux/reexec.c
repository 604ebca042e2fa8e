#include "linux/reexec.h"

#include "linux/exec_error.h"
#include "linux/marked.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the file ------------------------------------------------------------------------------------------- */

int rpctl_file_identify(const char *path, struct rpctl_file_identity *ret_identity, struct rp_error *error)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return rp_error_set(error, -errno, "cannot look at %s: %s", path, strerror(errno));
    *ret_identity = (struct rpctl_file_identity){.device = status.st_dev,
                                                 .inode = status.st_ino,
                                                 .bytes = (uint64_t)status.st_size,
                                                 .changed_ns = (int64_t)status.st_ctim.tv_sec * 1000000000 +
                                                               status.st_ctim.tv_nsec};
    return 0;
}

bool rpctl_file_is_same(const struct rpctl_file_identity *a, const struct rpctl_file_identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
           a->changed_ns == b->changed_ns;
}

static char **own_arguments(char **ret_program)
{
    char **args = NULL;

    return rpctl_marked_command(getpid(), ret_program, &args) < 0 ? NULL : args;
}

char *rpctl_program_path(void)
{
    char *program = NULL;

    rpctl_marked_free_args(own_arguments(&program));
    return program;
}

/* --- descriptors, signals ------------------------------------------------------------------------------- */

int rpctl_fds_keep_over_exec(const int *fds, size_t count, bool keep, struct rp_error *error)
{
    for (size_t i = 0; i < count; i++)
        if (fcntl(fds[i], F_SETFD, keep ? 0 : FD_CLOEXEC) < 0)
            return rp_error_set(error, -errno, "descriptor %d cannot be kept: %s", fds[i], strerror(errno));
    return 0;
}

/* Blocked, they would end the process without a report. */
static const int own_faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};

void rpctl_signals_block(sigset_t *ret_before)
{
    sigset_t all;

    sigfillset(&all);
    for (size_t i = 0; i < sizeof own_faults / sizeof *own_faults; i++) sigdelset(&all, own_faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, ret_before);
}

void rpctl_signals_restore(const sigset_t *before)
{
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

void rpctl_signals_unblock(void)
{
    sigset_t none;

    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
}

/* --- the exec ------------------------------------------------------------------------------------------- */

/* argv: the program's path and the arguments that this process has. The list is the caller's, the texts are
 * not. */
static char **make_arguments(const char *program, char **own)
{
    size_t count = 0;
    char **arguments;

    while (own[count]) count++;
    arguments = calloc(count + 2, sizeof *arguments);
    if (!arguments) return NULL;
    arguments[0] = (char *)(uintptr_t)program;
    memcpy(arguments + 1, own, count * sizeof *own);
    return arguments;
}

static int execute(const char *program, char *const *arguments, int handoff_fd, const int *fds, size_t count,
                   struct rp_error *error)
{
    char number[16];
    int status = rpctl_fds_keep_over_exec(fds, count, true, error);

    snprintf(number, sizeof number, "%d", handoff_fd);
    if (status == 0 && setenv(RPCTL_RESUME_VARIABLE, number, 1) < 0)
        status = rp_error_set(error, -errno, "no memory to run %s", program);
    if (status == 0) {
        execv(program, arguments);
        status = rpctl_exec_error_explain(program, -errno, error);
    }
    unsetenv(RPCTL_RESUME_VARIABLE);
    (void)rpctl_fds_keep_over_exec(fds, count, false, NULL);
    return status;
}

int rpctl_reexec(const char *program, int handoff_fd, const int *fds, size_t count, struct rp_error *error)
{
    char *running = NULL;
    char **own = own_arguments(&running);
    char **arguments = own ? make_arguments(program, own) : NULL;
    int status = rp_error_set(error, -ENOMEM, "cannot read the own arguments from /proc/self/cmdline");

    if (arguments) status = execute(program, arguments, handoff_fd, fds, count, error);
    free(arguments);
    rpctl_marked_free_args(own);
    free(running);
    return status;
}

int rpctl_resume_take(const char *variable)
{
    const char *text = getenv(variable);
    char *end = NULL;
    long number = text ? strtol(text, &end, 10) : -1;
    bool good = text && *text && *end == '\0' && number > STDERR_FILENO && number <= INT_MAX;

    if (!text) return -1;
    unsetenv(variable);
    if (!good || fcntl((int)number, F_SETFD, FD_CLOEXEC) < 0) return -EINVAL;
    return (int)number;
}
