/* Learning which listener stands at which index of a SO_REUSEPORT group, without anybody's help.
 *
 * Owns nothing that outlives a call. The kernel shows the members of a group, never their order. But whoever
 * holds a descriptor of each listener can find it out, without any privilege:
 *
 *     each listener is told to drop what arrives with a       the kernel drops it before it looks at it, and
 * counts hop limit of 1 (IP_MINTTL, IPV6_MINHOPCOUNT = 2)        that in the socket (SO_MEMINFO,
 * SK_MEMINFO_DROPS) a probe socket with that hop limit is bound (port 0)    nobody else has its source
 * address and port for each index the group is steered: source k -> index k,              all other traffic
 * goes where it went before everything else as before probe k sends its SYN whose counter rose, stands at
 * index k
 *
 * Nobody accepts anything, no process notices, and no connection comes to be. Other clients are not touched:
 * what comes over a network does not arrive with its last hop spent, and local clients send 64. Connections
 * that are accepted meanwhile inherit the option, and it does them no harm either; nor would it if the caller
 * died in the middle. (A socket filter could do the same more exactly, but newer kernels demand CAP_NET_ADMIN
 * for one on TCP.)
 *
 * The caller keeps the group as it is during the call, and attaches its own program afterwards, also after an
 * error: the one left behind is that for all other traffic, or, where that could not be attached, still has
 * the probes, whose ports are free by then. Nothing but this is in this file, so that a build for tests can
 * be linked without it. */
#ifndef RPCTL_INDEX_PROBE_H
#define RPCTL_INDEX_PROBE_H

#include <linux/filter.h>
#include <rp/address.h>
#include <rp/error.h>
#include <stddef.h>
#include <stdint.h>

struct rpctl_index_probe {
    const struct rp_address *address;
    const int *fds; /* one of each listener in the group, all of them, in the order that is believed */
    size_t count;   /* 1 to RPCTL_GROUP_MAX */
    const struct sock_filter *otherwise; /* the program for all other traffic, without probes */
    size_t otherwise_length;
};

/* Writes `count` entries: ret_order[index] = position in `fds` of the listener that stands there. Takes some
 * tens of microseconds per listener.
 *
 * Errors: -EHOSTUNREACH the probes reach nobody (another socket shadows the address, or a firewall), -EAGAIN
 * the answers contradict each other (the group has changed meanwhile, or drops too much of its own accord),
 * -E2BIG, -EMFILE, -ENOMEM, those of setsockopt(2) and of rpctl_reuseport_attach. */
int rpctl_index_probe_run(const struct rpctl_index_probe *probe, uint16_t *ret_order, struct rp_error *error);

#endif
