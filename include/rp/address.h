/* A TCP address to listen on: a value, without descriptors, names or name service.
 *
 * Text forms: "127.0.0.1:8000", "[::1]:8000", "[fe80::1%eth0]:8000"; "[::]:8000" takes IPv6 and IPv4 (dual
 * stack) and "[::]:8000/v6only" takes IPv6 alone. A link-local address needs its interface, by name or
 * number, and no other address takes one. Two addresses that are equal here are one SO_REUSEPORT group in the
 * kernel, if their listeners belong to one user. Owns nothing; all functions may be called from any thread.
 */
#ifndef RP_ADDRESS_H
#define RP_ADDRESS_H

#include <rp/error.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RP_ADDRESS_TEXT_BYTES 80
#define RP_ADDRESS_LIST_MAX   64 /* addresses in one list */

struct rp_address {
    struct sockaddr_storage storage;
    socklen_t length;
    bool v6only; /* counts for the IPv6 wildcard alone; on others bind() sets IPV6_V6ONLY itself */
};

/* Parses one text form; port 0 is allowed. The name of an interface is looked up (if_nametoindex); nothing
 * else asks the kernel. -EINVAL with a message that quotes the text and names the remedy; then *ret_address
 * is untouched. */
int rp_address_parse(struct rp_address *ret_address, const char *text, struct rp_error *error);

/* Writes the text form; always terminated. An interface is written as its number, which rp_address_parse
 * reads back. What is no TCP address gives a text in parentheses. */
void rp_address_format(const struct rp_address *address, char text[RP_ADDRESS_TEXT_BYTES]);

/* Parses a list separated by single blanks, as in RP_LISTEN; an empty text is an empty list. Returns 0 and
 * the count; -E2BIG for more than `max`, -EINVAL as rp_address_parse. On error the array holds rubbish. */
int rp_address_parse_list(struct rp_address *addresses, size_t max, size_t *ret_count, const char *text,
                          struct rp_error *error);

/* Same family, address, interface and port, and for [::] the same v6only. */
bool rp_address_equal(const struct rp_address *a, const struct rp_address *b);
/* 0.0.0.0, [::] and [::ffff:0.0.0.0]. */
bool rp_address_is_wildcard(const struct rp_address *address);
/* In host order. */
uint16_t rp_address_port(const struct rp_address *address);
void rp_address_set_port(struct rp_address *address, uint16_t port);

/* True when connections to `b` would (partly) go to a listener on `a` instead, even one opened later: same
 * port, a != b, and the kernel's listener lookup finds `a` first for a destination that both accept. An exact
 * address comes before a wildcard, and for IPv4 an IPv4 socket before an IPv6 one (0.0.0.0 before dual-stack
 * [::], 127.0.0.1 before [::ffff:127.0.0.1]). A pin on b's group does not hold against `a`. Between
 * dual-stack [::] and
 * [::]/v6only the older listener wins, so neither shadows the other. */
bool rp_address_shadows(const struct rp_address *a, const struct rp_address *b);

/* The address a socket is bound to (getsockname and IPV6_V6ONLY). -EAFNOSUPPORT when it is of no IP family,
 * -ENOTSOCK, -EBADF. */
int rp_address_of_socket(struct rp_address *ret_address, int fd, struct rp_error *error);

#ifdef __cplusplus
}
#endif

#endif
