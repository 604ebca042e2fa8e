/* What a client that only looks says when the supervisor has closed the connection. */
#ifndef RPCTL_SUPERVISOR_END_H
#define RPCTL_SUPERVISOR_END_H

#include "commands/client.h"

/* Prints it and returns the exit code: RPCTL_EXIT_NO_SERVICE when the supervisor has ended, or does so now.
 */
int rpctl_report_supervisor_end(const struct rpctl_client *client, const struct rpctl_command_line *line);

#endif
