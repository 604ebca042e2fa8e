/* Quotes a piece of input for a one-line error message. Pure. */
#ifndef RPCTL_QUOTE_H
#define RPCTL_QUOTE_H

#include <stddef.h>

#define RPCTL_QUOTE_BYTES 64

struct rpctl_quote {
    char text[RPCTL_QUOTE_BYTES];
};

/* 'input' in single quotes, always terminated and valid UTF-8; control characters and invalid bytes become
 * '?', and what is too long ends with "...". By value, so that it can stand among the arguments of
 * rp_error_set. */
struct rpctl_quote rpctl_quote(const char *input);

/* The same for a path in a message: no quotes, more room, cut at the front, where it tells least. */
struct rpctl_quote_path {
    char text[112];
};
struct rpctl_quote_path rpctl_quote_path(const char *path);

#endif
