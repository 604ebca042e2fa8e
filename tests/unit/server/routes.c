#include "pure/routes.h"

#include "pure/http_adapter.h"
#include "pure/route_pattern.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int add(struct rp_routes *routes, const char *methods, const char *path, void *user)
{
    const struct rp_route route = {.user = user};
    struct rp_error error;
    return rp_routes_add(routes, methods, path, &route, &error);
}

static unsigned method(const char *name)
{
    uint64_t set = rp_http_method_parse(name);
    unsigned number = 0;
    while (set >> number > 1) number++;
    return number;
}

static const struct rp_route *find(const struct rp_routes *routes, const char *name, const char *path,
                                   uint64_t *allowed)
{
    *allowed = 0;
    return rp_routes_find(routes, method(name), path, strlen(path), allowed);
}

Test(routes, find)
{
    struct rp_routes routes = {0};
    int get, put, other;
    uint64_t allowed;
    char text[RP_ALLOW_BYTES_MAX];
    cr_assert_eq(add(&routes, "GET", "/a", &get), 0);
    cr_assert_eq(add(&routes, "PUT,POST", "/a", &put), 0);
    cr_assert_eq(add(&routes, "GET", "/ab", &other), 0);
    cr_assert_eq(find(&routes, "GET", "/a", &allowed)->user, &get);
    cr_assert_eq(find(&routes, "HEAD", "/a", &allowed)->user, &get);
    cr_assert_eq(find(&routes, "POST", "/a", &allowed)->user, &put);
    cr_assert_eq(find(&routes, "GET", "/ab", &allowed)->user, &other);
    cr_assert_null(find(&routes, "GET", "/", &allowed));
    cr_assert_eq(allowed, 0u);
    cr_assert_null(find(&routes, "DELETE", "/a", &allowed));
    rp_routes_allow_text(allowed, text);
    cr_assert_str_eq(text, "GET, HEAD, POST, PUT");
    rp_routes_free(&routes);
}

Test(routes, methods_of_all_paths)
{
    struct rp_routes routes = {0};
    char text[RP_ALLOW_BYTES_MAX];
    cr_assert_eq(rp_routes_methods(&routes), rp_http_method_parse("OPTIONS"));
    cr_assert_eq(add(&routes, "GET", "/a", NULL), 0);
    cr_assert_eq(add(&routes, "PUT", "/b", NULL), 0);
    rp_routes_allow_text(rp_routes_methods(&routes), text);
    cr_assert_str_eq(text, "GET, HEAD, PUT, OPTIONS");
    rp_routes_free(&routes);
}

Test(routes, refused)
{
    struct rp_routes routes = {0};
    cr_assert_eq(add(&routes, "GET", "/a", NULL), 0);
    cr_assert_eq(add(&routes, "GET", "/a", NULL), -EEXIST);
    cr_assert_eq(add(&routes, "POST,HEAD", "/a", NULL), -EEXIST);
    cr_assert_eq(add(&routes, "BREW", "/b", NULL), -EINVAL);
    cr_assert_eq(add(&routes, "", "/b", NULL), -EINVAL);
    cr_assert_eq(add(&routes, "GET", "b", NULL), -EINVAL);
    cr_assert_eq(add(&routes, "GET", "", NULL), -EINVAL);
    cr_assert_eq(add(&routes, "GET", "/b?c", NULL), -EINVAL);
    cr_assert_eq(add(&routes, "GET", "/b c", NULL), -EINVAL);
    cr_assert_eq(add(&routes, "GET", "/{b", NULL), -EINVAL);
    cr_assert_eq(routes.count, 1u);
    rp_routes_free(&routes);
}

static void add_all(struct rp_routes *routes, const char *const paths[])
{
    for (; *paths; paths++) cr_assert_eq(add(routes, "GET", *paths, (void *)*paths), 0, "%s", *paths);
}

static void finds(const struct rp_routes *routes, const char *path, const char *expected)
{
    uint64_t allowed;
    const struct rp_route *route = find(routes, "GET", path, &allowed);
    cr_assert_eq(route != NULL, expected != NULL, "%s", path);
    if (route) cr_assert_str_eq(route->path, expected, "%s", path);
    if (!route) cr_assert_eq(allowed, 0u, "%s", path);
}

Test(routes, precedence)
{
    static const char *const paths[] = {
        "/users/me",      "/users/{id}", "/users/{id}/posts", "/users/me/x", "/{any...}", "/files/{path...}",
        "/files/special", "/",           "/{a}/b/{c}/",       NULL};
    struct rp_routes routes = {0};
    add_all(&routes, paths);
    finds(&routes, "/users/me", "/users/me");
    finds(&routes, "/users/you", "/users/{id}");
    finds(&routes, "/users/", "/{any...}");
    finds(&routes, "/users/me/posts", "/users/{id}/posts"); /* back from "/users/me" */
    finds(&routes, "/users/me/y", "/{any...}");
    finds(&routes, "/files/special", "/files/special");
    finds(&routes, "/files/special/", "/files/{path...}");
    finds(&routes, "/files/", "/files/{path...}");
    finds(&routes, "/files", "/{any...}");
    finds(&routes, "/", "/");
    finds(&routes, "//", "/{any...}");
    finds(&routes, "/users/b/c/", "/{a}/b/{c}/");
    finds(&routes, "*", NULL);
    finds(&routes, "", NULL);
    rp_routes_free(&routes);
}

Test(routes, escapes)
{
    static const char *const paths[] = {"/a/b", "/{x}/c", "/caf%c3%A9", "/a%2fb", "/a%2Bb", NULL};
    struct rp_routes routes = {0};
    add_all(&routes, paths);
    finds(&routes, "/%61/%62", "/a/b");
    finds(&routes, "/a%2Fb", "/a%2fb"); /* not "/a/b" */
    finds(&routes, "/caf\xc3\xa9", "/caf%c3%A9");
    finds(&routes, "/caf%C3\xa9", "/caf%c3%A9");
    finds(&routes, "/a+b", "/a%2Bb");
    finds(&routes, "/a%20b", NULL);
    finds(&routes, "/%zz/c", "/{x}/c"); /* the handler is told when it decodes */
    finds(&routes, "/%6", NULL);
    finds(&routes, "/a/b%", NULL);
    finds(&routes, "/a%00/b", NULL);
    cr_assert_eq(add(&routes, "GET", "/%61/b", NULL), -EEXIST);
    rp_routes_free(&routes);
}

Test(routes, conflicts)
{
    struct rp_routes routes = {0};
    struct rp_error error;
    const struct rp_route route = {0};
    cr_assert_eq(add(&routes, "GET", "/users/{id}", NULL), 0);
    cr_assert_eq(rp_routes_add(&routes, "PUT,GET", "/users/{name}", &route, &error), -EEXIST);
    cr_assert_not_null(strstr(error.message, "PUT,GET \"/users/{name}\""), "%s", error.message);
    cr_assert_not_null(strstr(error.message, "\"/users/{id}\""), "%s", error.message);
    cr_assert_eq(add(&routes, "PUT", "/users/{name}", NULL), 0);
    cr_assert_eq(add(&routes, "PUT", "/users/{name...}", NULL), 0);
    cr_assert_eq(add(&routes, "PUT,POST", "/users/{rest...}", NULL), -EEXIST);
    cr_assert_eq(routes.count, 3u);
    rp_routes_free(&routes);
}

static void allows(const struct rp_routes *routes, const char *name, const char *path, const char *expected)
{
    char text[RP_ALLOW_BYTES_MAX];
    uint64_t allowed;
    cr_assert_null(find(routes, name, path, &allowed), "%s", path);
    rp_routes_allow_text(allowed, text);
    cr_assert_str_eq(text, expected, "%s", path);
}

Test(routes, methods_of_all_that_take_the_path)
{
    struct rp_routes routes = {0};
    uint64_t allowed;
    int me, id, rest;
    cr_assert_eq(add(&routes, "GET", "/users/me", &me), 0);
    cr_assert_eq(add(&routes, "PUT", "/users/{id}", &id), 0);
    cr_assert_eq(add(&routes, "POST", "/{all...}", &rest), 0);
    cr_assert_eq(find(&routes, "GET", "/users/me", &allowed)->user, &me);
    cr_assert_eq(find(&routes, "PUT", "/users/me", &allowed)->user, &id);
    cr_assert_eq(find(&routes, "POST", "/users/me", &allowed)->user, &rest);
    allows(&routes, "DELETE", "/users/me", "GET, HEAD, POST, PUT");
    allows(&routes, "GET", "/users/you", "POST, PUT");
    allows(&routes, "GET", "/users", "POST");
    rp_routes_free(&routes);
}

/* ---- every shape against a plain model ---- */

#define SEGMENTS_MAX 3

static const char *const pattern_segments[] = {"a", "b", "", "{x}", "{p...}"};
static const char *const path_segments[] = {"a", "%62", "", "c"};

/* The n-th text of 1…SEGMENTS_MAX segments; false behind the last. */
static bool nth_text(size_t n, const char *const segments[], size_t count, char *text)
{
    size_t of_this_length = count, length = 1;
    while (n >= of_this_length) {
        n -= of_this_length;
        of_this_length *= count;
        if (++length > SEGMENTS_MAX) return false;
    }
    text[0] = '\0';
    for (; length > 0; length--) {
        const char *segment = segments[n % count];
        if (strcmp(segment, "{x}") == 0)
            sprintf(text + strlen(text), "/{x%zu}", length);
        else
            strcat(strcat(text, "/"), segment);
        n /= count;
    }
    return true;
}

/* 'l', 'p' or 't' for each segment, if the pattern takes the path. Of two that do, the lesser text goes
 * first: "literal", "parameter", "tail" are in that order. */
static bool model_takes(const char *pattern, const char *path, char *kinds)
{
    for (; *pattern == '/'; kinds++) {
        if (*path != '/') return false;
        size_t pattern_length = strcspn(++pattern, "/"), length = strcspn(++path, "/");
        bool parameter = strncmp(pattern, "{x", 2) == 0, tail = strncmp(pattern, "{p", 2) == 0;
        strcpy(kinds, tail ? "t" : parameter ? "p" : "l");
        if (tail) return true;
        const char *same = strncmp(path, "%62", 3) == 0 ? "b" : path;
        size_t same_length = same == path ? length : 1;
        if (parameter && length == 0) return false;
        if (!parameter && (same_length != pattern_length || memcmp(same, pattern, same_length) != 0))
            return false;
        pattern += pattern_length;
        path += length;
    }
    return *path == '\0';
}

struct shape {
    const char *methods;
    char pattern[32];
};

static void check_path(const struct rp_routes *routes, const struct shape *shapes, size_t count,
                       const char *name, const char *path)
{
    char best[SEGMENTS_MAX + 1] = "~", kinds[SEGMENTS_MAX + 1];
    const struct shape *expected = NULL;
    uint64_t allowed = 0, found_allowed;
    for (size_t i = 0; i < count; i++) {
        if (!model_takes(shapes[i].pattern, path, kinds)) continue;
        allowed |= rp_http_method_parse(shapes[i].methods);
        if (strcmp(shapes[i].methods, name) != 0 || strcmp(kinds, best) >= 0) continue;
        expected = &shapes[i];
        strcpy(best, kinds);
    }
    const struct rp_route *route = find(routes, name, path, &found_allowed);
    if (route ? route->user != expected : expected || found_allowed != allowed)
        cr_assert_fail("%s %s: %s, not %s", name, path, route ? route->path : "nothing",
                       expected ? expected->pattern : "nothing");
}

static void check_shapes(const struct shape *shapes, size_t count)
{
    struct rp_routes routes = {0};
    char path[32];
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(add(&routes, shapes[i].methods, shapes[i].pattern, (void *)&shapes[i]), 0);
    for (size_t n = 0; nth_text(n, path_segments, 4, path); n++) {
        check_path(&routes, shapes, count, "PUT", path);
        check_path(&routes, shapes, count, "POST", path);
    }
    rp_routes_free(&routes);
}

static struct shape all_shapes[200];

static size_t make_shapes(void)
{
    size_t count = 0;
    for (size_t n = 0; nth_text(n, pattern_segments, 5, all_shapes[count].pattern); n++) {
        all_shapes[count].methods = n % 2 ? "PUT" : "POST";
        if (rp_route_pattern_check(all_shapes[count].pattern, NULL) == 0) count++;
    }
    return count;
}

Test(routes, every_two_shapes)
{
    size_t count = make_shapes();
    cr_assert_eq(count, 5u + 20 + 80);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = i + 1; k < count; k++) {
            struct shape two[2] = {all_shapes[i], all_shapes[k]};
            check_shapes(two, 2);
            two[0].methods = two[1].methods = "PUT";
            check_shapes(two, 2);
        }
    }
}

Test(routes, all_shapes_but_one)
{
    size_t count = make_shapes();
    check_shapes(all_shapes, count);
    for (size_t i = 0; i < count; i++) {
        struct shape rest[200];
        memcpy(rest, all_shapes, sizeof rest);
        memmove(&rest[i], &rest[i + 1], (count - i - 1) * sizeof rest[0]);
        check_shapes(rest, count - 1);
    }
}

/* ---- limits ---- */

Test(routes, limit)
{
    struct rp_routes routes = {0};
    uint64_t allowed;
    char path[16];
    for (int i = 0; i < RP_ROUTES_MAX; i++) {
        snprintf(path, sizeof path, "/%d", i);
        cr_assert_eq(add(&routes, "GET", path, NULL), 0);
    }
    cr_assert_eq(add(&routes, "GET", "/x", NULL), -ENOSPC);
    for (int i = 0; i < RP_ROUTES_MAX; i++) {
        snprintf(path, sizeof path, "/%d", i);
        cr_assert_str_eq(find(&routes, "GET", path, &allowed)->path, path);
    }
    cr_assert_null(find(&routes, "GET", "/1024", &allowed));
    rp_routes_free(&routes);
}

Test(routes, all_methods_fit)
{
    char text[RP_ALLOW_BYTES_MAX];
    uint64_t all = (UINT64_C(1) << (method("SOURCE") + 1)) - 1;
    rp_routes_allow_text(all, text);
    cr_assert_not_null(strstr(text, "DELETE, GET"));
    cr_assert_not_null(strstr(text, ", SOURCE"));
    rp_routes_allow_text(0, text);
    cr_assert_str_empty(text);
}
