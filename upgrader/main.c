#include "commands/commands.h"
#include "commands/report.h"
#include "commands/resume.h"
#include "pure/exit_code.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

typedef int command_function(const struct rpctl_command_line *line);

static command_function *const functions[RPCTL_COMMAND_COUNT] = {
    [RPCTL_COMMAND_RUN] = rpctl_command_run,         [RPCTL_COMMAND_START] = rpctl_command_start,
    [RPCTL_COMMAND_UPGRADE] = rpctl_command_upgrade, [RPCTL_COMMAND_RESTART] = rpctl_command_restart,
    [RPCTL_COMMAND_ABORT] = rpctl_command_abort,     [RPCTL_COMMAND_STATUS] = rpctl_command_status,
    [RPCTL_COMMAND_LOGS] = rpctl_command_logs,       [RPCTL_COMMAND_STOP] = rpctl_command_stop,
    [RPCTL_COMMAND_REEXEC] = rpctl_command_reexec,   [RPCTL_COMMAND_VERSION] = rpctl_command_version,
    [RPCTL_COMMAND_HELP] = rpctl_command_help,
};

int main(int argc, char **argv)
{
    struct rp_error error;
    struct rpctl_command_line line;
    const struct rpctl_command_line_defaults defaults = {.name = getenv("RPCTL_NAME"),
                                                         .dir = getenv("RPCTL_DIR")};
    int code;
    if (rpctl_resume_is_asked(&code)) return code;
    int result = rpctl_command_line_parse(&line, argc, argv, &defaults, &error);
    if (result < 0)
        code =
            rpctl_report_failure(&line, result == -ENOMEM ? RPCTL_EXIT_BUG : RPCTL_EXIT_USAGE, error.message);
    else
        code = functions[line.command](&line);
    rpctl_command_line_done(&line);
    /* A full disk or a closed pipe: what was asked for did not arrive. */
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == RPCTL_EXIT_DONE) code = RPCTL_EXIT_BUG;
    return code;
}
