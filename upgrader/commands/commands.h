/* The commands of rpctl, one function each, one file each.
 *
 * Each does what its line says, prints, and returns the exit code (pure/exit_code.h). They block; none has a
 * loop but run and start, which become the supervisor. */
#ifndef RPCTL_COMMANDS_H
#define RPCTL_COMMANDS_H

#include "pure/command_line.h"

int rpctl_command_run(const struct rpctl_command_line *line);
int rpctl_command_start(const struct rpctl_command_line *line);
int rpctl_command_upgrade(const struct rpctl_command_line *line);
int rpctl_command_restart(const struct rpctl_command_line *line);
int rpctl_command_abort(const struct rpctl_command_line *line);
int rpctl_command_status(const struct rpctl_command_line *line);
int rpctl_command_logs(const struct rpctl_command_line *line);
int rpctl_command_reexec(const struct rpctl_command_line *line);
int rpctl_command_stop(const struct rpctl_command_line *line);
int rpctl_command_version(const struct rpctl_command_line *line);
int rpctl_command_help(const struct rpctl_command_line *line);

#endif
