#include "linux/bind_error.h"
#include "linux/listen_fds.h"
#include "pure/listener_check.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

static int set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

static int set_options(int fd, const struct rp_address *address)
{
    int result = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    /* For the connections of an earlier program without SO_REUSEPORT: their last minute does not block us. A
     * program that listens still does. */
    if (result == 0) result = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    /* Always said, for net.ipv6.bindv6only may have changed the default. */
    if (result == 0 && address->storage.ss_family == AF_INET6)
        result = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, address->v6only);
    return result;
}

static int bind_socket(int fd, const struct rp_address *address)
{
    int result = set_options(fd, address);
    if (result < 0) return result;
    return bind(fd, (const struct sockaddr *)&address->storage, address->length) < 0 ? -errno : 0;
}

static int open_one(struct rp_listener *ret_listener, const struct rp_address *address,
                    struct rp_error *error)
{
    struct rp_listener listener = {.address = *address};
    listener.fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    int result = listener.fd < 0 ? -errno : bind_socket(listener.fd, address);
    if (result < 0) {
        if (listener.fd >= 0) close(listener.fd);
        return rp_bind_error(address, result, error);
    }
    if (rp_address_port(address) == 0) result = rp_address_of_socket(&listener.address, listener.fd, error);
    if (result < 0) {
        close(listener.fd);
        return result;
    }
    *ret_listener = listener;
    return 0;
}

static int open_all(struct rp_listeners *listeners, struct rp_address address, unsigned per_address,
                    struct rp_error *error)
{
    for (unsigned i = 0; i < per_address; i++) {
        struct rp_listener *listener = &listeners->items[listeners->count];
        int result = open_one(listener, &address, error);
        if (result < 0) return result;
        address = listener->address;
        listeners->count++;
    }
    return 0;
}

/* Moves the inherited listeners of one address over; says how many. */
static size_t move_inherited(struct rp_listeners *listeners, struct rp_listeners *inherited,
                             const struct rp_address *address)
{
    size_t moved = 0;
    for (size_t i = 0; i < inherited->count; i++) {
        if (!rp_address_equal(&inherited->items[i].address, address)) continue;
        listeners->items[listeners->count++] = inherited->items[i];
        inherited->items[i].fd = -1;
        moved++;
    }
    return moved;
}

static int fill(struct rp_listeners *listeners, struct rp_listeners *inherited,
                const struct rp_address *addresses, size_t count, unsigned per_address,
                struct rp_error *error)
{
    int result = rp_listeners_check_inherited(inherited, addresses, count, error);
    for (size_t i = 0; i < count && result == 0; i++) {
        /* What is inherited may have connections waiting in its queue, so it must be served; and it is as
         * many listeners as the address had before, so no more are needed. */
        if (move_inherited(listeners, inherited, &addresses[i]) > 0) continue;
        result = open_all(listeners, addresses[i], per_address, error);
    }
    if (result == 0 && listeners->count > RP_LISTENERS_MAX)
        result = rp_error_set(error, -E2BIG, "%zu listeners are too many, %d is the limit; use fewer workers",
                              listeners->count, RP_LISTENERS_MAX);
    return result;
}

int rp_listeners_bind(struct rp_listeners *ret_listeners, const struct rp_address *addresses, size_t count,
                      unsigned per_address, struct rp_error *error)
{
    struct rp_listeners inherited = {0}, listeners = {0};
    if (per_address < RP_LISTENERS_PER_ADDRESS_MIN) per_address = RP_LISTENERS_PER_ADDRESS_MIN;
    int result = rp_listeners_check_request(addresses, count, per_address, error);
    if (result < 0) return result;
    result = rp_listen_fds_take(&inherited, error);
    if (result < 0) return result;
    listeners.items = calloc(inherited.count + count * per_address, sizeof *listeners.items);
    result = listeners.items == NULL ? rp_error_set(error, -ENOMEM, "no memory for the listeners")
                                     : fill(&listeners, &inherited, addresses, count, per_address, error);
    rp_listeners_close(&inherited);
    if (result < 0) {
        rp_listeners_close(&listeners);
        return result;
    }
    *ret_listeners = listeners;
    return 0;
}

int rp_listeners_listen(struct rp_listeners *listeners, int backlog, struct rp_error *error)
{
    for (size_t i = 0; i < listeners->count; i++) {
        const struct rp_listener *listener = &listeners->items[i];
        if (listener->inherited) continue;
        assert(listener->fd >= 0);
        if (listen(listener->fd, backlog) < 0) return rp_bind_error(&listener->address, -errno, error);
    }
    return 0;
}

void rp_listeners_close(struct rp_listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        if (listeners->items[i].fd >= 0) close(listeners->items[i].fd);
    }
    free(listeners->items);
    *listeners = (struct rp_listeners){0};
}
