/* The path of a route: "/", "/a/b", "/users/{id}/posts", "/files/{path...}".
 *
 * Paths are cut at each '/' as they were sent, and only then decoded: an encoded slash ("%2F") is a byte of
 * its segment and never a border. Empty segments count: "/a", "/a/" and "//a" are three paths. "." and ".."
 * are ordinary text. Of three kinds of segments
 *
 *   text      takes the segment that decodes to the same bytes ("/caf%C3%A9" is "/café", "/%61" is "/a")
 *   {name}    takes one segment that is not empty
 *   {name...} stands at the end and takes all that is left, slashes and all; also nothing: "/files/{p...}"
 *             takes "/files/" but not "/files"
 *
 * Owns nothing: what is found points into the pattern or the path. */
#ifndef RP_PURE_ROUTE_PATTERN_H
#define RP_PURE_ROUTE_PATTERN_H

#include <rp/error.h>
#include <stdbool.h>
#include <stddef.h>

enum rp_segment_kind { RP_SEGMENT_LITERAL, RP_SEGMENT_PARAMETER, RP_SEGMENT_TAIL };

struct rp_segment {
    enum rp_segment_kind kind;
    const char *text; /* of a parameter or tail: its name */
    size_t length;
};

/* -EINVAL, with a message that quotes the pattern and says what is wrong. */
int rp_route_pattern_check(const char *pattern, struct rp_error *error);

/* Reads one segment of a pattern that was found good; *pattern moves behind it. False at the end. */
bool rp_route_pattern_next(const char **pattern, struct rp_segment *ret_segment);

/* Reads one segment of a path, up to the next '/'; *path moves behind it. False at the end, and for a path
 * that does not begin with '/'. */
bool rp_path_next(const char **path, const char *end, const char **ret_text, size_t *ret_length);

/* What a parameter has taken of a path that the pattern takes: not decoded, not terminated. NULL: the pattern
 * has no parameter of that name. */
const char *rp_route_pattern_value(const char *pattern, const char *path, size_t path_length,
                                   const char *name, size_t *ret_length);

#endif
