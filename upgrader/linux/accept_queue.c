#include "linux/accept_queue.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

int rpctl_accept_queue_read(int fd, struct rpctl_accept_queue *ret_queue, struct rp_error *error)
{
    struct tcp_info info;
    socklen_t length = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0)
        return rp_error_set(error, -errno, "cannot read the accept queue: %s", strerror(errno));
    if (info.tcpi_state != TCP_LISTEN)
        return rp_error_set(error, -EINVAL, "cannot read the accept queue: the socket is not listening");
    /* For a listener tcp_get_info() puts the two lengths into these fields. */
    ret_queue->waiting = info.tcpi_unacked;
    ret_queue->limit = info.tcpi_sacked;
    return 0;
}
