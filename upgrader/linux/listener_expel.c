#include "linux/listener_expel.h"

#include "linux/accept_queue.h"
#include <stddef.h>

#include <sys/socket.h>

unsigned rpctl_listener_expel(int fd)
{
    struct rpctl_accept_queue queue = {0};

    if (rpctl_accept_queue_read(fd, &queue, NULL) < 0) return 0;
    shutdown(fd, SHUT_RDWR);
    return queue.waiting;
}
