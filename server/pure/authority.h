/* The authority of an http URI and the value of Host: host[:port] (RFC 9110, 4.2 and 7.2; RFC 3986, 3.2.2).
 *
 * Owns nothing. */
#ifndef RP_PURE_AUTHORITY_H
#define RP_PURE_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>

/* No user information, and stricter than the grammar in one point: no comma, which is what two Host fields
 * become that somebody has put together. Empty is fine: so says a client whose target has no authority. */
bool rp_authority_ok(const char *text, size_t length);

#endif
