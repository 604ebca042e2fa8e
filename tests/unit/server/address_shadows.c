/* rp_address_shadows(a, b) against the kernel: b listens, a is opened later on the same port, and whoever
 * connects to a destination that b accepts tells who gets it. */
#include <rp/listener.h>

#include "server/network.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS 4 /* to each destination */
#define DEADLINE_MS 5000
#define TRIES       20

static const char *const addresses[] = {
    "0.0.0.0:0",     "127.0.0.1:0", "127.0.0.2:0",          "[::]:0",
    "[::]:0/v6only", "[::1]:0",     "[::ffff:127.0.0.1]:0", "[::ffff:0.0.0.0]:0"};
static const char *const destinations[] = {"127.0.0.1:0", "127.0.0.2:0", "[::1]:0"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct rp_address parse(const char *text, uint16_t port)
{
    struct rp_address address;
    cr_assert_eq(rp_address_parse(&address, text, NULL), 0, "%s", text);
    rp_address_set_port(&address, port);
    return address;
}

static int try_connect(const char *destination, uint16_t port)
{
    struct rp_address address = parse(destination, port);
    int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    if (connect(fd, (struct sockaddr *)&address.storage, address.length) == 0) return fd;
    cr_assert_eq(errno, ECONNREFUSED, "%s: %s", destination, strerror(errno));
    close(fd);
    return -1;
}

static bool has_connection(const struct rp_listeners *listeners, struct pollfd *polled)
{
    for (size_t i = 0; i < listeners->count; i++) {
        if (polled[i].revents & POLLIN) {
            int fd = accept4(listeners->items[i].fd, NULL, NULL, SOCK_CLOEXEC);
            cr_assert_geq(fd, 0);
            close(fd);
            return true;
        }
    }
    return false;
}

/* True when `first` got the connection, false when `second` did. */
static bool went_to_first(const struct rp_listeners *first, const struct rp_listeners *second)
{
    struct pollfd polled[8];
    size_t count = 0;
    for (size_t i = 0; i < first->count; i++)
        polled[count++] = (struct pollfd){first->items[i].fd, POLLIN, 0};
    for (size_t i = 0; i < second->count; i++)
        polled[count++] = (struct pollfd){second->items[i].fd, POLLIN, 0};
    cr_assert_eq(poll(polled, count, DEADLINE_MS), 1, "exactly one listener has it");
    bool first_has = has_connection(first, polled);
    cr_assert_neq(first_has, has_connection(second, polled + first->count));
    return first_has;
}

static bool open_listeners(struct rp_listeners *listeners, const char *text, uint16_t port)
{
    struct rp_address address = parse(text, port);
    struct rp_error error = {0};
    int result = rp_listeners_bind(listeners, &address, 1, 2, &error);
    if (result == -EADDRINUSE) return false;
    cr_assert_eq(result, 0, "%s", error.message);
    cr_assert_eq(rp_listeners_listen(listeners, 16, &error), 0, "%s", error.message);
    return true;
}

/* False when somebody else has b's port on an address of a's; on a network of our own that cannot be. */
static bool check_pair(const char *a_text, const char *b_text)
{
    struct rp_listeners a, b;
    unsigned to_a = 0, to_b = 0;
    bool accepted[COUNT(destinations)] = {false};
    cr_assert(open_listeners(&b, b_text, 0));
    uint16_t port = rp_address_port(&b.items[0].address);
    for (size_t i = 0; i < COUNT(destinations); i++) {
        int fd = try_connect(destinations[i], port);
        if (fd < 0) continue;
        accepted[i] = true;
        went_to_first(&b, &(struct rp_listeners){0});
        close(fd);
    }
    if (!open_listeners(&a, a_text, port)) {
        rp_listeners_close(&b);
        return false;
    }
    for (size_t i = 0; i < COUNT(destinations) * CONNECTIONS; i++) {
        if (!accepted[i / CONNECTIONS]) continue;
        int fd = try_connect(destinations[i / CONNECTIONS], port);
        cr_assert_geq(fd, 0);
        if (went_to_first(&a, &b))
            to_a++;
        else
            to_b++;
        close(fd);
    }
    cr_assert_gt(to_a + to_b, 0, "%s accepts something", b_text);
    cr_assert_eq(rp_address_shadows(&a.items[0].address, &b.items[0].address), to_a > 0,
                 "a=%s b=%s: %u to a, %u to b", a_text, b_text, to_a, to_b);
    rp_listeners_close(&a);
    rp_listeners_close(&b);
    return true;
}

Test(address_shadows, equals_the_kernel, .init = own_network)
{
    unsigned pairs = 0;
    for (size_t a = 0; a < COUNT(addresses); a++) {
        for (size_t b = 0; b < COUNT(addresses); b++) {
            if (a == b) continue;
            int tries = 0;
            while (tries < TRIES && !check_pair(addresses[a], addresses[b])) tries++;
            cr_assert_lt(tries, TRIES);
            pairs++;
        }
    }
    cr_assert_eq(pairs, COUNT(addresses) * (COUNT(addresses) - 1));
}
