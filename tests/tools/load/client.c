#include "client.h"

#include "greeting.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 65536

const char *load_client_state_name(enum load_client_state state)
{
    static const char *const names[] = {
#define X(name, text) [LOAD_CLIENT_##name] = (text),
        LOAD_CLIENT_STATES(X)
#undef X
    };
    return names[state];
}

static void set_deadline(struct load_client *client, uint64_t at_ns)
{
    client->run->deadlines.at_ns[client->number] = at_ns;
}

static bool is_busy(enum load_client_state state)
{
    return state != LOAD_CLIENT_WAITING && state != LOAD_CLIENT_THINKING;
}

bool load_client_is_settled(const struct load_client *client)
{
    return !is_busy(client->state) || client->window == client->run->windows.current;
}

static void move(struct load_client *client, enum load_client_state state)
{
    if (is_busy(client->state) && !is_busy(state)) client->run->busy--;
    if (!is_busy(client->state) && is_busy(state)) client->run->busy++;
    client->state = state;
}

static void close_connection(struct load_client *client)
{
    if (client->fd >= 0) close(client->fd);
    client->fd = -1;
}

static void fail(struct load_client *client, enum load_failure failure, const char *reason)
{
    load_run_failure(client->run, client, failure, reason);
    client->tried = true;
    close_connection(client);
    move(client, LOAD_CLIENT_WAITING);
    set_deadline(client, load_now_ns() + LOAD_PAUSE_NS);
}

static bool is_reset(int error)
{
    return error == ECONNRESET || error == EPIPE || error == ECONNABORTED;
}

/* The connection broke with `error`, or was closed by the server when `error` is 0. */
static enum load_failure classify(const struct load_client *client, int error)
{
    if (error == ECONNREFUSED) return LOAD_FAILURE_REFUSED;
    if (error == ETIMEDOUT)
        return client->sent_bytes > 0 ? LOAD_FAILURE_TIMEOUT_ANSWER : LOAD_FAILURE_TIMEOUT_CONNECT;
    if (error != 0 && !is_reset(error)) return LOAD_FAILURE_OTHER;
    if (client->sent_bytes == 0) return LOAD_FAILURE_RESET_CONNECT;
    return error == 0 ? LOAD_FAILURE_EOF_SENT : LOAD_FAILURE_RESET_SENT;
}

static void fail_errno(struct load_client *client, int error)
{
    fail(client, classify(client, error), error == 0 ? "closed by the server" : strerror(error));
}

static void on_idle_close(struct load_client *client)
{
    client->run->windows.current->tally.idle_closes++;
    close_connection(client);
    move(client, LOAD_CLIENT_WAITING);
}

/* ---- the answer ---- */

static void conclude(struct load_client *client)
{
    bool ends = client->state == LOAD_CLIENT_CLOSING;
    load_run_answer(client->run, client);
    client->tried = true;
    client->used = true;
    if (ends) close_connection(client);
    move(client, ends ? LOAD_CLIENT_WAITING : LOAD_CLIENT_THINKING);
    uint64_t think_ns = client->kind == LOAD_KEEP_ALIVE ? load_run_think_ns(client->run) : 0;
    set_deadline(client, load_now_ns() + think_ns);
}

static bool is_greeting(struct load_client *client)
{
    struct load_greeting greeting;
    const struct load_response *response = &client->response;
    client->server_pid = 0;
    if (strcmp(client->run->options->path, "/") != 0) return true;
    if (response->body_bytes != response->body_kept) return false;
    if (!load_greeting_parse(&greeting, response->body, response->body_kept)) return false;
    client->server_pid = greeting.pid;
    return greeting.client_port == client->local_port;
}

static void on_whole(struct load_client *client)
{
    char reason[32];
    client->whole_ns = load_now_ns();
    if (client->response.status != 200) {
        snprintf(reason, sizeof(reason), "status %d", client->response.status);
        fail(client, LOAD_FAILURE_BAD_STATUS, reason);
    } else if (!is_greeting(client)) {
        fail(client, LOAD_FAILURE_BAD_BODY, "not the greeting for this connection");
    } else if (client->response.close || client->kind == LOAD_FRESH) {
        move(client, LOAD_CLIENT_CLOSING);
    } else {
        conclude(client);
    }
}

static void on_bytes(struct load_client *client, const char *data, size_t size)
{
    size_t taken = 0;
    if (client->state == LOAD_CLIENT_ANSWERING || client->state == LOAD_CLIENT_SENDING) {
        taken = load_response_feed(&client->response, data, size);
        if (client->response.state == LOAD_RESPONSE_BAD) {
            fail(client, LOAD_FAILURE_BAD_BODY, client->response.problem);
            return;
        }
        if (client->response.state == LOAD_RESPONSE_WHOLE) on_whole(client);
    }
    if (taken < size && client->fd >= 0) {
        if (!is_busy(client->state)) client->window = client->run->windows.current;
        fail(client, LOAD_FAILURE_BAD_BODY, "bytes behind the answer");
    }
}

static void on_end(struct load_client *client, int error)
{
    if (client->state == LOAD_CLIENT_THINKING) {
        on_idle_close(client);
    } else if (client->state == LOAD_CLIENT_CLOSING && error == 0) {
        conclude(client);
    } else {
        fail_errno(client, error);
    }
}

static void read_all(struct load_client *client)
{
    static char buffer[READ_BYTES];
    while (client->fd >= 0) {
        ssize_t size = recv(client->fd, buffer, sizeof(buffer), 0);
        if (size > 0) {
            on_bytes(client, buffer, (size_t)size);
        } else if (size == 0) {
            on_end(client, 0);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            on_end(client, errno);
        }
    }
}

/* ---- the request ---- */

static void open_connection(struct load_client *client);

/* The kernel took not one byte: on a connection that has served before, that is an idle close, and the
 * request goes out on a new connection for the first time. */
static void on_send_error(struct load_client *client, int error)
{
    if (client->sent_bytes > 0 || !client->used || !is_reset(error)) {
        fail_errno(client, error);
        return;
    }
    client->run->windows.current->tally.idle_closes++;
    close_connection(client);
    open_connection(client);
}

static void send_request(struct load_client *client)
{
    const char *request = client->target->request[client->kind];
    size_t size = strlen(request);
    move(client, LOAD_CLIENT_SENDING);
    while (client->sent_bytes < size) {
        ssize_t sent =
            send(client->fd, request + client->sent_bytes, size - client->sent_bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno == EAGAIN) return;
        if (sent < 0) {
            on_send_error(client, errno);
            return;
        }
        client->sent_bytes += (size_t)sent;
    }
    move(client, LOAD_CLIENT_ANSWERING);
}

static int vary_source(struct load_client *client)
{
    if (client->kind != LOAD_FRESH || !client->target->loopback_v4) return 0;
    int on = 1;
    uint32_t last = (client->number + client->connects++) % client->run->options->sources;
    struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + last)};
    if (setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) < 0) return -errno;
    return bind(client->fd, (const struct sockaddr *)&source, sizeof(source)) < 0 ? -errno : 0;
}

static int watch(struct load_client *client)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = client};
    return epoll_ctl(client->run->epoll_fd, EPOLL_CTL_ADD, client->fd, &event) < 0 ? -errno : 0;
}

static int start_connect(struct load_client *client)
{
    const struct load_target *target = client->target;
    int on = 1;
    client->fd = socket(target->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0) return -errno;
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    int error = vary_source(client);
    if (error < 0) return error;
    if (connect(client->fd, (const struct sockaddr *)&target->address, target->length) < 0 &&
        errno != EINPROGRESS)
        return -errno;
    return watch(client);
}

static void open_connection(struct load_client *client)
{
    client->used = false;
    client->local_port = 0;
    client->server_pid = 0;
    client->mss = 0;
    client->connect_ns = load_now_ns();
    client->run->windows.current->tally.connections++;
    move(client, LOAD_CLIENT_CONNECTING);
    int error = start_connect(client);
    if (error < 0) fail_errno(client, -error);
}

static uint16_t local_port_of(int fd)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t length = sizeof(address);
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) return 0;
    if (address.ss_family == AF_INET6) return ntohs(((const struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((const struct sockaddr_in *)&address)->sin_port);
}

static void on_connect_event(struct load_client *client)
{
    int error = 0;
    socklen_t length = sizeof(error);
    client->local_port = local_port_of(client->fd);
    getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    struct tcp_info info = {.tcpi_state = TCP_SYN_SENT};
    length = sizeof(info);
    getsockopt(client->fd, IPPROTO_TCP, TCP_INFO, &info, &length);
    client->mss = info.tcpi_snd_mss;
    if (error != 0) {
        fail_errno(client, error);
        return;
    }
    if (info.tcpi_state != TCP_SYN_SENT) send_request(client);
}

static void begin(struct load_client *client)
{
    client->begun_ns = load_now_ns();
    client->window = client->run->windows.current;
    client->sent_bytes = 0;
    load_response_init(&client->response);
    set_deadline(client, client->begun_ns + client->run->options->timeout_ms * 1000000u);
    if (client->fd < 0)
        open_connection(client);
    else
        send_request(client);
}

void load_client_init(struct load_client *client, struct load_run *run, unsigned number,
                      enum load_client_kind kind)
{
    *client = (struct load_client){.run = run, .number = number, .kind = kind, .fd = -1};
    client->target = &run->options->targets[number % run->options->target_count];
    set_deadline(client, 0);
}

void load_client_done(struct load_client *client)
{
    close_connection(client);
}

void load_client_on_event(struct load_client *client)
{
    if (client->fd < 0) return;
    if (client->state == LOAD_CLIENT_CONNECTING) on_connect_event(client);
    if (client->fd >= 0 && client->state == LOAD_CLIENT_SENDING) send_request(client);
    if (client->fd >= 0 && client->state != LOAD_CLIENT_CONNECTING) read_all(client);
}

void load_client_on_deadline(struct load_client *client)
{
    set_deadline(client, LOAD_DEADLINE_NONE);
    if (client->state == LOAD_CLIENT_CONNECTING) {
        fail(client, LOAD_FAILURE_TIMEOUT_CONNECT, "no connection by the deadline");
    } else if (is_busy(client->state)) {
        fail(client, LOAD_FAILURE_TIMEOUT_ANSWER, "no end of the answer by the deadline");
    } else if (!client->run->stopping) {
        /* An EOF that is here already means that no byte of this request need be risked. */
        if (client->fd >= 0) read_all(client);
        if (!is_busy(client->state) && client->run->deadlines.at_ns[client->number] == LOAD_DEADLINE_NONE)
            begin(client);
    }
}
