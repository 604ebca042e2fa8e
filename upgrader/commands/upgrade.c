#include "commands/commands.h"
#include "commands/exchange.h"
#include "commands/release_request.h"

int rpctl_command_upgrade(const struct rpctl_command_line *line)
{
    struct rp_error error;
    struct rpctl_release_request asked;
    int code = rpctl_release_request_init(&asked, line, &error);
    if (code != 0) return rpctl_report_failure(line, code, error.message);
    struct rpctl_request request = {
        .command = RPCTL_REQUEST_UPGRADE,
        .binary = asked.binary,
        .args = (const char *const *)line->args,
        .env = line->env_count > 0 ? (const char *const *)line->env : NULL,
        .policy = asked.policy,
    };
    code = rpctl_exchange(line, &request);
    rpctl_release_request_done(&asked);
    return code;
}
