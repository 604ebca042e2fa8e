#include "shell/control_server_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void rpctl_control_server_pause(struct rpctl_control_server *server, bool paused)
{
    struct rpctl_control_client *client;
    server->paused = paused;
    LIST_FOREACH(client, &server->clients, link)
    {
        if (client->state != RPCTL_CONTROL_RECEIVING) continue;
        if (paused)
            uv_read_stop((uv_stream_t *)&client->pipe);
        else
            rpctl_control_client_read(client);
    }
}

static int fd_of(const uv_pipe_t *pipe)
{
    int fd = -1;
    uv_fileno((const uv_handle_t *)pipe, &fd);
    return fd;
}

size_t rpctl_control_server_clients(const struct rpctl_control_server *server,
                                    struct rpctl_control_client **ret_clients, size_t max)
{
    struct rpctl_control_client *client;
    size_t count = 0;
    LIST_FOREACH(client, &server->clients, link)
    if (count < max && client->state != RPCTL_CONTROL_CLOSING && !client->drains)
        ret_clients[count++] = client;
    return count;
}

/* What of all that is queued is not written: its last bytes. */
static char *pending_output(const struct rpctl_control_client *client)
{
    const struct rpctl_control_output *output;
    size_t length = 0;
    STAILQ_FOREACH(output, &client->outputs, link) length += output->length;
    char *text = malloc(length + 1);
    if (!text) return NULL;
    size_t used = 0;
    STAILQ_FOREACH(output, &client->outputs, link)
    {
        memcpy(text + used, output->bytes, output->length);
        used += output->length;
    }
    assert(rpctl_control_client_queued(client) <= length);
    memmove(text, text + length - rpctl_control_client_queued(client), rpctl_control_client_queued(client));
    text[rpctl_control_client_queued(client)] = '\0';
    return text;
}

static int pending_input(struct rpctl_control_client *client, const char **ret_input)
{
    struct rpctl_line_buffer *input = &client->input;
    size_t length = input->end - input->start;
    char *room;
    int r = rpctl_line_buffer_reserve(input, 1, &room);
    if (r < 0) return r;
    *room = '\0';
    *ret_input = room - length;
    return strlen(*ret_input) == length ? 0 : -EINVAL;
}

int rpctl_control_client_describe(struct rpctl_control_client *client,
                                  struct rpctl_control_client_past *ret_past)
{
    struct rpctl_control_client_past past = {.fd = fd_of(&client->pipe),
                                             .asks = client->state == RPCTL_CONTROL_RECEIVING,
                                             .finishes = client->state == RPCTL_CONTROL_FINISHING,
                                             .input = ""};
    int r = past.asks ? pending_input(client, &past.input) : 0;
    if (r < 0) return r;
    past.output = pending_output(client);
    if (!past.output) return -ENOMEM;
    *ret_past = past;
    return 0;
}

static int take_input(struct rpctl_control_client *client, const char *input)
{
    size_t length = strlen(input);
    char *room;
    int r = rpctl_line_buffer_reserve(&client->input, length + 1, &room);
    if (r < 0) return r;
    memcpy(room, input, length);
    rpctl_line_buffer_added(&client->input, length);
    return 0;
}

static void take_state(struct rpctl_control_client *client, const struct rpctl_control_client_past *past)
{
    size_t length = strlen(past->output);
    client->handed_over = !past->asks;
    if (past->asks)
        rpctl_control_client_await_request(client);
    else
        client->state = RPCTL_CONTROL_SERVING;
    if (length > 0) rpctl_control_client_queue(client, past->output, length, "");
    if (past->finishes) rpctl_control_client_finish(client);
}

static int take_up(struct rpctl_control_client *client, const struct rpctl_control_client_past *past)
{
    int r = uv_pipe_open(&client->pipe, past->fd);
    if (r < 0) close(past->fd);
    if (r == 0) r = rpctl_control_client_identify(client, past->fd);
    if (r == 0) r = take_input(client, past->input);
    if (r == 0) r = rpctl_control_client_read(client);
    if (r == 0) take_state(client, past);
    return r;
}

int rpctl_control_server_adopt(struct rpctl_control_server *server,
                               const struct rpctl_control_client_past *past,
                               struct rpctl_control_client **ret_client)
{
    struct rpctl_control_client *client = calloc(1, sizeof *client);
    if (!client) {
        close(past->fd);
        return -ENOMEM;
    }
    rpctl_control_client_init(server, client);
    int r = take_up(client, past);
    if (r < 0)
        rpctl_control_client_close(client);
    else
        *ret_client = client;
    return r;
}
