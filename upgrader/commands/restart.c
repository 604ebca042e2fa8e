#include "commands/commands.h"
#include "commands/exchange.h"
#include "commands/release_request.h"

int rpctl_command_restart(const struct rpctl_command_line *line)
{
    struct rp_error error;
    struct rpctl_release_request asked;
    int code = rpctl_release_request_init(&asked, line, &error);
    if (code != 0) return rpctl_report_failure(line, code, error.message);
    code = rpctl_exchange(line,
                          &(struct rpctl_request){.command = RPCTL_REQUEST_RESTART, .policy = asked.policy});
    rpctl_release_request_done(&asked);
    return code;
}
