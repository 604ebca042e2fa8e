/* A server with a protocol and a loop of its own, on the public headers alone: what it needs of librp to be
 * upgraded, and to be taken over by a new supervisor. It echoes lines, one connection at a time.
 *
 *   own-loop ADDRESS      SIGTERM: stops listening, and ends with the connection that it has */
#include <errno.h>
#include <poll.h>
#include <rp/lifecycle.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTENERS 2

enum {
    WATCH_SUPERVISOR,
    WATCH_SIGNAL,
    WATCH_CLIENT,
    WATCH_LISTENER,
    WATCH_COUNT = WATCH_LISTENER + LISTENERS
};

static struct pollfd watched[WATCH_COUNT];

static int fail(const struct rp_error *error)
{
    fprintf(stderr, "own-loop: %s\n", error->message);
    return EXIT_FAILURE;
}

static int watch_sigterm(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int start(struct rp_lifecycle *lifecycle, struct rp_listeners *listeners, const char *text,
                 struct rp_error *error)
{
    struct rp_address address;
    int result = rp_address_parse(&address, text, error);
    if (result == 0) result = rp_lifecycle_listen(lifecycle, listeners, &address, 1, LISTENERS, 16, error);
    if (result < 0) return result;
    for (int i = 0; i < WATCH_COUNT; i++) watched[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    watched[WATCH_SUPERVISOR].fd = rp_lifecycle_fd(lifecycle); /* poll() passes over -1 */
    watched[WATCH_SIGNAL].fd = watch_sigterm();
    for (int i = 0; i < LISTENERS; i++) watched[WATCH_LISTENER + i].fd = listeners->items[i].fd;
    return rp_lifecycle_ready(lifecycle, "tcp", error);
}

static void stop(struct rp_lifecycle *lifecycle, struct rp_listeners *listeners)
{
    for (int i = 0; i < LISTENERS; i++) watched[WATCH_LISTENER + i].fd = -1;
    close(watched[WATCH_SIGNAL].fd);
    watched[WATCH_SIGNAL].fd = -1;
    rp_listeners_close(listeners);
    rp_lifecycle_stopping(lifecycle);
}

static void take_client(int listener)
{
    if (watched[WATCH_CLIENT].fd < 0) watched[WATCH_CLIENT].fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

static void echo(void)
{
    char bytes[512];
    int fd = watched[WATCH_CLIENT].fd;
    ssize_t count = recv(fd, bytes, sizeof bytes, 0);
    if (count > 0 && send(fd, bytes, (size_t)count, MSG_NOSIGNAL) == count) return;
    close(fd);
    watched[WATCH_CLIENT].fd = -1;
}

/* A client that comes while there is another one waits in the queue. */
static void wait_for_work(void)
{
    bool alone = watched[WATCH_CLIENT].fd < 0;
    for (int i = 0; i < LISTENERS; i++) watched[WATCH_LISTENER + i].events = alone ? POLLIN : 0;
    while (poll(watched, WATCH_COUNT, -1) < 0 && errno == EINTR) continue;
}

static void serve(struct rp_lifecycle *lifecycle, struct rp_listeners *listeners)
{
    bool draining = false;
    while (!draining || watched[WATCH_CLIENT].fd >= 0) {
        wait_for_work();
        if (watched[WATCH_SUPERVISOR].revents) rp_lifecycle_dispatch(lifecycle);
        if (watched[WATCH_CLIENT].revents) echo();
        for (int i = 0; i < LISTENERS; i++) {
            if (watched[WATCH_LISTENER + i].revents) take_client(watched[WATCH_LISTENER + i].fd);
        }
        if (watched[WATCH_SIGNAL].revents) {
            draining = true;
            stop(lifecycle, listeners);
        }
    }
}

int main(int argc, char *argv[])
{
    struct rp_lifecycle *lifecycle;
    struct rp_listeners listeners = {0};
    struct rp_error error;
    if (argc != 2) {
        fprintf(stderr, "usage: own-loop ADDRESS\n");
        return 2;
    }
    if (rp_lifecycle_new(&lifecycle, &error) < 0) return fail(&error);
    int result = start(lifecycle, &listeners, argv[1], &error);
    if (result == 0) serve(lifecycle, &listeners);
    rp_listeners_close(&listeners);
    rp_lifecycle_free(lifecycle);
    return result < 0 ? fail(&error) : EXIT_SUCCESS;
}
