/* Which handler answers a method and a path: a tree of segments (pure/route_pattern.h).
 *
 * At every segment, from the left, literal text goes before a parameter, and a parameter before a tail: of
 * "/users/me", "/users/{id}" and "/{all...}" the path "/users/me" finds the first. Only a route that has the
 * method counts: where the first has GET alone, a PUT finds the second. Two routes of one shape and method
 * are a mistake, for one of them would never be called.
 *
 * A look-up allocates nothing and visits each node of the tree at most once, for a node is reached by one
 * path only.
 *
 * Owns the tree and copies of the paths. Filled before the workers start and not changed afterwards, so that
 * they may all read it. */
#ifndef RP_PURE_ROUTES_H
#define RP_PURE_ROUTES_H

#include <rp/error.h>
#include <rp/server.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RP_ROUTES_MAX      1024
#define RP_ALLOW_BYTES_MAX 512

struct rp_route {
    struct rp_route *next; /* of the same shape, with other methods */
    char *path;            /* as the program gave it */
    uint64_t methods;      /* rp_http_method_parse; HEAD with GET */
    bool streaming;
    uint64_t body_bytes_max;
    rp_handler *handler;
    void *user;
};

struct rp_route_node;

/* A struct of zeros is empty. */
struct rp_routes {
    struct rp_route_node *root;
    size_t count;
    uint64_t methods; /* of all of them */
};

/* `route` without next, path and methods; copied. The errors are those of rp_server_route, -ENOMEM, and
 * -ENOSPC: RP_ROUTES_MAX. */
int rp_routes_add(struct rp_routes *routes, const char *methods, const char *path,
                  const struct rp_route *route, struct rp_error *error);
void rp_routes_free(struct rp_routes *routes);

/* The route, or NULL; then *ret_allowed is the set of methods that the path has, in all routes that take it:
 * 0 if none does. `method` is a number as in struct rp_http_head. */
const struct rp_route *rp_routes_find(const struct rp_routes *routes, unsigned method, const char *path,
                                      size_t path_length, uint64_t *ret_allowed);

/* Of all paths, and OPTIONS, which the server answers itself for "*". */
uint64_t rp_routes_methods(const struct rp_routes *routes);

/* "GET, HEAD" */
void rp_routes_allow_text(uint64_t methods, char text[RP_ALLOW_BYTES_MAX]);

#endif
