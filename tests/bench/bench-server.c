/* bench-server PORT [WORKERS]: librp with handlers that do as little as those of its peers.
 *
 *   GET /small    fixed bytes
 *   POST /upload  the same, when the whole body has come and been thrown away
 *   GET /workers  how many of GET /small each worker has answered, those that have answered any
 *
 * Sees the public headers alone. */
#include <arpa/inet.h>
#include <rp/server.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT "text/plain; charset=utf-8"

static const char body[] = "ok\n";

/* A line of its own for each thread's count: nothing is shared while it counts. */
struct tally {
    _Alignas(64) atomic_ulong answers;
};

static struct tally tallies[RP_WORKERS_MAX];
static atomic_uint tally_count;
static _Thread_local struct tally *tally;

static void answer_small(struct rp_request *request, void *user)
{
    (void)user;
    if (!tally) tally = &tallies[atomic_fetch_add(&tally_count, 1)];
    atomic_fetch_add_explicit(&tally->answers, 1, memory_order_relaxed);
    rp_response_send(request, 200, TEXT, body, sizeof body - 1);
}

static void answer_workers(struct rp_request *request, void *user)
{
    char text[RP_WORKERS_MAX * 24] = "";
    size_t used = 0;
    (void)user;
    for (unsigned i = 0; i < atomic_load(&tally_count); i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%lu\n", atomic_load(&tallies[i].answers));
    rp_response_send(request, 200, TEXT, text, used);
}

static void upload_body(struct rp_request *request, const void *bytes, size_t length, void *state)
{
    (void)request;
    (void)bytes;
    (void)length;
    (void)state;
}

static void upload_end(struct rp_request *request, void *state)
{
    (void)state;
    rp_response_send(request, 200, TEXT, body, sizeof body - 1);
}

static void handle_upload(struct rp_request *request, void *user)
{
    static const struct rp_request_events events = {.body = upload_body, .body_end = upload_end};
    (void)user;
    rp_request_watch(request, &events, NULL);
}

static int set_up(struct rp_server *server, struct rp_error *error)
{
    int result = rp_server_header(server, "Server", "librp", error);
    if (result == 0) result = rp_server_route(server, "GET", "/small", answer_small, NULL, error);
    if (result == 0) result = rp_server_route(server, "GET", "/workers", answer_workers, NULL, error);
    if (result == 0)
        result = rp_server_route_streaming(server, "POST", "/upload", RP_BODY_BYTES_UNLIMITED, handle_upload,
                                           NULL, error);
    return result;
}

static int serve(const char *port, const char *workers, struct rp_error *error)
{
    char text[RP_ADDRESS_TEXT_BYTES];
    struct rp_address address;
    struct rp_server_config config;
    struct rp_server *server;
    snprintf(text, sizeof text, "127.0.0.1:%s", port);
    int result = rp_address_parse(&address, text, error);
    if (result < 0) return result;
    rp_server_config_init(&config);
    config.addresses = &address;
    config.address_count = 1;
    config.workers = (unsigned)strtoul(workers, NULL, 10);
    config.limits.idle_timeout_ms = RP_MS_MAX;
    result = rp_server_new(&server, &config, error);
    if (result < 0) return result;
    result = set_up(server, error);
    if (result == 0) result = rp_server_run(server, error);
    rp_server_free(server);
    return result;
}

int main(int argc, char **argv)
{
    struct rp_error error;
    if (argc < 2) {
        fprintf(stderr, "usage: bench-server PORT [WORKERS]\n");
        return 2;
    }
    if (serve(argv[1], argc > 2 ? argv[2] : "1", &error) == 0) return EXIT_SUCCESS;
    fprintf(stderr, "bench-server: %s\n", error.message);
    return EXIT_FAILURE;
}
