/* bare-loop PORT [close]: the limit of what a server on one thread can do with epoll, read and write.
 *
 * It writes fixed bytes for every blank line that comes, and that is all it knows of HTTP: no parsing, no
 * deadlines, no bodies, and a response that the socket does not take whole ends the connection. With `close`
 * it closes behind the first response. What it costs per request is the kernel's part, which every server
 * here has to pay too. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS       256
#define BACKLOG      4096
#define INPUT_BYTES  65536
#define OUTPUT_COUNT 256 /* responses in one write */

static const char response[] = "HTTP/1.1 200 OK\r\n"
                               "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                               "Content-Length: 3\r\n"
                               "Content-Type: text/plain; charset=utf-8\r\n"
                               "Server: bare-loop\r\n\r\nok\n";
static const char blank_line[] = "\r\n\r\n";

static char input[INPUT_BYTES];
static char output[OUTPUT_COUNT * (sizeof response - 1)];
static unsigned char *matched; /* of blank_line, by descriptor */
static bool closes;

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) die("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) die("setrlimit");
    matched = calloc(limit.rlim_max, 1);
    if (!matched) die("calloc");
}

static int listen_on(const char *port)
{
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
    if (listen(fd, BACKLOG) < 0) die("listen");
    return fd;
}

static void watch(int poll_fd, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

static void take(int poll_fd, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        matched[fd] = 0;
        watch(poll_fd, fd);
    }
    if (errno != EAGAIN && errno != ECONNABORTED) die("accept4");
}

static unsigned count_requests(int fd, ssize_t length)
{
    unsigned count = 0;
    unsigned char at = matched[fd];
    for (ssize_t i = 0; i < length; i++) {
        at = input[i] == blank_line[at] ? (unsigned char)(at + 1) : input[i] == '\r';
        if (at < sizeof blank_line - 1) continue;
        at = 0;
        count++;
    }
    matched[fd] = at;
    return count;
}

static bool answer(int fd, unsigned count)
{
    while (count > 0) {
        unsigned now = count < OUTPUT_COUNT ? count : OUTPUT_COUNT;
        size_t length = now * (sizeof response - 1);
        if (write(fd, output, length) != (ssize_t)length) return false;
        count -= now;
    }
    return true;
}

static void serve(int fd)
{
    ssize_t length = read(fd, input, sizeof input);
    unsigned count = length > 0 ? count_requests(fd, length) : 0;
    if (length <= 0 || !answer(fd, count) || (closes && count > 0)) close(fd);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];
    if (argc < 2) {
        fprintf(stderr, "usage: bare-loop PORT [close]\n");
        return 2;
    }
    closes = argc > 2;
    raise_descriptor_limit();
    for (size_t i = 0; i < OUTPUT_COUNT; i++)
        memcpy(output + i * (sizeof response - 1), response, sizeof response - 1);
    int listener = listen_on(argv[1]);
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (poll_fd < 0) die("epoll_create1");
    watch(poll_fd, listener);
    for (;;) {
        int count = epoll_wait(poll_fd, events, EVENTS, -1);
        if (count < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                take(poll_fd, listener);
            else
                serve(events[i].data.fd);
        }
    }
}
