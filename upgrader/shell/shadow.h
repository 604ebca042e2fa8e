/* A new release that listens on an address which comes before one of the old: the kernel gives it the old
 * one's connections from listen() on, whatever is steered. */
#ifndef RPCTL_SHADOW_H
#define RPCTL_SHADOW_H

#include "linux/exposure.h"
#include "pure/listen_match.h"
#include <stdbool.h>

struct rpctl_service;
struct rpctl_instance;

/* Ends the operation: which address, by which, for how long at most, and what it has of it. */
void rpctl_shadow_fail(struct rpctl_service *service, const struct rpctl_instance *instance,
                       const struct rpctl_listen_match *match, const struct rpctl_exposure *exposure);

/* For listeners that a process of the candidate hands over; they stay the caller's. True when one of them
 * shadows: it is out of sight then, and the operation ended. */
bool rpctl_shadow_meet(struct rpctl_service *service, const struct rpctl_instance *instance, const int *fds,
                       size_t count);

#endif
