#include "pure/routes.h"

#include "pure/http_adapter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define METHODS_MAX 64

static uint64_t with_head(uint64_t methods)
{
    return methods & rp_http_method_parse("GET") ? methods | rp_http_method_parse("HEAD") : methods;
}

static uint64_t methods_of(const struct rp_routes *routes, const char *path, size_t path_length)
{
    uint64_t methods = 0;
    for (size_t i = 0; i < routes->count; i++) {
        const struct rp_route *route = &routes->items[i];
        if (route->path_length == path_length && memcmp(route->path, path, path_length) == 0)
            methods |= route->methods;
    }
    return methods;
}

static int check(const struct rp_routes *routes, uint64_t set, const char *methods, const char *path,
                 struct rp_error *error)
{
    if (set == 0) return rp_error_set(error, -EINVAL, "route \"%s\": no such method: \"%s\"", path, methods);
    if (path[0] != '/' || strpbrk(path, "?# \t\r\n"))
        return rp_error_set(error, -EINVAL,
                            "route \"%s\": a path begins with '/' and has no '?', '#' or blank", path);
    if (methods_of(routes, path, strlen(path)) & set)
        return rp_error_set(error, -EEXIST, "route %s \"%s\": there is one already", methods, path);
    if (routes->count == RP_ROUTES_MAX)
        return rp_error_set(error, -ENOSPC, "route \"%s\": more than %d routes", path, RP_ROUTES_MAX);
    return 0;
}

int rp_routes_add(struct rp_routes *routes, const char *methods, const char *path,
                  const struct rp_route *route, struct rp_error *error)
{
    uint64_t set = with_head(rp_http_method_parse(methods));
    int result = check(routes, set, methods, path, error);
    if (result < 0) return result;
    struct rp_route *items = realloc(routes->items, (routes->count + 1) * sizeof(*items));
    if (items) routes->items = items;
    char *copy = items ? strdup(path) : NULL;
    if (!copy) return rp_error_set(error, -ENOMEM, "route \"%s\": out of memory", path);
    struct rp_route *added = &items[routes->count++];
    *added = *route;
    added->path = copy;
    added->path_length = strlen(copy);
    added->methods = set;
    return 0;
}

void rp_routes_free(struct rp_routes *routes)
{
    for (size_t i = 0; i < routes->count; i++) free(routes->items[i].path);
    free(routes->items);
    *routes = (struct rp_routes){0};
}

const struct rp_route *rp_routes_find(const struct rp_routes *routes, unsigned method, const char *path,
                                      size_t path_length, uint64_t *ret_allowed)
{
    uint64_t wanted = UINT64_C(1) << method;
    uint64_t allowed = 0;
    for (size_t i = 0; i < routes->count; i++) {
        const struct rp_route *route = &routes->items[i];
        if (route->path_length != path_length || memcmp(route->path, path, path_length) != 0) continue;
        if (route->methods & wanted) return route;
        allowed |= route->methods;
    }
    *ret_allowed = allowed;
    return NULL;
}

void rp_routes_allow_text(uint64_t methods, char text[RP_ALLOW_BYTES_MAX])
{
    size_t used = 0;
    text[0] = '\0';
    for (unsigned method = 0; method < METHODS_MAX; method++) {
        if (!(methods >> method & 1)) continue;
        const char *name = rp_http_method_text(method);
        size_t length = strlen(name);
        if (used + length + 3 > RP_ALLOW_BYTES_MAX) return;
        if (used > 0) {
            memcpy(text + used, ", ", 2);
            used += 2;
        }
        memcpy(text + used, name, length + 1);
        used += length;
    }
}
