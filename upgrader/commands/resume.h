/* rpctl in the place of another rpctl: not a command that people type, but what the supervisor that is being
 * replaced asks for by the environment (linux/reexec.h). */
#ifndef RPCTL_COMMANDS_RESUME_H
#define RPCTL_COMMANDS_RESUME_H

#include <stdbool.h>

/* False: nobody has asked, and the command line counts. Else what was asked for is done, and *ret_code is the
 * exit code of the process. */
bool rpctl_resume_is_asked(int *ret_code);

#endif
