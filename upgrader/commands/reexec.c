#include "commands/commands.h"
#include "commands/exchange.h"

int rpctl_command_reexec(const struct rpctl_command_line *line)
{
    return rpctl_exchange(line, &(struct rpctl_request){.command = RPCTL_REQUEST_REEXEC});
}
