/* Percent-encoding (RFC 3986, 2.1) in paths and queries.
 *
 * Owns nothing. Decodes once, byte by byte, with no opinion about character sets. */
#ifndef RP_PURE_PERCENT_H
#define RP_PURE_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

/* The decoded byte at *text, which is before `end` and moves on. -EINVAL for an escape that is not two hex
 * digits, and for %00: a zero byte would end the value too early for everybody who reads it as a string. */
int rp_percent_next(const char **text, const char *end);

/* Decodes all of it into `value`, terminated; `plus`: '+' is a blank, as in a query. -ENOBUFS when longer
 * than size - 1, -EINVAL as above. On an error `value` is undefined. */
int rp_percent_decode(const char *text, size_t length, bool plus, char *value, size_t size);

#endif
