/* In place of upgrader/linux/listener_hide.c in rpctl-unsteered: nothing is hidden. */
#include "linux/listener_hide.h"

unsigned rpctl_listener_device(unsigned bound, bool *ret_hidden)
{
    if (ret_hidden) *ret_hidden = false;
    return bound;
}

void rpctl_listener_hide(int fd)
{
    (void)fd;
}
