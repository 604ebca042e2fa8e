#include "commands/resume.h"
#include "linux/memory_file.h"
#include "linux/process.h"
#include "linux/reexec.h"
#include "pure/exit_code.h"
#include "pure/handoff.h"
#include "pure/version.h"
#include "shell/supervisor.h"
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int read_handoff(int fd, struct rpctl_handoff *ret_handoff, struct rp_error *error)
{
    char *text = NULL;
    size_t length = 0;
    int result = rpctl_memory_file_read(fd, RPCTL_HANDOFF_BYTES_MAX, &text, &length, error);
    if (result == 0) result = rpctl_handoff_decode(ret_handoff, text, length, error);
    free(text);
    if (result < 0) rp_error_prefix(error, "the state cannot be read");
    return result;
}

/* ---- asked whether it could ---- */

static int check(int fd)
{
    struct rpctl_handoff handoff;
    struct rp_error error;
    if (read_handoff(fd, &handoff, &error) < 0) {
        printf("%s\n", error.message);
        return RPCTL_EXIT_FAILED;
    }
    rpctl_handoff_done(&handoff);
    printf(RPCTL_RESUME_ANSWER " %s\n", rpctl_version);
    return fflush(stdout) == 0 ? RPCTL_EXIT_DONE : RPCTL_EXIT_FAILED;
}

/* ---- asked to go on ---- */

static struct rpctl_supervisor_config config_of(const struct rpctl_handoff *handoff)
{
    return (struct rpctl_supervisor_config){
        .name = handoff->name,
        .binary = handoff->binary,
        .args = (char **)(uintptr_t)handoff->args,
        .env = (char **)(uintptr_t)handoff->env,
        .policy = handoff->state.policy,
        .program = handoff->program,
        .handoff = handoff,
        .foreground = handoff->foreground,
        .json = handoff->json,
        .quiet = handoff->quiet,
        .ready_fd = -1,
    };
}

/* What is launched from here on must inherit none of them. */
static int take_over_descriptors(const struct rpctl_handoff *handoff, struct rp_error *error)
{
    size_t count = 0;
    int *fds = rpctl_handoff_fds(handoff, &count);
    int result = fds ? rpctl_fds_keep_over_exec(fds, count, false, error)
                     : rp_error_set(error, -ENOMEM, "out of memory");
    free(fds);
    return result;
}

static int go_on_with(const struct rpctl_handoff *handoff, int *ret_code, struct rp_error *error)
{
    struct rpctl_supervisor_config config = config_of(handoff);
    int result = take_over_descriptors(handoff, error);
    if (result == 0)
        result = rpctl_service_dir_inherit(&config.dir, handoff->dir, handoff->dir_fd, handoff->log_dir_fd,
                                           handoff->lock_fd, error);
    if (result < 0) return result;
    *ret_code = rpctl_supervisor_main(&config);
    rpctl_service_dir_close(config.dir);
    return 0;
}

static int go_on(int fd)
{
    struct rpctl_handoff handoff = {0};
    struct rp_error error;
    int code = RPCTL_EXIT_BUG;
    int result = read_handoff(fd, &handoff, &error);
    close(fd);
    rpctl_process_ignore_sigpipe();
    if (result == 0) result = go_on_with(&handoff, &code, &error);
    if (result < 0)
        fprintf(stderr,
                "rpctl: cannot go on with the service: %s; the servers go on as they were: "
                "rpctl start takes them over\n",
                error.message);
    rpctl_handoff_done(&handoff);
    return code;
}

static int refuse(const char *variable)
{
    fprintf(stderr, "rpctl: %s is set, but names no open descriptor: it is for rpctl's own use; unset it\n",
            variable);
    return RPCTL_EXIT_USAGE;
}

bool rpctl_resume_is_asked(int *ret_code)
{
    int checked = rpctl_resume_take(RPCTL_RESUME_CHECK_VARIABLE);
    int resumed = rpctl_resume_take(RPCTL_RESUME_VARIABLE);
    if (checked == -1 && resumed == -1) return false;
    if (checked >= 0)
        *ret_code = check(checked);
    else if (resumed >= 0)
        *ret_code = go_on(resumed);
    else
        *ret_code = refuse(checked < -1 ? RPCTL_RESUME_CHECK_VARIABLE : RPCTL_RESUME_VARIABLE);
    return true;
}
