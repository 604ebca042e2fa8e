#include "linux/exposure.h"
#include "fixture.h"
#include "kernel_group.h"

#include <criterion/criterion.h>
#include <poll.h>

static struct rp_address parse(const char *ip, uint16_t port)
{
    struct rp_address address;
    char text[64];
    test_format(text, ip, port);
    cr_assert_eq(rp_address_parse(&address, text, NULL), 0);
    return address;
}

static int connect_to(const struct rp_address *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(fd, (const struct sockaddr *)&address->storage, address->length), 0);
    return fd;
}

static bool has_connection(int listener)
{
    struct pollfd poll_fd = {.fd = listener, .events = POLLIN};
    return poll(&poll_fd, 1, TEST_WAIT_MS) == 1;
}

Test(exposure, is_ended_and_counted, .timeout = 30)
{
    uint16_t port = 0;
    int old = test_listen("0.0.0.0", &port), new = test_listen("127.0.0.1", &port);
    struct rp_address old_address = parse("0.0.0.0", port), new_address = parse("127.0.0.1", port);
    struct rp_address target = new_address;
    struct rpctl_exposure exposure;
    int clients[4], accepted;

    for (int i = 0; i < 3; i++) clients[i] = connect_to(&target);
    cr_assert(has_connection(new), "the kernel gives it to the more exact address");
    accepted = accept(new, NULL, NULL);
    rpctl_exposure_end(&new, &new_address, 1, &old_address, 1, getpid(), &exposure);
    cr_assert_eq(exposure.listeners, 1);
    cr_assert_gt(exposure.ended_ns, 0);
    cr_assert_eq(exposure.queued, 2);
    /* What this process holds of them: the accepted end. */
    cr_assert_eq(exposure.open, 1);

    clients[3] = connect_to(&target);
    cr_assert(has_connection(old), "from now on the old one gets them");
    for (int i = 0; i < 2; i++) cr_assert(has_connection(new), "what was queued can still be accepted");
    for (int i = 0; i < 4; i++) close(clients[i]);
    close(accepted);
    close(new);
    close(old);
}

Test(exposure, an_address_of_old_is_left_alone, .timeout = 30)
{
    uint16_t port = 0;
    int new = test_listen("127.0.0.1", &port);
    struct rp_address address = parse("127.0.0.1", port);
    struct rpctl_exposure exposure;
    int client;

    rpctl_exposure_end(&new, &address, 1, &address, 1, getpid(), &exposure);
    cr_assert_eq(exposure.listeners, 0);
    cr_assert_eq(exposure.ended_ns, 0);
    client = connect_to(&address);
    cr_assert(has_connection(new));
    close(client);
    close(new);
}
