/* The control socket: takes one request line per client, and sends event lines back (see rpctl-protocol(7)).
 *
 * A request line is bounded by RPCTL_REQUEST_BYTES_MAX of pure/request.h. Owns the listening socket and every
 * client's connection. Knows lines, not their meaning. Runs on the loop's thread. */
#ifndef RPCTL_CONTROL_SERVER_H
#define RPCTL_CONTROL_SERVER_H

#include <rp/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <uv.h>

#define RPCTL_CONTROL_CLIENTS_MAX        100
#define RPCTL_CONTROL_QUEUE_MAX          ((size_t)1024 * 1024) /* bytes waiting for a client that does not read */
#define RPCTL_CONTROL_REQUEST_TIMEOUT_MS 10000 /* from connecting to the end of the request line */
#define RPCTL_CONTROL_FINISH_TIMEOUT_MS  5000  /* for a client to take its last lines */

struct rpctl_control_server;
struct rpctl_control_client;

struct rpctl_control_handlers {
    /* One whole line without its line end, terminated by a NUL (and maybe with NULs inside); valid during the
     * call only. Once per client. */
    void (*on_request)(struct rpctl_control_client *client, const char *line, size_t length, void *data);
    /* The client is gone, by its own will, cut, or finished: forget the pointer. Exactly once for each client
     * whose request was handed over, never from within a call into this module. */
    void (*on_client_closed)(struct rpctl_control_client *client, void *data);
};

typedef void rpctl_control_server_closed_cb(void *data);

/* Serves on `fd`, a listening Unix stream socket: taken over, also on error; its path stays, also at the end.
 * `service` (valid UTF-8) stands in the events made here; it and *handlers are copied. Peers of another user
 * than our effective one or root are refused. SIGPIPE is ignored in the process from then on. -ENOTSOCK or
 * -EINVAL when it is no such socket, -ENOMEM. */
int rpctl_control_server_new(uv_loop_t *loop, int fd, const char *service,
                             const struct rpctl_control_handlers *handlers, void *data,
                             struct rpctl_control_server **ret_server, struct rp_error *error);

/* Takes no new clients; those that are finished already get their last lines (RPCTL_CONTROL_FINISH_TIMEOUT_MS
 * at most), all others are cut. Calls back on a later turn, after every on_client_closed, and frees.
 * `callback` may be NULL. Idempotent: a second call does nothing. */
void rpctl_control_server_close(struct rpctl_control_server *server, rpctl_control_server_closed_cb *callback,
                                void *data);

/* While it is paused no request is read; what comes waits in the sockets. */
void rpctl_control_server_pause(struct rpctl_control_server *server, bool paused);

/* From one program to the next in the same process, which gets the descriptors. */
int rpctl_control_server_fd(const struct rpctl_control_server *server);
/* Every client that a next program could serve on; at most `max`. */
size_t rpctl_control_server_clients(const struct rpctl_control_server *server,
                                    struct rpctl_control_client **ret_clients, size_t max);

/* How far a client has come. Texts. */
struct rpctl_control_client_past {
    int fd;
    bool asks;          /* its request has not come whole */
    bool finishes;      /* it gets what was queued, and no more */
    const char *input;  /* what has come of the request; "" unless it asks */
    const char *output; /* what was queued and is not sent */
};

/* `input` is valid until the loop goes on, `output` is the caller's to free. -EINVAL: what it has begun to
 * send has a NUL in it, and is no request; -ENOMEM. */
int rpctl_control_client_describe(struct rpctl_control_client *client,
                                  struct rpctl_control_client_past *ret_past);

/* Goes on with a client of the program that was here before. The descriptor is taken over, also on error. For
 * one that does not ask, on_client_closed is owed. -ENOMEM, or what libuv says of the descriptor. */
int rpctl_control_server_adopt(struct rpctl_control_server *server,
                               const struct rpctl_control_client_past *past,
                               struct rpctl_control_client **ret_client);

/* Queues one event: `line` is a JSON text without line end; copied. Nothing happens when the client is
 * finished or gone. A client whose queue passes RPCTL_CONTROL_QUEUE_MAX is cut. */
void rpctl_control_client_send(struct rpctl_control_client *client, const char *line);

/* Closes the connection when the queue is out; idempotent. */
void rpctl_control_client_finish(struct rpctl_control_client *client);

/* Sends a result event with this exit code (pure/exit_code.h) and reason, and finishes. */
void rpctl_control_client_reject(struct rpctl_control_client *client, int exit_code, const char *reason);

/* Who connected, by the kernel's word. */
pid_t rpctl_control_client_pid(const struct rpctl_control_client *client);
uid_t rpctl_control_client_uid(const struct rpctl_control_client *client);

#endif
