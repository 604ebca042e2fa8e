/* Goes on with a service in the place of another program in the same process: the other half of
 * shell/reexec.h.
 *
 * Theory. The kernel has kept the descriptors, the children and what is steered, so nothing is done to the
 * service: its structs are made again from the handoff, drains go on where they stood (one that had not told
 * its processes to stop begins anew), and the client that has asked gets its result. */
#ifndef RPCTL_RESUME_H
#define RPCTL_RESUME_H

#include <rp/error.h>

struct rpctl_service;

/* The sockets are served again, no job was begun yet, the loop does not run yet. On an error the supervisor
 * must end and leave the processes as they are. */
int rpctl_resume(struct rpctl_service *service, struct rp_error *error);

#endif
