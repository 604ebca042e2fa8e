#include "commands/commands.h"
#include "commands/exchange.h"

int rpctl_command_abort(const struct rpctl_command_line *line)
{
    return rpctl_exchange(line, &(struct rpctl_request){.command = RPCTL_REQUEST_ABORT});
}
