#include "pure/routes.h"

#include "pure/http_adapter.h"

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
    cr_assert_eq(routes.count, 1u);
    rp_routes_free(&routes);
}

Test(routes, limit)
{
    struct rp_routes routes = {0};
    char path[16];
    for (int i = 0; i < RP_ROUTES_MAX; i++) {
        snprintf(path, sizeof path, "/%d", i);
        cr_assert_eq(add(&routes, "GET", path, NULL), 0);
    }
    cr_assert_eq(add(&routes, "GET", "/x", NULL), -ENOSPC);
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
