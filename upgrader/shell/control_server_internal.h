/* The parts of the control server and of its clients.
 *
 *   control_server.c   the beginning and the end of the server
 *   control_accept.c   new clients, and those that are refused
 *   control_client.c   a client: its request, its answers, its end
 *   control_past.c     clients that one program leaves to the next, in the same process */
#ifndef RPCTL_CONTROL_SERVER_INTERNAL_H
#define RPCTL_CONTROL_SERVER_INTERNAL_H

#include "pure/line_buffer.h"
#include "shell/control_server.h"

#include <sys/queue.h>

#define RPCTL_CONTROL_READ_BYTES 8192

enum rpctl_control_client_state {
    RPCTL_CONTROL_RECEIVING,
    RPCTL_CONTROL_SERVING,
    RPCTL_CONTROL_FINISHING,
    RPCTL_CONTROL_CLOSING
};

/* One write: the request and its bytes. */
struct rpctl_control_output {
    uv_write_t request;
    STAILQ_ENTRY(rpctl_control_output) link;
    size_t length;
    char bytes[];
};

struct rpctl_control_client {
    struct rpctl_control_server *server;
    LIST_ENTRY(rpctl_control_client) link;
    uv_pipe_t pipe;
    uv_timer_t deadline;
    uv_shutdown_t shutdown;
    unsigned open_handles;
    enum rpctl_control_client_state state;
    bool handed_over; /* on_request was called: on_client_closed is owed */
    bool drains;      /* closes only when the peer has hung up */
    bool hung_up;     /* its output is shut down */
    pid_t pid;
    uid_t uid;
    struct rpctl_line_buffer input;
    STAILQ_HEAD(, rpctl_control_output) outputs; /* in the order in which they are written */
};

struct rpctl_control_server {
    uv_poll_t listener;
    uv_timer_t pause; /* until there may be a descriptor again */
    int fd;
    int spare_fd; /* given up for a moment, to tell a client that there is none; -1 = there is none */
    bool closing;
    bool paused;
    unsigned open_handles;
    size_t client_count;
    LIST_HEAD(, rpctl_control_client) clients;
    struct rpctl_control_handlers handlers;
    void *data;
    rpctl_control_server_closed_cb *closed;
    void *closed_data;
    char *service;
    char discarded[RPCTL_CONTROL_READ_BYTES];
};

/* Listens, and keeps a descriptor for bad times. */
int rpctl_control_accept_start(struct rpctl_control_server *server);
void rpctl_control_server_free_when_closed(struct rpctl_control_server *server);

/* In the server's list from here on, so rpctl_control_client_close is what frees it. */
void rpctl_control_client_init(struct rpctl_control_server *server, struct rpctl_control_client *client);
void rpctl_control_client_close(struct rpctl_control_client *client);
/* Who is at the other end of `fd`: SO_PEERCRED. */
int rpctl_control_client_identify(struct rpctl_control_client *client, int fd);
int rpctl_control_client_read(struct rpctl_control_client *client);
void rpctl_control_client_await_request(struct rpctl_control_client *client);
/* Bytes and what stands behind them, copied; the client is closed where that fails. */
void rpctl_control_client_queue(struct rpctl_control_client *client, const char *bytes, size_t length,
                                const char *end);
size_t rpctl_control_client_queued(const struct rpctl_control_client *client); /* bytes */

#endif
