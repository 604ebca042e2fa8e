#include "live_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    struct rp_server *server;
    pthread_t thread;
    int result;
    struct rp_error error;
    int log[2];
    atomic_bool ready;
    uint16_t port;
} live;

void live_fail(const char *file, int line, const char *text)
{
    fprintf(stderr, "%s:%d: not so: %s (errno %d)\n", file, line, text, errno);
    abort();
}

/* ---- the server ---- */

static void log_line(const char *line, void *user)
{
    (void)user;
    if (strstr(line, "event=ready")) atomic_store(&live.ready, true);
    dprintf(live.log[1], "%s\n", line);
}

void live_config(struct rp_server_config *config)
{
    static struct rp_address address;
    rp_server_config_init(config);
    check(rp_address_parse(&address, "127.0.0.1:0", NULL) == 0);
    config->addresses = &address;
    config->address_count = 1;
    config->workers = 1;
    config->idle_grace_ms = 0;
    config->log = log_line;
}

struct rp_server *live_new(const struct rp_server_config *config)
{
    check(pipe2(live.log, O_CLOEXEC) == 0);
    atomic_store(&live.ready, false);
    check(rp_server_new(&live.server, config, &live.error) == 0);
    return live.server;
}

void live_route(const char *methods, const char *path, rp_handler *handler)
{
    check(rp_server_route(live.server, methods, path, handler, NULL, &live.error) == 0);
}

void live_route_streaming(const char *methods, const char *path, rp_handler *handler)
{
    check(rp_server_route_streaming(live.server, methods, path, RP_BODY_BYTES_UNLIMITED, handler, NULL,
                                    &live.error) == 0);
}

static void *run(void *argument)
{
    (void)argument;
    live.result = rp_server_run(live.server, &live.error);
    return NULL;
}

void live_run(void)
{
    check(pthread_create(&live.thread, NULL, run, NULL) == 0);
}

void live_await_listening(void)
{
    const char *text = strstr(live_await_log("event=listening"), "127.0.0.1:");
    check(text);
    live.port = (uint16_t)atoi(strchr(text, ':') + 1);
}

void live_start(void)
{
    live_run();
    live_await_listening();
    live_await_log("event=ready");
}

const char *live_await_log(const char *word)
{
    static char line[512];
    size_t used = 0;
    for (;;) {
        struct pollfd poll_fd = {.fd = live.log[0], .events = POLLIN};
        check(poll(&poll_fd, 1, PATIENCE_MS) == 1);
        check(used + 1 < sizeof line && read(live.log[0], &line[used], 1) == 1);
        if (line[used++] != '\n') continue;
        line[used - 1] = '\0';
        if (strstr(line, word)) return line;
        used = 0;
    }
}

bool live_was_ready(void)
{
    return atomic_load(&live.ready);
}

int live_join(struct rp_error *ret_error)
{
    check(pthread_join(live.thread, NULL) == 0);
    rp_server_free(live.server);
    close(live.log[0]);
    close(live.log[1]);
    if (ret_error) *ret_error = live.error;
    return live.result;
}

void live_stop(void)
{
    rp_server_stop(live.server);
}

void live_finish(void)
{
    live_stop();
    check(live_join(NULL) == 0);
}

/* ---- a client ---- */

int live_dial(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(live.port)};
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    check(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

void live_say(int fd, const char *text)
{
    size_t length = strlen(text);
    check(send(fd, text, length, MSG_NOSIGNAL) == (ssize_t)length);
}

void live_get(int fd, const char *path)
{
    char text[256];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
    live_say(fd, text);
}

const char *live_hear(int fd, const char *until)
{
    static _Thread_local char text[8192];
    size_t used = 0;
    text[0] = '\0';
    while (!until || !strstr(text, until)) {
        check(used + 1 < sizeof text);
        ssize_t got = recv(fd, text + used, sizeof text - 1 - used, 0);
        check(got >= 0);
        if (got == 0) {
            check(!until);
            break;
        }
        used += (size_t)got;
        text[used] = '\0';
    }
    return text;
}

void live_reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    check(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0);
    close(fd);
}

const char *live_ask(const char *path)
{
    char text[256];
    int fd = live_dial();
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", path);
    live_say(fd, text);
    const char *answer = live_hear(fd, NULL);
    close(fd);
    return answer;
}

/* ---- gates ---- */

void live_gate_init(struct live_gate *gate)
{
    check(pipe2(gate->pipe, O_CLOEXEC) == 0);
}

void live_gate_open(struct live_gate *gate, unsigned times)
{
    for (; times > 0; times--) check(write(gate->pipe[1], "", 1) == 1);
}

void live_gate_pass(struct live_gate *gate)
{
    struct pollfd poll_fd = {.fd = gate->pipe[0], .events = POLLIN};
    char byte;
    /* Several may be woken for one byte. */
    check(poll(&poll_fd, 1, PATIENCE_MS) == 1);
    check(read(gate->pipe[0], &byte, 1) == 1);
}

void live_gate_done(struct live_gate *gate)
{
    close(gate->pipe[0]);
    close(gate->pipe[1]);
}
