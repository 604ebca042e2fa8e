/* Request targets: path and query of "/path?query", "http://host/path?query" and "*", and the parameters of a
 * query.
 *
 * Owns nothing: results point into the target. */
#ifndef RP_PURE_TARGET_H
#define RP_PURE_TARGET_H

#include <stdbool.h>
#include <stddef.h>

struct rp_target {
    const char *path; /* not decoded; "/" for "http://host" */
    size_t path_length;
    const char *query; /* behind '?', not decoded; length 0 if none */
    size_t query_length;
    bool absolute;         /* "http://…" or "https://…" */
    bool secure;           /* "https://…" */
    const char *authority; /* of an absolute one, not checked */
    size_t authority_length;
};

/* False when it is none of the three forms. */
bool rp_target_split(struct rp_target *ret_target, const char *text, size_t length);

/* The value of the first parameter of that name as it stands in the query, not decoded and not terminated; or
 * NULL. "a" and "a=" have a value of length 0. */
const char *rp_query_find(const char *query, const char *name, size_t *ret_length);

/* The decoded value ('+' and %XX) of the first parameter of that name, terminated. -ENOENT, -ENOBUFS when
 * longer than size - 1, -EINVAL for a bad escape or a zero byte. On an error `value` is undefined. */
int rp_query_value(const char *query, const char *name, char *value, size_t size);

#endif
