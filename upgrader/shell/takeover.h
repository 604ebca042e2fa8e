/* Takes a service over whose former supervisor is gone.
 *
 * Theory. The servers have gone on serving, and the last steering program is still in force. In order:
 *
 *   find       the processes, by the state on disk and by their environment (shell/adopt.h)
 *   listeners  duplicates of their listeners: librp sends them again when it has connected to RP_SOCKET;
 *              those of others, and of it too where that is allowed, are taken with pidfd_getfd
 *   decide     who serves from now on (pure/recovery.h)
 *   steer      all traffic to it. The recorded order of the listeners is taken for true while the true one is
 *              learnt, for the program that is in force meanwhile must not lead to an unproven release. Where
 *              it cannot be true any more, traffic goes to all that listen for as long as that takes (about
 *              0.1 ms for a listener)
 *   health     of a new release whose bake was not over (shell/trial.h): if it does not answer well, all
 *              is steered to the old one again
 *   leave      whoever does not serve, through an ordinary drain
 *
 * Until the listeners are all there nothing is changed; if that does not come about, the supervisor ends with
 * the reason, and the servers go on as before. */
#ifndef RPCTL_TAKEOVER_H
#define RPCTL_TAKEOVER_H

#include <rp/error.h>
#include <stdbool.h>

struct rpctl_control_client;
struct rpctl_service;

#define RPCTL_TAKEOVER_WAIT_MS 10000 /* for the listeners of all processes */
#define RPCTL_TAKEOVER_LOOK_MS 20

/* Looks for what a former supervisor has left. True: there is something, and `rpctl_takeover_run` must
 * follow, when the loop can be used. A state that cannot be used is set aside. */
int rpctl_takeover_find(struct rpctl_service *service, bool *ret_found, struct rp_error *error);

/* Begins, as an operation "takeover" that `follower` (may be NULL) hears of from the first event on. */
void rpctl_takeover_run(struct rpctl_service *service, struct rpctl_control_client *follower);

/* A generation is gone: the takeover may be over. */
void rpctl_takeover_on_gone(struct rpctl_service *service);

/* One is under way that has not steered yet: no listener may be closed before it knows the groups. */
bool rpctl_takeover_is_undecided(const struct rpctl_service *service);

/* The service is being stopped. */
void rpctl_takeover_cancel(struct rpctl_service *service);

#endif
