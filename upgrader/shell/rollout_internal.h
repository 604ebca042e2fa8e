/* How an operation is carried out: the rollout machine (pure/rollout.h) has no hands, these are its hands.
 *
 *   rollout_begin.c       an operation is refused, or begins
 *   rollout_shell.c       events are fed to the machine, one at a time
 *   rollout_act.c         what it wants done
 *   rollout_pin.c         … before a launch
 *   rollout_candidate.c   the new generation is stopped and closed
 *   rollout_end.c         the new generation serves for good, or is dropped, and the result is out
 *   rollout_report.c      what the clients of the operation are told */
#ifndef RPCTL_ROLLOUT_INTERNAL_H
#define RPCTL_ROLLOUT_INTERNAL_H

#include "shell/service.h"

/* Ends in events of the machine. */
void rpctl_rollout_act(struct rpctl_service *service, enum rpctl_rollout_action action);

/* Pins the groups to who serves, and waits until the disk knows it; then posts PINNED or PIN_FAILED. */
void rpctl_rollout_pin(struct rpctl_service *service);

/* Stops every process of the candidate, ends what they leave behind, closes its listeners; tries until all of
 * that has worked, then posts NEW_GONE. */
void rpctl_rollout_stop_candidate(struct rpctl_service *service);

void rpctl_rollout_commit(struct rpctl_service *service); /* the candidate is who serves */
void rpctl_rollout_finish(struct rpctl_service *service);

/* The machine has left the state `before`: phases end, fail for the reason `why`, and begin. */
void rpctl_rollout_report(struct rpctl_service *service, enum rpctl_rollout_state before, const char *why);

#endif
