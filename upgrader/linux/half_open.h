/* Handshakes that were half-open at one moment, and how many of them still are.
 *
 * A handshake belongs to the listener that got its SYN, whatever is steered later, and is lost when that
 * listener closes. The kernel does not say which listener that is, so all that exist at the moment of the
 * mark are followed, by their address pairs and cookies, until each has become a connection or has gone. Owns
 * the list of pairs. Not thread-safe. */
#ifndef RPCTL_HALF_OPEN_H
#define RPCTL_HALF_OPEN_H

#include <rp/address.h>
#include <rp/error.h>

struct rpctl_half_open;

/* Takes the mark on some addresses (at most RP_ADDRESS_LIST_MAX). Freed with rpctl_half_open_free. */
int rpctl_half_open_new(struct rpctl_half_open **ret_mark, const struct rp_address *addresses, size_t count,
                        struct rp_error *error);
void rpctl_half_open_free(struct rpctl_half_open *mark); /* NULL is fine */

/* How many of the marked are half-open still. One that has gone is dropped from the mark; what appears later
 * under the same address pair is a new handshake. */
int rpctl_half_open_left(struct rpctl_half_open *mark, size_t *ret_left, struct rp_error *error);

#endif
