#include "pure/routes.h"

#include "pure/http_adapter.h"
#include "pure/percent.h"
#include "pure/route_pattern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define METHODS_MAX 64

struct rp_route_node {
    char *text; /* of a literal, decoded */
    size_t length;
    struct rp_route_node **literals; /* in the order of compare() */
    size_t literal_count;
    struct rp_route_node *parameter;
    struct rp_route_node *tail;
    struct rp_route *routes; /* that end here */
};

/* How a segment as it was sent stands to a literal, without decoding it into memory. What cannot be decoded
 * is like no literal: its first bad escape counts as more than any byte. */
static int compare(const char *sent, size_t sent_length, const char *text, size_t length)
{
    const char *end = sent + sent_length;
    for (size_t i = 0; i < length; i++) {
        if (sent == end) return -1;
        int byte = rp_percent_next(&sent, end);
        if (byte != (unsigned char)text[i]) return byte < 0 || byte > (unsigned char)text[i] ? 1 : -1;
    }
    return sent == end ? 0 : 1;
}

/* Where among the literals that segment is, or belongs. */
static size_t literal_place(const struct rp_route_node *node, const char *sent, size_t sent_length,
                            bool *ret_there)
{
    size_t first = 0, behind = node->literal_count;
    *ret_there = false;
    while (first < behind && !*ret_there) {
        size_t middle = first + (behind - first) / 2;
        const struct rp_route_node *literal = node->literals[middle];
        int order = compare(sent, sent_length, literal->text, literal->length);
        if (order > 0)
            first = middle + 1;
        else if (order < 0)
            behind = middle;
        else {
            *ret_there = true;
            first = middle;
        }
    }
    return first;
}

/* ---- building ---- */

static struct rp_route_node *new_literal(const struct rp_segment *segment)
{
    struct rp_route_node *node = calloc(1, sizeof *node);
    char *text = node ? malloc(segment->length + 1) : NULL;
    if (!text || rp_percent_decode(segment->text, segment->length, false, text, segment->length + 1) < 0) {
        free(node);
        free(text);
        return NULL;
    }
    node->text = text;
    node->length = strlen(text);
    return node;
}

static struct rp_route_node *literal_child(struct rp_route_node *node, const struct rp_segment *segment)
{
    bool there;
    size_t place = literal_place(node, segment->text, segment->length, &there);
    if (there) return node->literals[place];
    struct rp_route_node **literals =
        realloc(node->literals, (node->literal_count + 1) * sizeof(struct rp_route_node *));
    if (!literals) return NULL;
    node->literals = literals;
    struct rp_route_node *child = new_literal(segment);
    if (!child) return NULL;
    memmove(&literals[place + 1], &literals[place],
            (node->literal_count - place) * sizeof(struct rp_route_node *));
    literals[place] = child;
    node->literal_count++;
    return child;
}

/* The node below that one for a segment; made if it is not there. NULL without memory. */
static struct rp_route_node *child_for(struct rp_route_node *node, const struct rp_segment *segment)
{
    if (segment->kind == RP_SEGMENT_LITERAL) return literal_child(node, segment);
    struct rp_route_node **place = segment->kind == RP_SEGMENT_PARAMETER ? &node->parameter : &node->tail;
    if (!*place) *place = calloc(1, sizeof **place);
    return *place;
}

static struct rp_route_node *node_for(struct rp_routes *routes, const char *path)
{
    struct rp_segment segment;
    if (!routes->root) routes->root = calloc(1, sizeof *routes->root);
    struct rp_route_node *node = routes->root;
    while (node && rp_route_pattern_next(&path, &segment)) node = child_for(node, &segment);
    return node;
}

static int check_taken(const struct rp_route_node *node, uint64_t set, const char *methods, const char *path,
                       struct rp_error *error)
{
    for (const struct rp_route *route = node->routes; route; route = route->next) {
        if (!(route->methods & set)) continue;
        return rp_error_set(error, -EEXIST,
                            "route %s \"%s\": there is one already that takes the same: \"%s\"", methods,
                            path, route->path);
    }
    return 0;
}

static uint64_t with_head(uint64_t methods)
{
    return methods & rp_http_method_parse("GET") ? methods | rp_http_method_parse("HEAD") : methods;
}

static int add_to(struct rp_route_node *node, uint64_t set, const char *path, const struct rp_route *route)
{
    struct rp_route *added = malloc(sizeof *added);
    char *copy = added ? strdup(path) : NULL;
    if (!copy) {
        free(added);
        return -ENOMEM;
    }
    *added = *route;
    added->path = copy;
    added->methods = set;
    added->next = node->routes;
    node->routes = added;
    return 0;
}

int rp_routes_add(struct rp_routes *routes, const char *methods, const char *path,
                  const struct rp_route *route, struct rp_error *error)
{
    uint64_t set = with_head(rp_http_method_parse(methods));
    if (set == 0) return rp_error_set(error, -EINVAL, "route \"%s\": no such method: \"%s\"", path, methods);
    int result = rp_route_pattern_check(path, error);
    if (result < 0) return result;
    if (routes->count == RP_ROUTES_MAX)
        return rp_error_set(error, -ENOSPC, "route \"%s\": more than %d routes", path, RP_ROUTES_MAX);
    struct rp_route_node *node = node_for(routes, path);
    if (node) result = check_taken(node, set, methods, path, error);
    if (result < 0) return result;
    if (!node || add_to(node, set, path, route) < 0)
        return rp_error_set(error, -ENOMEM, "route \"%s\": out of memory", path);
    routes->count++;
    routes->methods |= set;
    return 0;
}

static void free_routes(struct rp_route *route)
{
    while (route) {
        struct rp_route *next = route->next;
        free(route->path);
        free(route);
        route = next;
    }
}

static void free_node(struct rp_route_node *node)
{
    if (!node) return;
    for (size_t i = 0; i < node->literal_count; i++) free_node(node->literals[i]);
    free_node(node->parameter);
    free_node(node->tail);
    free_routes(node->routes);
    free(node->literals);
    free(node->text);
    free(node);
}

void rp_routes_free(struct rp_routes *routes)
{
    free_node(routes->root);
    *routes = (struct rp_routes){0};
}

/* ---- looking up ---- */

struct search {
    uint64_t wanted;
    uint64_t allowed;
    const struct rp_route *found;
};

static void look_among(const struct rp_route *route, struct search *search)
{
    for (; route && !search->found; route = route->next) {
        if (route->methods & search->wanted) search->found = route;
        search->allowed |= route->methods;
    }
}

/* As deep as the longest path of a route, not as that of the request. */
static void look_below(const struct rp_route_node *node, const char *path, const char *end,
                       struct search *search)
{
    const char *text;
    size_t length;
    bool there;
    if (!rp_path_next(&path, end, &text, &length)) {
        look_among(node->routes, search);
        return;
    }
    size_t place = literal_place(node, text, length, &there);
    if (there) look_below(node->literals[place], path, end, search);
    if (!search->found && node->parameter && length > 0) look_below(node->parameter, path, end, search);
    if (node->tail) look_among(node->tail->routes, search);
}

const struct rp_route *rp_routes_find(const struct rp_routes *routes, unsigned method, const char *path,
                                      size_t path_length, uint64_t *ret_allowed)
{
    struct search search = {.wanted = UINT64_C(1) << method};
    if (routes->root && path_length > 0 && path[0] == '/')
        look_below(routes->root, path, path + path_length, &search);
    *ret_allowed = search.allowed;
    return search.found;
}

uint64_t rp_routes_methods(const struct rp_routes *routes)
{
    return routes->methods | rp_http_method_parse("OPTIONS");
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
