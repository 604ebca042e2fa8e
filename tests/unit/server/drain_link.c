/* A drain under rpctl of which the supervisor is gone: the lifecycle's duplicates must not keep the queue of
 * a worker that has closed its listeners alive, while another worker is still busy. */
#include "server/leaks.h"
#include "server/supervisor.h"

#include <fcntl.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <rp/server.h>
#include <stdatomic.h>
#include <time.h>

#define CLIENTS 20

static struct {
    int release[2]; /* a pipe: the handler returns when it is closed */
    atomic_bool busy;
    atomic_uint port;
    atomic_bool ready;
} here;

static void stay_busy(struct rp_request *request, void *user)
{
    char c;
    (void)user;
    here.busy = true;
    cr_assert_eq(read(here.release[0], &c, 1), 0);
    rp_response_text(request, 200, "done\n");
}

static void answer(struct rp_request *request, void *user)
{
    (void)user;
    rp_response_text(request, 200, "here\n");
}

static void log_line(const char *line, void *user)
{
    unsigned port;
    (void)user;
    if (sscanf(line, "event=listening address=127.0.0.1:%u", &port) == 1) here.port = port;
    if (strncmp(line, "event=ready", 11) == 0) here.ready = true;
}

static void *run(void *server)
{
    struct rp_error error;
    return rp_server_run(server, &error) == 0 ? server : NULL;
}

/* For what nobody announces. */
static void await(bool (*there)(void), const char *what)
{
    const time_t end = time(NULL) + PATIENCE_MS / 1000;
    while (!there()) {
        cr_assert_lt(time(NULL), end, "not in time: %s", what);
        poll(NULL, 0, 1);
    }
}

static bool is_ready(void)
{
    return here.ready;
}

static bool is_busy(void)
{
    return here.busy;
}

/* The listeners on the port, whoever has a descriptor of them. */
static bool one_listener_is_left(void)
{
    FILE *table = fopen("/proc/net/tcp", "re");
    char line[512];
    unsigned port, state, count = 0;
    cr_assert_not_null(table);
    while (fgets(line, sizeof line, table) != NULL) {
        if (sscanf(line, " %*u: %*x:%x %*x:%*x %x", &port, &state) == 2 && port == here.port && state == 0x0a)
            count++;
    }
    fclose(table);
    return count == 1;
}

static int ask(const char *path)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)here.port)};
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    char text[128];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int length = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0, "%s", strerror(errno));
    cr_assert_eq(send(fd, text, (size_t)length, MSG_NOSIGNAL), length);
    return fd;
}

static void expect_answer(int fd, const char *what)
{
    char text[1024];
    ssize_t bytes = recv(fd, text, sizeof text - 1, 0);
    cr_assert_gt(bytes, 0, "%s: no answer: %s", what, bytes < 0 ? strerror(errno) : "end");
    cr_assert_eq(strncmp(text, "HTTP/1.1 200", 12), 0);
    close(fd);
}

static struct rp_server *make_server(void)
{
    struct rp_server_config config;
    struct rp_server *server;
    struct rp_address address;
    struct rp_error error = {0};
    cr_assert_eq(rp_address_parse(&address, "127.0.0.1:0", NULL), 0);
    rp_server_config_init(&config);
    config.addresses = &address;
    config.address_count = 1;
    config.workers = 2;
    config.idle_grace_ms = 0;
    config.log = log_line;
    cr_assert_eq(rp_server_new(&server, &config, &error), 0, "%s", error.message);
    cr_assert_eq(rp_server_route(server, "GET", "/busy", stay_busy, NULL, NULL), 0);
    cr_assert_eq(rp_server_route(server, "GET", "/", answer, NULL, NULL), 0);
    return server;
}

Test(drain_link, a_closed_listener_is_gone_while_another_worker_is_busy, .init = supervisor_prepare,
     .fini = supervisor_forget)
{
    pthread_t thread;
    void *result;
    int clients[CLIENTS];
    unsetenv("NOTIFY_SOCKET");
    cr_assert_eq(pipe2(here.release, O_CLOEXEC), 0);
    struct rp_server *server = make_server();
    cr_assert_eq(pthread_create(&thread, NULL, run, server), 0);
    await(is_ready, "ready");
    int busy = ask("/busy");
    await(is_busy, "a worker is busy");
    rp_server_stop(server);
    await(one_listener_is_left, "the other worker's listener leaves the port");
    for (int i = 0; i < CLIENTS; i++) clients[i] = ask("/");
    close(here.release[1]);
    for (int i = 0; i < CLIENTS; i++) expect_answer(clients[i], "a client of the drain");
    expect_answer(busy, "the busy one");
    cr_assert_eq(pthread_join(thread, &result), 0);
    cr_assert_eq(result, server);
    rp_server_free(server);
    close(here.release[0]);
    expect_no_leak();
}
