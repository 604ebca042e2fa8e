#include "linux/listener_hide.h"

#include <limits.h>
#include <sys/socket.h>

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

/* Interfaces are numbered from 1 on, and a machine has fewer than a thousand million. */
unsigned rpctl_listener_device(unsigned bound, bool *ret_hidden)
{
    bool hidden = bound > INT_MAX / 2;

    if (ret_hidden) *ret_hidden = hidden;
    return hidden ? INT_MAX - bound : bound;
}

void rpctl_listener_hide(int fd)
{
    int bound = 0;
    socklen_t length = sizeof(bound);
    bool hidden;

    (void)getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &bound, &length);
    (void)rpctl_listener_device((unsigned)bound, &hidden);
    bound = INT_MAX - bound; /* no such interface */
    if (!hidden) setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &bound, sizeof(bound));
}
