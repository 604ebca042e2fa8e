#include "commands/client.h"
#include "commands/lost_supervisor.h"
#include "linux/unix_socket.h"
#include "pure/exit_code.h"
#include "pure/quote.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 16384

static int no_service(const struct rpctl_command_line *line, struct rp_error *error)
{
    char *path = NULL;
    if (rpctl_service_dir_resolve(&path, line->dir, line->name, error) < 0) return RPCTL_EXIT_BUG;
    rp_error_set(error, -ENOENT, "no service %s is running (%s); start it with: rpctl start BINARY",
                 line->name, rpctl_quote_path(path).text);
    free(path);
    return RPCTL_EXIT_NO_SERVICE;
}

int rpctl_client_open_dir(struct rpctl_service_dir **ret_dir, const struct rpctl_command_line *line,
                          struct rp_error *error)
{
    int result = rpctl_service_dir_open(ret_dir, line->dir, line->name, RPCTL_SERVICE_DIR_EXISTING, error);
    if (result == -ENOENT) return no_service(line, error);
    return rpctl_client_exit_code(result);
}

int rpctl_client_exit_code(int result)
{
    switch (result) {
    case 0: return RPCTL_EXIT_DONE;
    case -EBUSY: return RPCTL_EXIT_BUSY;
    case -EPERM:
    case -EACCES:
    case -ELOOP:
    case -ENOTDIR: return RPCTL_EXIT_REFUSED;
    default: return RPCTL_EXIT_BUG;
    }
}

static int connect_to(struct rpctl_client *client, const struct rpctl_command_line *line,
                      struct rp_error *error)
{
    struct rpctl_service_dir *dir;
    int code = rpctl_client_open_dir(&dir, line, error);
    if (code != 0) return code;
    int result =
        rpctl_unix_socket_connect(rpctl_service_dir_fd(dir), RPCTL_SERVICE_DIR_CONTROL, &client->fd, error);
    if (result == -ENOENT || result == -ECONNREFUSED)
        code =
            rpctl_lost_supervisor_explain(line, dir, error) ? RPCTL_EXIT_NO_SERVICE : no_service(line, error);
    else if (result < 0)
        code = RPCTL_EXIT_BUG;
    rpctl_service_dir_close(dir);
    return code;
}

/* A supervisor that closes early has said why: whatever send() says, its answer is read. */
static void send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return;
        bytes += sent;
        length -= (size_t)sent;
    }
}

int rpctl_client_open(struct rpctl_client *ret_client, const struct rpctl_command_line *line,
                      const struct rpctl_request *request, struct rp_error *error)
{
    struct rpctl_client client = {.fd = -1, .lines = {.max_bytes = RPCTL_CLIENT_EVENT_BYTES_MAX}};
    char *bytes;
    size_t length;
    int result = rpctl_request_encode(request, &bytes, &length, error);
    if (result < 0) return result == -ENOMEM ? RPCTL_EXIT_BUG : RPCTL_EXIT_USAGE;
    int code = connect_to(&client, line, error);
    /* From here on Ctrl-C must not end us without a word: the request may have been taken. */
    if (code == 0 && rpctl_interrupt_open(&client.interrupt, error) < 0) {
        close(client.fd);
        code = RPCTL_EXIT_BUG;
    }
    if (code == 0) {
        send_all(client.fd, bytes, length);
        *ret_client = client;
    }
    free(bytes);
    return code;
}

void rpctl_client_close(struct rpctl_client *client)
{
    close(client->fd);
    rpctl_interrupt_close(&client->interrupt);
    rpctl_line_buffer_done(&client->lines);
}

/* 1 when the connection has something to read. */
static int wait_for_bytes(struct rpctl_client *client, int timeout_ms, int *ret_signal,
                          struct rp_error *error)
{
    struct pollfd polled[] = {{.fd = client->fd, .events = POLLIN},
                              {.fd = client->interrupt.fd, .events = POLLIN}};
    int count = poll(polled, 2, timeout_ms);
    if (count < 0 && errno == EINTR) return 0;
    if (count < 0) return rp_error_set(error, -errno, "cannot wait for the supervisor: %s", strerror(errno));
    if (count == 0)
        return rp_error_set(error, -ETIMEDOUT, "the supervisor has not answered for %d s; is it stopped?",
                            timeout_ms / 1000);
    *ret_signal = polled[1].revents ? rpctl_interrupt_take(&client->interrupt) : 0;
    if (*ret_signal) return rp_error_set(error, -EINTR, "interrupted");
    return polled[0].revents ? 1 : 0;
}

/* Bytes read; 0 at the end of the connection. */
static ssize_t read_more(struct rpctl_client *client, struct rp_error *error)
{
    char *room;
    if (rpctl_line_buffer_reserve(&client->lines, READ_BYTES, &room) < 0)
        return rp_error_set(error, -ENOMEM, "out of memory");
    ssize_t length;
    do length = recv(client->fd, room, READ_BYTES, 0);
    while (length < 0 && errno == EINTR);
    if (length < 0 && errno == ECONNRESET) return 0;
    if (length < 0)
        return rp_error_set(error, -errno, "cannot read from the supervisor: %s", strerror(errno));
    rpctl_line_buffer_added(&client->lines, (size_t)length);
    return length;
}

static int take_line(struct rpctl_client *client, struct rpctl_client_event *ret_event,
                     struct rp_error *error)
{
    char *raw;
    size_t length;
    int result = rpctl_line_buffer_next(&client->lines, &raw, &length);
    if (result == 0) return 0;
    json_t *event = result > 0 ? json_loadb(raw, length, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (!json_is_object(event)) {
        json_decref(event);
        return rp_error_set(error, -EPROTO,
                            "the supervisor's answer is no JSON object; is it another version?");
    }
    *ret_event = (struct rpctl_client_event){.raw = raw, .event = event};
    return 1;
}

int rpctl_client_next(struct rpctl_client *client, int timeout_ms, struct rpctl_client_event *ret_event,
                      int *ret_signal, struct rp_error *error)
{
    for (;;) {
        int result = take_line(client, ret_event, error);
        if (result != 0) return result;
        result = wait_for_bytes(client, timeout_ms, ret_signal, error);
        if (result < 0) return result;
        ssize_t length = result == 0 ? 1 : read_more(client, error);
        if (length <= 0) return (int)length;
    }
}

int rpctl_client_result_code(const json_t *event)
{
    const json_t *code = json_object_get(event, "exit");
    json_int_t number = json_is_integer(code) ? json_integer_value(code) : RPCTL_EXIT_BUG;
    return number >= 0 && number <= RPCTL_EXIT_SIGNAL ? (int)number : RPCTL_EXIT_BUG;
}
