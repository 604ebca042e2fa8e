/* A server on the test's own loop that answers every connection with the same bytes and behaviour. */
#ifndef RPCTL_TEST_FAKE_SERVER_H
#define RPCTL_TEST_FAKE_SERVER_H

#include <criterion/criterion.h>
#include <rp/address.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

enum fake_end {
    FAKE_CLOSES,      /* after its answer */
    FAKE_KEEPS_OPEN,  /* after its answer, until the peer closes */
    FAKE_RESETS,      /* after its answer */
    FAKE_CLOSES_EARLY /* without reading */
};

struct fake_server {
    uv_tcp_t listener;
    struct rp_address address;
    const char *answer;
    size_t answer_bytes;
    size_t piece_bytes; /* of one write; 0 = all at once */
    enum fake_end end;
    unsigned requests; /* whole headers read */
    void (*on_request)(void *data);
    void *data;
    char request[4096]; /* the last one */
    struct rp_address peer;
    struct fake_connection *connections;
};

struct fake_connection {
    uv_tcp_t tcp;
    uv_write_t write;
    struct fake_server *server;
    struct fake_connection *next;
    char input[4096];
    size_t input_bytes;
    size_t sent_bytes;
};

static inline void fake_on_closed(uv_handle_t *handle)
{
    struct fake_connection *connection = handle->data;
    struct fake_connection **link = &connection->server->connections;
    while (*link != connection) link = &(*link)->next;
    *link = connection->next;
    free(connection);
}

static inline void fake_close(struct fake_connection *connection)
{
    if (!uv_is_closing((uv_handle_t *)&connection->tcp))
        uv_close((uv_handle_t *)&connection->tcp, fake_on_closed);
}

static inline void fake_finish(struct fake_connection *connection)
{
    if (connection->server->end == FAKE_KEEPS_OPEN) return;
    if (connection->server->end == FAKE_RESETS) {
        struct linger linger = {1, 0};
        int fd;
        uv_fileno((uv_handle_t *)&connection->tcp, &fd);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    }
    fake_close(connection);
}

static inline void fake_answer(struct fake_connection *connection);

static inline void fake_on_written(uv_write_t *write, int status)
{
    struct fake_connection *connection = write->data;
    if (status == 0) fake_answer(connection);
}

static inline void fake_answer(struct fake_connection *connection)
{
    const struct fake_server *server = connection->server;
    size_t left = server->answer_bytes - connection->sent_bytes;
    if (left == 0) {
        fake_finish(connection);
        return;
    }
    size_t piece = server->piece_bytes && server->piece_bytes < left ? server->piece_bytes : left;
    uv_buf_t buffer = uv_buf_init((char *)(size_t)server->answer + connection->sent_bytes, (unsigned)piece);
    connection->sent_bytes += piece;
    connection->write.data = connection;
    uv_write(&connection->write, (uv_stream_t *)&connection->tcp, &buffer, 1, fake_on_written);
}

static inline void fake_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct fake_connection *connection = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(connection->input + connection->input_bytes,
                          (unsigned)(sizeof connection->input - 1 - connection->input_bytes));
}

static inline void fake_on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct fake_connection *connection = stream->data;
    struct fake_server *server = connection->server;
    (void)buffer;
    if (length < 0) {
        fake_close(connection);
        return;
    }
    connection->input_bytes += (size_t)length;
    connection->input[connection->input_bytes] = '\0';
    if (!strstr(connection->input, "\r\n\r\n")) return;
    memcpy(server->request, connection->input, connection->input_bytes + 1);
    server->requests++;
    fake_answer(connection);
    if (server->on_request) server->on_request(server->data);
}

static inline void fake_on_connection(uv_stream_t *listener, int status)
{
    struct fake_server *server = listener->data;
    cr_assert_eq(status, 0);
    struct fake_connection *connection = calloc(1, sizeof *connection);
    connection->server = server;
    connection->next = server->connections;
    server->connections = connection;
    uv_tcp_init(listener->loop, &connection->tcp);
    connection->tcp.data = connection;
    cr_assert_eq(uv_accept(listener, (uv_stream_t *)&connection->tcp), 0);
    int length = sizeof server->peer.storage;
    uv_tcp_getpeername(&connection->tcp, (struct sockaddr *)&server->peer.storage, &length);
    server->peer.length = (socklen_t)length;
    if (server->end == FAKE_CLOSES_EARLY)
        fake_close(connection);
    else
        uv_read_start((uv_stream_t *)&connection->tcp, fake_on_alloc, fake_on_read);
}

/* Listens on `text`, "127.0.0.1:0"; false when the machine has no such address. */
static inline bool fake_server_start(struct fake_server *server, uv_loop_t *loop, const char *text,
                                     const char *answer)
{
    struct rp_error error;
    int fd;
    server->answer = answer;
    server->answer_bytes = answer ? strlen(answer) : 0;
    cr_assert_eq(rp_address_parse(&server->address, text, &error), 0, "%s", error.message);
    uv_tcp_init(loop, &server->listener);
    server->listener.data = server;
    if (uv_tcp_bind(&server->listener, (struct sockaddr *)&server->address.storage, 0) < 0 ||
        uv_listen((uv_stream_t *)&server->listener, 128, fake_on_connection) < 0) {
        uv_close((uv_handle_t *)&server->listener, NULL);
        return false;
    }
    uv_fileno((uv_handle_t *)&server->listener, &fd);
    cr_assert_eq(rp_address_of_socket(&server->address, fd, &error), 0, "%s", error.message);
    return true;
}

static inline void fake_server_stop(struct fake_server *server)
{
    if (!uv_is_closing((uv_handle_t *)&server->listener)) uv_close((uv_handle_t *)&server->listener, NULL);
    for (struct fake_connection *connection = server->connections; connection; connection = connection->next)
        fake_close(connection);
}

#endif
