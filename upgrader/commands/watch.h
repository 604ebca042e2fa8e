/* `rpctl status --watch`: the status again and again, as it changes. */
#ifndef RPCTL_WATCH_COMMAND_H
#define RPCTL_WATCH_COMMAND_H

#include "pure/command_line.h"

/* On a terminal one view that stays in its place; else a block, or with --json a line, for each change. Ends
 * with Ctrl-C, or with the supervisor. Returns the exit code. */
int rpctl_watch_status(const struct rpctl_command_line *line);

#endif
