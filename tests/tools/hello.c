#include <ctype.h>
#include <rp/server.h>
#include <stdio.h>
#include <stdlib.h>

static void shout(void *name) /* on a thread of the pool, where it may block or take its time */
{
    for (char *c = (char *)name; *c; c++) *c = (char)toupper((unsigned char)*c);
}

static void answer(struct rp_request *request, int status, void *name) /* back on the thread of the request */
{
    rp_response_text(request, status ? 503 : 200, "Hello, %s!\n", status ? "try again" : (char *)name);
    free(name);
}

static void greet(struct rp_request *request, void *user)
{
    char *name = (char *)calloc(1, 32);
    (void)user;
    if (!name || rp_request_parameter_value(request, "name", name, 32) < 0 ||
        rp_request_work(request, shout, answer, name) < 0)
        answer(request, -1, name);
}

int main(int argc, char *argv[])
{
    struct rp_server_config config;
    struct rp_server *server = NULL;
    struct rp_error error;
    rp_server_config_init(&config);
    config.listen = argc > 1 ? argv[1] : "127.0.0.1:8000";
    int failed = rp_server_new(&server, &config, &error) < 0 ||
                 rp_server_route(server, "GET", "/hello/{name}", greet, NULL, &error) < 0 ||
                 rp_server_run(server, &error) < 0;
    if (failed) fprintf(stderr, "hello: %s\n", error.message);
    rp_server_free(server);
    return failed;
}
