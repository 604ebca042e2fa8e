/* A service whose supervisor has died: what its state on disk still tells. */
#ifndef RPCTL_LOST_SUPERVISOR_H
#define RPCTL_LOST_SUPERVISOR_H

#include "linux/service_dir.h"
#include "pure/command_line.h"
#include <rp/error.h>
#include <stdbool.h>

/* True when servers of the service go on without it: `error` says who is gone, who goes on, and how to bring
 * it back. */
bool rpctl_lost_supervisor_explain(const struct rpctl_command_line *line, const struct rpctl_service_dir *dir,
                                   struct rp_error *error);

#endif
