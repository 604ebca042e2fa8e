/* Recognising probes: packets from exactly known sources (address and port), in classic BPF.
 *
 * Owns nothing. The program sees a TCP packet of either family from behind its TCP header; the headers are
 * read from the network header on (SKF_NET_OFF). A load outside of the packet would end the program with 0,
 * an index like any other, so nothing is loaded that a TCP packet might not have: IPv4 with options and IPv6
 * with extension headers are no probes. */
#ifndef RPCTL_PROBE_MATCH_H
#define RPCTL_PROBE_MATCH_H

#include "pure/filter_program.h"

#include <sys/socket.h>

struct rpctl_probe_match {
    struct sockaddr_storage source; /* AF_INET or AF_INET6; an IPv4-mapped address is taken as IPv4 */
    uint32_t index;                 /* what the program returns for it */
};

/* Appends the test. A packet from no source of `matches` goes on behind it, with A and X undefined. Matches
 * that share an address and stand next to each other cost two instructions each. */
void rpctl_probe_match_emit(struct rpctl_filter_program *program, const struct rpctl_probe_match *matches,
                            size_t count);

#endif
