/* `rpctl start`: the supervisor is a child that goes on when this process ends.
 *
 *     parent                                  child
 *     fork ---------------------------------> setsid, stdin from /dev/null, output to log/supervisor.log
 *     reads the pipe until it says "ok",      becomes the supervisor; writes "ok" when its control socket is
 *     an error, or nothing                    bound, or one line that says why it cannot be
 *     follows the start over the socket       launches the release
 *     prints the result, ends                 serves
 *
 * When the start fails the supervisor ends by itself; the parent waits for that, so that a second start finds
 * the service's lock free. One that cannot tell its parent what comes of the start is told to end: a start
 * that is reported as failed leaves nothing. */
#include "commands/commands.h"
#include "commands/exchange.h"
#include "commands/service_setup.h"
#include "linux/background.h"
#include "linux/log_file.h"
#include "linux/process.h"
#include "pure/exit_code.h"
#include "pure/quote.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUPERVISOR_LOG "supervisor.log"
#define READY          "ok"
#define END_TIMEOUT_MS 5000 /* for a supervisor whose start has failed */

struct child {
    pid_t pid;
    int ready_fd; /* read end */
};

/* ---- the child ---- */

static int become_supervisor(struct rpctl_service_setup *setup, int ready_fd, int log_fd)
{
    const struct rpctl_service_dir *dir = setup->config.dir;
    const int keep[] = {ready_fd, rpctl_service_dir_fd(dir), rpctl_service_dir_log_fd(dir)};
    if (rpctl_background_enter(log_fd, keep, sizeof keep / sizeof keep[0]) < 0) return RPCTL_EXIT_BUG;
    setup->config.ready_fd = ready_fd;
    rpctl_process_ignore_sigpipe();
    return rpctl_supervisor_main(&setup->config);
}

/* ---- the parent ---- */

/* One line, or what there is of it when the child ends. */
static void read_ready_line(int fd, char *line, size_t bytes)
{
    size_t used = 0;
    while (used < bytes - 1) {
        ssize_t length = read(fd, line + used, bytes - 1 - used);
        if (length < 0 && errno == EINTR) continue;
        if (length <= 0) break;
        used += (size_t)length;
        if (memchr(line, '\n', used)) break;
    }
    line[used] = '\0';
    line[strcspn(line, "\n")] = '\0';
}

/* Reaps the child; its exit code, where it has one that tells of a failure. */
static int failure_code(const struct child *child)
{
    int status;
    while (waitpid(child->pid, &status, 0) < 0)
        if (errno != EINTR) return RPCTL_EXIT_BUG;
    bool told = WIFEXITED(status) && WEXITSTATUS(status) != 0;
    return told ? WEXITSTATUS(status) : RPCTL_EXIT_BUG;
}

static int report_not_ready(const struct rpctl_command_line *line, const struct child *child,
                            const char *reason, const char *path)
{
    char message[RP_ERROR_MESSAGE_BYTES];
    if (reason[0] != '\0')
        snprintf(message, sizeof message, "%s", reason);
    else
        snprintf(message, sizeof message, "the supervisor ended before it was ready; see %s/%s/%s",
                 rpctl_quote_path(path).text, RPCTL_SERVICE_DIR_LOG, SUPERVISOR_LOG);
    return rpctl_report_failure(line, failure_code(child), message);
}

static void wait_for_end(const struct child *child, bool must_be_told)
{
    struct rpctl_process process;
    if (rpctl_process_open(&process, child->pid, NULL) < 0) return;
    if (must_be_told) rpctl_process_signal(&process, SIGTERM);
    struct pollfd polled = {.fd = process.pidfd, .events = POLLIN};
    poll(&polled, 1, END_TIMEOUT_MS);
    rpctl_process_close(&process);
}

static int follow_start(const struct rpctl_command_line *line, const struct child *child, const char *path)
{
    char ready[RP_ERROR_MESSAGE_BYTES];
    read_ready_line(child->ready_fd, ready, sizeof ready);
    if (strcmp(ready, READY) != 0) return report_not_ready(line, child, ready, path);
    int code = rpctl_exchange(line, &(struct rpctl_request){.command = RPCTL_REQUEST_FOLLOW});
    if (code != RPCTL_EXIT_DONE && code < RPCTL_EXIT_SIGNAL) wait_for_end(child, code == RPCTL_EXIT_BUG);
    return code;
}

/* Returns in both processes: with the exit code of the start in one, of the supervisor in the other. */
static int start(const struct rpctl_command_line *line, struct rpctl_service_setup *setup, const int ready[2],
                 int log_fd)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) return become_supervisor(setup, ready[1], log_fd);
    close(ready[1]);
    if (pid < 0)
        return rpctl_report_failure(line, RPCTL_EXIT_BUG, "cannot fork: too many processes, or no memory");
    struct child child = {.pid = pid, .ready_fd = ready[0]};
    return follow_start(line, &child, rpctl_service_dir_path(setup->config.dir));
}

int rpctl_command_start(const struct rpctl_command_line *line)
{
    struct rp_error error;
    struct rpctl_service_setup setup;
    int ready[2];
    int log_fd;
    int code = rpctl_service_setup_init(&setup, line, &error);
    if (code != 0) return rpctl_report_failure(line, code, error.message);
    if (rpctl_log_file_open(rpctl_service_dir_log_fd(setup.config.dir), SUPERVISOR_LOG, &log_fd, &error) < 0)
        code = rpctl_report_failure(line, RPCTL_EXIT_BUG, error.message);
    else if (pipe2(ready, O_CLOEXEC) < 0)
        code = rpctl_report_failure(line, RPCTL_EXIT_BUG, "cannot make a pipe: too many open files");
    else
        code = start(line, &setup, ready, log_fd);
    rpctl_service_setup_done(&setup);
    return code;
}
