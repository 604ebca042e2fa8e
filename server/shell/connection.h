/* A client's connection: bytes in, requests one after another, bytes out, and a polite end.
 *
 * Owns the socket, what has been read but not parsed (`held`), and the request under way. There is one at a
 * time: the next is not parsed before the response to the former is complete, so responses are in order
 * whatever a handler does. Between two requests `held` describes the connection completely
 * (pure/http_adapter.h).
 *
 * Its phase (pure/phase.h) is the list of the worker that it is on. Ending is two-phase: rp_connection_close
 * takes it off all lists, cancels its writes, and frees it on a later turn, after telling the handler of a
 * request under way. rp_connection_half_close sends what is queued and our FIN, and reads on until the
 * client's: closing at once would reset the connection if the client has sent something more, and a reset
 * destroys what the client has not read yet. A client that is still sending a body may not look for an answer
 * before it is out, so the wait begins anew with whatever it sends; but there is an end, and it does not
 * begin anew in a drain, or for a client that was too slow before. Only a client
 * that has announced the end itself (`Connection: close`) is not waited for when everything is sent.
 *
 * Where its end is the end of a response (HTTP/1.0 and no length) and that is not whole, the connection is
 * reset: our FIN would say that it is.
 *
 * A server has many that are idle, so a connection is kept small: what only a request needs is in the
 * request, and what only the end needs is allocated then.
 *
 * On the worker's thread only. */
#ifndef RP_SHELL_CONNECTION_H
#define RP_SHELL_CONNECTION_H

#include "pure/buffer.h"
#include "pure/deadlines.h"
#include "pure/http_adapter.h"
#include "pure/phase.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <uv.h>

struct rp_request;
struct rp_worker;

struct rp_connection {
    uv_tcp_t tcp;
    struct rp_worker *worker;
    struct rp_deadline deadline; /* on the worker's list of its phase */
    struct rp_list resume;       /* on the worker's list of those to go on with */
    struct rp_http_adapter adapter;
    struct rp_buffer held;
    struct rp_request *request;
    size_t ahead_bytes;       /* read and not parsed yet */
    size_t queued_bytes;      /* waiting for the socket */
    uint64_t written_bytes;   /* to the socket or the queue, ever */
    uint64_t taken_bytes;     /* of these the client had taken when the wait of phase WRITE began */
    uint64_t linger_until_ms; /* what the client sends from here on gives it no more time */
    struct sockaddr_in6 peer; /* or a struct sockaddr_in */
    int fd;
    uint32_t owed_bytes; /* what was there when the first response in the drain began, and is not parsed */
    enum rp_phase phase : 8;
    bool leaving : 1;  /* `owed_bytes` counts */
    bool attached : 1; /* the descriptor is `tcp`'s */
    bool progress : 1; /* something happened that starts the phase's wait anew */
    bool parsing : 1;  /* inside the parse loop: it will see to what comes next */
    bool reading : 1;
    bool ended : 1;     /* the client's FIN has come */
    bool late : 1;      /* the client has let a deadline pass */
    bool lingering : 1; /* our FIN is sent or queued */
    bool shut : 1;      /* and out */
    bool delimits : 1;  /* its end is to be that of a response, of which not all is out */
    bool closing : 1;
    bool closed : 1; /* the socket is gone; the rest is here for work that is under way */
};

/* Takes the descriptor over, and the places that rp_admission_enter and rp_balance_hand_over have counted for
 * it, also on an error. */
int rp_connection_open(struct rp_worker *worker, int fd, const struct sockaddr_storage *peer);

/* Gives the descriptor to libuv, which is done as late as possible: it costs two system calls. Before that
 * bytes are written with rp_socket_give. On an error the connection is closed. Idempotent. */
int rp_connection_attach(struct rp_connection *connection);

/* Goes on after something has changed: parses what is held, calls `writable`, finishes a request. From the
 * loop only, never from inside a handler; use rp_connection_wake there. */
void rp_connection_continue(struct rp_connection *connection);

/* The work of its request is over: goes on, or is freed if it was closed meanwhile. From the loop only. */
void rp_connection_work_over(struct rp_connection *connection);

/* rp_connection_continue in the next turn, if nobody will do it anyway. */
void rp_connection_wake(struct rp_connection *connection);

/* Its deadline has passed, and it is on no list. */
void rp_connection_expired(struct rp_connection *connection);

/* Whether its client would lose something if it were cut. */
bool rp_connection_owes(const struct rp_connection *connection);

/* Whether another request may follow the response that begins now. In a drain, and when the client has sent
 * its FIN, only one that is there already. */
bool rp_connection_goes_on(struct rp_connection *connection);

void rp_connection_half_close(struct rp_connection *connection); /* idempotent */
void rp_connection_close(struct rp_connection *connection);      /* idempotent */

#endif
