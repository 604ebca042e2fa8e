#include "pure/port_holder.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATE_LISTEN 0x0a

/* An address is written as 32-bit words in the machine's byte order. */
static bool read_host(struct rp_address *address, const char *hex, int family)
{
    uint8_t bytes[16] = {0};
    size_t words = family == AF_INET ? 1 : 4;
    if (strlen(hex) != words * 8) return false;
    for (size_t i = 0; i < words; i++) {
        char word[9] = "";
        memcpy(word, hex + i * 8, 8);
        uint32_t value = (uint32_t)strtoul(word, NULL, 16);
        memcpy(bytes + i * 4, &value, sizeof value);
    }
    address->storage.ss_family = (sa_family_t)family;
    if (family == AF_INET)
        memcpy(&((struct sockaddr_in *)(void *)&address->storage)->sin_addr, bytes, 4);
    else
        memcpy(&((struct sockaddr_in6 *)(void *)&address->storage)->sin6_addr, bytes, 16);
    return true;
}

/* In the way: the same address, or one of the two covers the other. The file does not show IPV6_V6ONLY and
 * link-local interfaces; what is left open by that is taken for a hit, for this only words a message. */
static bool stands_in_way(const struct rp_address *holder, const struct rp_address *address)
{
    struct rp_address wanted = *address;
    if (wanted.storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)&wanted.storage)->sin6_scope_id = 0;
    wanted.v6only = false;
    return rp_address_equal(holder, &wanted) || rp_address_shadows(holder, &wanted) ||
           rp_address_shadows(&wanted, holder);
}

bool rp_port_holder_parse_line(struct rp_port_holder *ret_holder, const char *line, int family,
                               const struct rp_address *address)
{
    struct rp_port_holder holder = {.found = true};
    struct rp_address bound = {0};
    char host[33];
    unsigned port, state;
    if (sscanf(line, " %*u: %32[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%*x %2x %*x:%*x %*x:%*x %*x %u %*u %lu", host,
               &port, &state, &holder.uid, &holder.inode) != 5)
        return false;
    if (!read_host(&bound, host, family)) return false;
    rp_address_set_port(&bound, (uint16_t)port);
    if (!stands_in_way(&bound, address)) return false;
    holder.listening = state == STATE_LISTEN;
    *ret_holder = holder;
    return true;
}

static int rank(const struct rp_port_holder *holder, unsigned own_uid)
{
    if (!holder->found) return 0;
    if (!holder->listening) return 1;
    /* A listener of ours may have SO_REUSEPORT and be innocent; one of another user never is. */
    return holder->uid == own_uid ? 2 : 3;
}

bool rp_port_holder_is_better(const struct rp_port_holder *a, const struct rp_port_holder *b,
                              unsigned own_uid)
{
    return rank(a, own_uid) > rank(b, own_uid);
}
