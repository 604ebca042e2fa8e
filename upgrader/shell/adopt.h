/* Processes that a former supervisor of this service has launched: found, and made generations of ours.
 *
 * They are not our children: their end is seen by their pidfd, and how they ended is not to be learnt. */
#ifndef RPCTL_ADOPT_H
#define RPCTL_ADOPT_H

#include "pure/state.h"

#include <rp/error.h>

struct rpctl_service;
struct rpctl_instance;
struct rpctl_generation;

/* Makes a generation of every one that has a process which lives still: by the state (`state` NULL: there is
 * none), where pid and start time must fit, and by the mark in the environment of what the state does not
 * know. *ret_count is the number of processes. On an error what was made stays in the service's list. */
int rpctl_adopt_all(struct rpctl_service *service, const struct rpctl_state *state, unsigned *ret_count,
                    struct rp_error *error);

/* Sees the end of the instance's process, which is no child of ours. A negative errno of libuv. */
int rpctl_adopt_watch(struct rpctl_service *service, struct rpctl_instance *instance);
/* No callback any more. */
void rpctl_adopt_unwatch(struct rpctl_instance *instance);

#endif
