/* Reads the text forms of rp/address.h without asking the kernel anything.
 *
 * Owns nothing. The one thing that needs the kernel is the number of an interface given by name
 * ("%eth0"), so the name is handed back; linux/address_parse.c looks it up. */
#ifndef RP_PURE_ADDRESS_TEXT_H
#define RP_PURE_ADDRESS_TEXT_H

#include <net/if.h>
#include <rp/address.h>

/* Reads one address. ret_interface is the name behind '%', or "" when there is none or it is a number, which
 * is then in sin6_scope_id already. -EINVAL with a message that quotes the text and names the remedy; on
 * error both results are untouched. */
int rp_address_text_parse(struct rp_address *ret_address, char ret_interface[IF_NAMESIZE], const char *text,
                          struct rp_error *error);

/* The same for texts written by rp_address_format: an interface must be a number. */
int rp_address_text_parse_numeric(struct rp_address *ret_address, const char *text, struct rp_error *error);

typedef int rp_address_parse_fn(struct rp_address *ret_address, const char *text, struct rp_error *error);

/* Reads addresses separated by single blanks, each with `parse`. An empty text is an empty list. -EINVAL for
 * what is not an address (also an empty one: two blanks in a row), -E2BIG for more than `max`. */
int rp_address_text_parse_list(struct rp_address *addresses, size_t max, size_t *ret_count, const char *text,
                               rp_address_parse_fn *parse, struct rp_error *error);

#endif
