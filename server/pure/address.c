/* Comparing and writing addresses. What the kernel does with them is in net/ipv4/inet_hashtables.c and
 * net/ipv6/inet6_hashtables.c: a SYN is looked up first among the listeners of its exact destination, then
 * among the wildcards, and for an IPv4 SYN an AF_INET listener is found before an AF_INET6 one. */
#include <rp/address.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* Which destinations of one IP version a listener accepts. */
enum reach { REACH_NONE, REACH_ANY, REACH_ONE };

static const struct sockaddr_in *as_v4(const struct rp_address *address)
{
    return (const struct sockaddr_in *)(const void *)&address->storage;
}

static const struct sockaddr_in6 *as_v6(const struct rp_address *address)
{
    return (const struct sockaddr_in6 *)(const void *)&address->storage;
}

static bool is_v4(const struct rp_address *address)
{
    return address->storage.ss_family == AF_INET;
}

static bool is_v6(const struct rp_address *address)
{
    return address->storage.ss_family == AF_INET6;
}

static bool is_mapped(const struct rp_address *address)
{
    return is_v6(address) && IN6_IS_ADDR_V4MAPPED(&as_v6(address)->sin6_addr);
}

static bool is_v6_any(const struct rp_address *address)
{
    return is_v6(address) && IN6_IS_ADDR_UNSPECIFIED(&as_v6(address)->sin6_addr);
}

/* The IPv4 destination of an IPv4 or a mapped address, in network order. */
static uint32_t v4_destination(const struct rp_address *address)
{
    if (is_v4(address)) return as_v4(address)->sin_addr.s_addr;
    uint32_t destination;
    memcpy(&destination, &as_v6(address)->sin6_addr.s6_addr[12], sizeof destination);
    return destination;
}

static enum reach v4_reach(const struct rp_address *address)
{
    if (is_v6_any(address)) return address->v6only ? REACH_NONE : REACH_ANY;
    if (!is_v4(address) && !is_mapped(address)) return REACH_NONE;
    return v4_destination(address) == htonl(INADDR_ANY) ? REACH_ANY : REACH_ONE;
}

static enum reach v6_reach(const struct rp_address *address)
{
    if (!is_v6(address) || is_mapped(address)) return REACH_NONE;
    return is_v6_any(address) ? REACH_ANY : REACH_ONE;
}

bool rp_address_is_wildcard(const struct rp_address *address)
{
    return v4_reach(address) == REACH_ANY || v6_reach(address) == REACH_ANY;
}

uint16_t rp_address_port(const struct rp_address *address)
{
    if (is_v4(address)) return ntohs(as_v4(address)->sin_port);
    return is_v6(address) ? ntohs(as_v6(address)->sin6_port) : 0;
}

void rp_address_set_port(struct rp_address *address, uint16_t port)
{
    if (is_v4(address)) ((struct sockaddr_in *)(void *)&address->storage)->sin_port = htons(port);
    if (is_v6(address)) ((struct sockaddr_in6 *)(void *)&address->storage)->sin6_port = htons(port);
}

static bool same_v6_host(const struct rp_address *a, const struct rp_address *b)
{
    const struct sockaddr_in6 *x = as_v6(a), *y = as_v6(b);
    return memcmp(&x->sin6_addr, &y->sin6_addr, sizeof x->sin6_addr) == 0 &&
           x->sin6_scope_id == y->sin6_scope_id;
}

bool rp_address_equal(const struct rp_address *a, const struct rp_address *b)
{
    if (a->storage.ss_family != b->storage.ss_family) return false;
    if (rp_address_port(a) != rp_address_port(b)) return false;
    if (is_v4(a)) return v4_destination(a) == v4_destination(b);
    if (!is_v6(a) || !same_v6_host(a, b)) return false;
    return !is_v6_any(a) || a->v6only == b->v6only;
}

static bool shadows_in_v4(const struct rp_address *a, const struct rp_address *b)
{
    enum reach of_a = v4_reach(a), of_b = v4_reach(b);
    if (of_a == REACH_NONE || of_b == REACH_NONE) return false;
    if (of_a != of_b) return of_a == REACH_ONE;
    if (of_a == REACH_ONE && v4_destination(a) != v4_destination(b)) return false;
    return is_v4(a) && is_v6(b);
}

bool rp_address_shadows(const struct rp_address *a, const struct rp_address *b)
{
    if (rp_address_port(a) != rp_address_port(b) || rp_address_equal(a, b)) return false;
    return shadows_in_v4(a, b) || (v6_reach(a) == REACH_ONE && v6_reach(b) == REACH_ANY);
}

static void format_v6(const struct rp_address *address, char text[RP_ADDRESS_TEXT_BYTES])
{
    const struct sockaddr_in6 *v6 = as_v6(address);
    char host[INET6_ADDRSTRLEN];
    char scope[16] = "";
    inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
    if (v6->sin6_scope_id != 0) snprintf(scope, sizeof scope, "%%%u", (unsigned)v6->sin6_scope_id);
    snprintf(text, RP_ADDRESS_TEXT_BYTES, "[%s%s]:%u%s", host, scope, (unsigned)ntohs(v6->sin6_port),
             is_v6_any(address) && address->v6only ? "/v6only" : "");
}

void rp_address_format(const struct rp_address *address, char text[RP_ADDRESS_TEXT_BYTES])
{
    if (is_v6(address)) {
        format_v6(address, text);
        return;
    }
    if (!is_v4(address)) {
        snprintf(text, RP_ADDRESS_TEXT_BYTES, "(address family %d)", (int)address->storage.ss_family);
        return;
    }
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &as_v4(address)->sin_addr, host, sizeof host);
    snprintf(text, RP_ADDRESS_TEXT_BYTES, "%s:%u", host, (unsigned)ntohs(as_v4(address)->sin_port));
}
