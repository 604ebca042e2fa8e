/* A client of the supervisor: one connection, one request, events until the supervisor closes it.
 *
 * Blocking. Owns the connection and, from rpctl_client_send on, the waiting for Ctrl-C. */
#ifndef RPCTL_CLIENT_H
#define RPCTL_CLIENT_H

#include "linux/interrupt.h"
#include "linux/service_dir.h"
#include "pure/command_line.h"
#include "pure/line_buffer.h"
#include "pure/request.h"

#define RPCTL_CLIENT_EVENT_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define RPCTL_CLIENT_NO_DEADLINE     (-1)

struct rpctl_client {
    int fd;
    struct rpctl_interrupt interrupt;
    struct rpctl_line_buffer lines;
};

struct rpctl_client_event {
    const char *raw; /* the line, valid until the next call */
    json_t *event;   /* the caller's reference */
};

/* The exit code for what opening or locking a service's directory returned. */
int rpctl_client_exit_code(int result);

/* Opens the directory of the line's service, without making it. 0, or an exit code with the reason in *error:
 * RPCTL_EXIT_NO_SERVICE when there is none. */
int rpctl_client_open_dir(struct rpctl_service_dir **ret_dir, const struct rpctl_command_line *line,
                          struct rp_error *error);

/* Connects to the service and sends the request. Exit code as above. On success the client must be closed. */
int rpctl_client_open(struct rpctl_client *ret_client, const struct rpctl_command_line *line,
                      const struct rpctl_request *request, struct rp_error *error);
void rpctl_client_close(struct rpctl_client *client);

/* Waits for the next event. 1: *ret_event is filled. 0: the supervisor has closed the connection. -EINTR:
 * Ctrl-C or SIGTERM, its number in *ret_signal. -ETIMEDOUT, -EPROTO (no JSON, or too long), or another
 * negative errno. */
int rpctl_client_next(struct rpctl_client *client, int timeout_ms, struct rpctl_client_event *ret_event,
                      int *ret_signal, struct rp_error *error);

/* The exit code that a result names; a result without a good one is a bug of the other side. */
int rpctl_client_result_code(const json_t *event);

#endif
