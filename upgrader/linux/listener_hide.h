/* Listeners out of sight of new connections.
 *
 * Owns nothing. Thread-safe. Nothing but this is in this file, so that a build for tests can be linked
 * without it. */
#ifndef RPCTL_LISTENER_HIDE_H
#define RPCTL_LISTENER_HIDE_H

#include <stdbool.h>

/* Takes a listener out of sight of new connections, for good, without taking it out of its group: it is bound
 * to an interface that does not exist, so the kernel's lookup passes it by. What is queued or half-open goes
 * on; a SYN that is steered to it all the same is dropped, and sent again a second later. Whoever finds it
 * later can tell (rpctl_listener_device), for the supervisor that has hidden it may be dead by then, and the
 * process that has it open not.
 *
 * Why: a SYN is looked up along a chain of all listeners of the port, and the first that fits leads to its
 * group, and so to the steering program. While a listener closes there is a moment at which it has left the
 * group and is still in the chain (inet_unhash); a SYN that meets it first, then, is taken by the closing
 * listener itself and lost, or sent again a second later. IPv6 listeners stand in the chain in listen()
 * order, so the oldest is met by every SYN; of IPv4 it is the youngest. Measured under load: 99 of 20,000
 * closes; none when it was out of sight for a grace period before.
 *
 * Best effort: before Linux 5.7, and for a listener that is bound to an interface, it needs CAP_NET_RAW. */
void rpctl_listener_hide(int fd);

/* The interface that a listener belongs to which is bound to `bound` (SO_BINDTOIFINDEX, or as sock_diag(7)
 * has it); ret_hidden may be NULL. */
unsigned rpctl_listener_device(unsigned bound, bool *ret_hidden);

#endif
