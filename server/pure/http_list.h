/* Lists in header values: "a, b" (RFC 9110, 5.6.1).
 *
 * Owns nothing; elements point into the value. */
#ifndef RP_PURE_HTTP_LIST_H
#define RP_PURE_HTTP_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct rp_http_list {
    const char *at; /* what is left of the value; NULL behind the last element */
    size_t left;
};

/* The next element without blanks around it, which may be empty. A comma in a quoted string ends one too: no
 * list that is looked at here has elements with such strings. */
bool rp_http_list_next(struct rp_http_list *list, const char **ret_element, size_t *ret_length);

#endif
