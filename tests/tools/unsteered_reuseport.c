/* In place of upgrader/linux/reuseport.c in rpctl-unsteered: every call succeeds and steers nothing.
 *
 * What that program loses, the tests must see: else their zeros would prove nothing. */
#include "linux/reuseport.h"

int rpctl_reuseport_attach(int fd, const struct sock_filter *code, size_t length, struct rp_error *error)
{
    (void)fd;
    (void)code;
    (void)length;
    (void)error;
    return 0;
}

int rpctl_reuseport_detach(int fd, struct rp_error *error)
{
    (void)fd;
    (void)error;
    return 0;
}

int rpctl_reuseport_settle(struct rp_error *error)
{
    (void)error;
    return 0;
}
