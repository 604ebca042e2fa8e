/* A network of the test's own, so that no port of it is held by somebody else on this machine.
 *
 * Owns nothing: the network goes with the test process. Where the machine allows no such thing, the test runs
 * on the loopback interface that all share. */
#ifndef TEST_SERVER_NETWORK_H
#define TEST_SERVER_NETWORK_H

#include <criterion/criterion.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void own_network(void)
{
    struct ifreq loopback = {.ifr_flags = IFF_UP};
    if (unshare(geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWNET | CLONE_NEWUSER) < 0) return;
    strcpy(loopback.ifr_name, "lo");
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &loopback), 0);
    close(fd);
}

#endif
