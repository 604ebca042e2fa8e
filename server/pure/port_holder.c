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

/* As the file would show it: without IPV6_V6ONLY and link-local interfaces. */
static struct rp_address as_shown(const struct rp_address *address)
{
    struct rp_address shown = *address;
    if (shown.storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)&shown.storage)->sin6_scope_id = 0;
    shown.v6only = false;
    return shown;
}

/* In the way: the same address, or one of the two covers the other. What the file does not show is taken for
 * a hit, for this only words a message. */
static bool stands_in_way(const struct rp_address *holder, const struct rp_address *address)
{
    struct rp_address wanted = as_shown(address);
    return rp_address_equal(holder, &wanted) || rp_address_shadows(holder, &wanted) ||
           rp_address_shadows(&wanted, holder);
}

bool rp_port_holder_parse_line(struct rp_port_holder *ret_holder, const char *line, int family,
                               const struct rp_address *address)
{
    struct rp_port_holder holder = {.found = true};
    char host[33];
    unsigned port, state;
    if (sscanf(line, " %*u: %32[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%*x %2x %*x:%*x %*x:%*x %*x %u %*u %lu", host,
               &port, &state, &holder.uid, &holder.inode) != 5)
        return false;
    if (!read_host(&holder.address, host, family)) return false;
    rp_address_set_port(&holder.address, (uint16_t)port);
    if (!stands_in_way(&holder.address, address)) return false;
    holder.listening = state == STATE_LISTEN;
    *ret_holder = holder;
    return true;
}

bool rp_port_holder_is_connection_line(const char *line)
{
    unsigned state;
    return sscanf(line, " %*u: %*[0-9A-Fa-f]:%*x %*[0-9A-Fa-f]:%*x %2x", &state) == 1 &&
           state != STATE_LISTEN;
}

static bool has_scope(const struct rp_address *address)
{
    return address->storage.ss_family == AF_INET6 &&
           ((const struct sockaddr_in6 *)(const void *)&address->storage)->sin6_scope_id != 0;
}

bool rp_port_holder_would_lose(const struct rp_port_holder *holder, const struct rp_address *address)
{
    struct rp_address wanted = as_shown(address);
    bool same_family = holder->address.storage.ss_family == wanted.storage.ss_family;
    if (!holder->listening || !same_family || has_scope(address)) return false;
    return rp_address_equal(&wanted, &holder->address) || rp_address_shadows(&wanted, &holder->address);
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
