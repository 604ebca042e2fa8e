/* Strangers at the control socket: up to four clients at a time that send in pieces, half-close, go away and
 * come again, and a server that is made and closed for each input. Bytes of the input: who does what, how
 * much of it, and what is sent.
 *
 * Must hold: what is handed over is the whole first line of what a client has sent, and no longer than a
 * request may be; every client that was handed over is told gone once; nothing is left on the loop. */
#include "fuzz.h"
#include "pure/exit_code.h"
#include "pure/request.h"
#include "shell/control_server.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS      4
#define ARRIVALS_MAX 16
#define FILLER_BYTES 16384
#define SENT_MAX     (RPCTL_REQUEST_BYTES_MAX + 2 * FILLER_BYTES)

/* One connection; what it has sent is kept, for the server may read it when it is gone. */
struct peer {
    int fd;
    size_t sent;
    char bytes[SENT_MAX];
};

static uv_loop_t loop;
static struct rpctl_control_server *server;
static struct peer peers[ARRIVALS_MAX];
static size_t arrivals;
static struct peer *clients[CLIENTS]; /* NULL: not connected */
static struct sockaddr_un address;
static size_t handed_over, gone;

/* --- the server's side --- */

static bool was_sent(const char *line, size_t length)
{
    for (size_t i = 0; i < arrivals; i++) {
        const char *end = memchr(peers[i].bytes, '\n', peers[i].sent);

        if (end && (size_t)(end - peers[i].bytes) == length && memcmp(line, peers[i].bytes, length) == 0)
            return true;
    }
    return false;
}

static void on_request(struct rpctl_control_client *client, const char *line, size_t length, void *data)
{
    struct rpctl_request request;
    struct rp_error error;

    assert(data == &server);
    assert(length <= RPCTL_REQUEST_BYTES_MAX && line[length] == '\0');
    assert(was_sent(line, length));
    handed_over++;
    if (rpctl_request_decode(&request, line, length, &error) < 0) {
        rpctl_control_client_reject(client, RPCTL_EXIT_USAGE, error.message);
        return;
    }
    rpctl_control_client_send(client, "{\"event\":\"status\"}");
    if (request.command != RPCTL_REQUEST_WATCH) rpctl_control_client_finish(client);
    rpctl_request_done(&request);
}

static void on_client_closed(struct rpctl_control_client *client, void *data)
{
    (void)client;
    assert(data == &server);
    gone++;
}

static void start(void)
{
    static const struct rpctl_control_handlers handlers = {on_request, on_client_closed};
    struct rp_error error;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    address.sun_family = AF_UNIX;
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "rp-fuzz-control-%d", (int)getpid());
    assert(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, CLIENTS) == 0);
    assert(uv_loop_init(&loop) == 0);
    assert(rpctl_control_server_new(&loop, fd, "web", &handlers, &server, &server, &error) == 0);
    handed_over = gone = arrivals = 0;
}

/* --- the strangers' side --- */

static void turn(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void leave(struct peer **client)
{
    if (*client) close((*client)->fd);
    *client = NULL;
}

static void arrive(struct peer **client)
{
    struct peer *peer = &peers[arrivals];

    if (*client || arrivals == ARRIVALS_MAX) return;
    peer->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    peer->sent = 0;
    if (connect(peer->fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(peer->fd);
        return;
    }
    arrivals++;
    *client = peer;
}

static void say(struct peer *peer, const void *bytes, size_t length)
{
    ssize_t sent;

    if (length > SENT_MAX - peer->sent) length = SENT_MAX - peer->sent;
    sent = send(peer->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0) return;
    memcpy(peer->bytes + peer->sent, bytes, (size_t)sent);
    peer->sent += (size_t)sent;
}

static void say_much(struct peer *peer, size_t pieces)
{
    static char filler[FILLER_BYTES];

    memset(filler, ' ', sizeof filler);
    for (size_t i = 0; i < pieces; i++) {
        say(peer, filler, sizeof filler);
        turn();
    }
}

static void hear(const struct peer *peer)
{
    char bytes[4096];

    while (recv(peer->fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
    }
}

/* Returns how many bytes of the input it has sent. */
static size_t act(struct peer **client, unsigned what, size_t much, const uint8_t *rest, size_t rest_size)
{
    size_t length = much < rest_size ? much : rest_size;

    arrive(client);
    if (!*client) return 0;
    switch (what % 8) {
    case 0: leave(client); return 0;
    case 1: shutdown((*client)->fd, SHUT_WR); return 0;
    case 2: shutdown((*client)->fd, SHUT_RD); return 0;
    case 3: say_much(*client, much % 20); return 0;
    case 4: hear(*client); return 0;
    default: say(*client, rest, length); return length;
    }
}

static void end(void)
{
    for (size_t i = 0; i < CLIENTS; i++) leave(&clients[i]);
    rpctl_control_server_close(server, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert(uv_loop_close(&loop) == 0);
    assert(handed_over == gone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    start();
    while (size >= 2) {
        unsigned what = data[0];
        size_t much = data[1], used;

        data += 2;
        size -= 2;
        used = act(&clients[what / 8 % CLIENTS], what, much, data, size);
        data += used;
        size -= used;
        if (what < 128) turn(); /* else what follows comes in the same turn */
    }
    end();
    return 0;
}
