#include "commands/commands.h"
#include "commands/exchange.h"

int rpctl_command_stop(const struct rpctl_command_line *line)
{
    return rpctl_exchange_to_the_end(line, &(struct rpctl_request){.command = RPCTL_REQUEST_STOP});
}
