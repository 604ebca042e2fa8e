/* One client: it has at most one request under way, on at most one connection.
 *
 *              begin               established          request out
 *   WAITING ---------> CONNECTING ------------> SENDING ------------> ANSWERING
 *    ^  ^  ^                |                    |  ^                  |     |
 *    |  |  +-- failure -----+--------------------+--|------------------+     | whole answer
 *    |  |                                           | begin                  |
 *    |  +---- EOF or reset: idle close, no failure -+----- THINKING <--------+ the connection stays
 *    +------- EOF, or a failure -------------------------- CLOSING <---------+ the connection ends
 *
 * A failure is booked, the connection closed, and the next request begun LOAD_PAUSE_NS later on a new
 * connection; the failed one is never sent again. A fresh client reads to EOF before it closes, so the server
 * is the side that closes first and keeps TIME_WAIT: the client's ports are free again at once. What remains
 * is a SYN that meets the server's TIME_WAIT of an earlier connection from the same port; the kernel takes it
 * when its timestamp is newer, but a SYN within the same millisecond would be retransmitted a second later
 * and look like a stall. So the fresh clients to 127.0.0.0/8 use source addresses 127.0.0.1 to 127.0.0.N in
 * turn (IP_BIND_ADDRESS_NO_PORT: the port is chosen at connect(), by the whole address pair). A close with
 * linger 0 would do it too, but no real client does that and it would hide what TIME_WAIT does to a server.
 */
#ifndef LOAD_CLIENT_H
#define LOAD_CLIENT_H

#include "response.h"
#include "run.h"

#include <stdbool.h>
#include <stdint.h>

#define LOAD_PAUSE_NS 10000000u

#define LOAD_CLIENT_STATES(X)                                                                                \
    X(WAITING, "waiting")                                                                                    \
    X(CONNECTING, "connecting")                                                                              \
    X(SENDING, "sending")                                                                                    \
    X(ANSWERING, "answering")                                                                                \
    X(CLOSING, "closing")                                                                                    \
    X(THINKING, "thinking")

enum load_client_state {
#define X(name, text) LOAD_CLIENT_##name,
    LOAD_CLIENT_STATES(X)
#undef X
};

struct load_client {
    struct load_run *run;
    const struct load_target *target;
    struct load_window *window; /* of the request under way */
    unsigned number;
    enum load_client_kind kind;
    enum load_client_state state;
    int fd; /* owned; -1 when there is no connection */
    bool tried;
    bool used; /* the connection has carried a whole answer */
    uint16_t local_port;
    uint32_t server_pid; /* of the last answer on the connection; 0: none yet */
    uint32_t mss;        /* that the server can take */
    uint32_t connects;
    size_t sent_bytes;
    uint64_t connect_ns; /* when the connection was begun */
    uint64_t begun_ns;
    uint64_t whole_ns;
    struct load_response response;
};

const char *load_client_state_name(enum load_client_state state);

/* No request of it is under way that was begun before the last mark. */
bool load_client_is_settled(const struct load_client *client);

/* The first request begins at once, on the next turn of the loop. */
void load_client_init(struct load_client *client, struct load_run *run, unsigned number,
                      enum load_client_kind kind);

void load_client_done(struct load_client *client);

/* The poll set has something for the client (edge-triggered), or its deadline has passed. */
void load_client_on_event(struct load_client *client);
void load_client_on_deadline(struct load_client *client);

#endif
