/* The link of this process to its supervisor: a connection on which nothing is said, whose end tells that the
 * supervisor is gone. The next supervisor listens on the same path, on another socket.
 *
 *   init --connect()--> LINKED --its end--> LOST, a tick is due
 *     '--failed-----------------------------> ^ |  '--tick: connect() failed--> LOST
 *                                               '-----tick: connect()---------> LINKED, which is news
 *
 * A link that has ended is made anew a tick later and not at once, so that a supervisor that accepts and
 * closes (one that takes us for a stranger) does not keep this process busy. Bytes that come are left where
 * they are: they are reserved, and a reader that does not know them must not spin on them.
 *
 * Owns the connection, a timer, and an epoll descriptor that has both. Never blocks. Not thread-safe. */
#ifndef RP_LINUX_LINK_H
#define RP_LINUX_LINK_H

#include <rp/error.h>
#include <sys/socket.h>
#include <sys/un.h>

#define RP_LINK_TICK_MS 250

struct rp_link {
    int epoll_fd; /* -1: there is nobody to be linked to */
    int timer_fd;
    int fd; /* -1: LOST */
    struct sockaddr_un address;
    socklen_t address_length;
};

enum rp_link_news {
    RP_LINK_NOTHING,
    RP_LINK_MADE, /* to a supervisor that knows nothing of this process */
    RP_LINK_TICK, /* LINKED, and the tick that was asked for has come */
};

/* `path` is RP_SOCKET, or NULL: then there is no link, ever. Makes the first try to connect; one that fails
 * is no error, and the link is LOST. -EINVAL, -ENAMETOOLONG, or what epoll_create1(), timerfd_create() or
 * epoll_ctl() says, with a message; then nothing is open. */
int rp_link_init(struct rp_link *link, const char *path, struct rp_error *error);
void rp_link_done(struct rp_link *link);

/* Does what is due; call it when epoll_fd is readable. Harmless at any other time. */
enum rp_link_news rp_link_dispatch(struct rp_link *link);

/* Asks for one tick, RP_LINK_TICK_MS from now. */
void rp_link_ask_tick(struct rp_link *link);

#endif
