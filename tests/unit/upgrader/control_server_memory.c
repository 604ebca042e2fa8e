/* The control server when memory runs out: its source is taken in with an allocator that fails at will. */
#include "failing_memory.h"

static bool all_fail_from_the_request_on;

#define calloc failing_calloc
#define malloc failing_malloc
#include "shell/control_accept.c"
#include "shell/control_client.c"
#include "shell/control_past.c"
#include "shell/control_server.c"
#undef calloc
#undef malloc

#include "fixture.h"
#include <sys/un.h>

static uv_loop_t loop;
static struct sockaddr_un address;
static int requests, gone;

static void on_request(struct rpctl_control_client *client, const char *line, size_t length, void *data)
{
    (void)line;
    (void)length;
    (void)data;
    requests++;
    all_allocations_fail = all_fail_from_the_request_on;
    rpctl_control_client_send(client, "{}");
    rpctl_control_client_finish(client);
}

static void on_client_closed(struct rpctl_control_client *client, void *data)
{
    (void)client;
    (void)data;
    gone++;
}

static const struct rpctl_control_handlers handlers = {on_request, on_client_closed};

static int listen_abstract(void)
{
    address.sun_family = AF_UNIX;
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "rpctl-memory-test-%d", getpid());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(fd, 16), 0);
    return fd;
}

static int connect_client(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(send(fd, "x\n", 2, MSG_NOSIGNAL), 2);
    return fd;
}

/* Lets the server do what it can. Unix sockets of one process need no time: all is there at the next turn. */
static void turn(void)
{
    for (int i = 0; i < 20; i++) uv_run(&loop, UV_RUN_NOWAIT);
}

static ssize_t read_answer(int fd)
{
    char bytes[1024];
    ssize_t length = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    close(fd);
    return length;
}

Test(control_server_memory, every_allocation_fails_once, .timeout = 30)
{
    int n = 0;
    for (bool good = false; !good; n++) {
        struct rpctl_control_server *server = NULL;
        struct rp_error error;
        requests = gone = 0;
        cr_assert_eq(uv_loop_init(&loop), 0);
        int fd = listen_abstract();
        allocations_until_failure = n;
        int r = rpctl_control_server_new(&loop, fd, "web", &handlers, NULL, &server, &error);
        cr_assert(r == 0 || r == -ENOMEM);
        if (r == 0) {
            int client = connect_client();
            turn();
            good = read_answer(client) == 3;
            allocations_until_failure = -1;
            int next = connect_client();
            turn();
            cr_assert_eq(read_answer(next), 3, "the server is deaf after allocation %d has failed", n);
            rpctl_control_server_close(server, NULL, NULL);
        }
        allocations_until_failure = -1;
        expect_loop_empty(&loop);
        cr_assert_eq(gone, requests);
    }
    cr_assert_geq(n, 3);
}

Test(control_server_memory, it_listens_on_when_there_was_none_for_many, .timeout = 30)
{
    struct rpctl_control_server *server;
    int refused[10];
    cr_assert_eq(uv_loop_init(&loop), 0);
    cr_assert_eq(rpctl_control_server_new(&loop, listen_abstract(), "web", &handlers, NULL, &server, NULL),
                 0);
    all_allocations_fail = true;
    for (int i = 0; i < 10; i++) refused[i] = connect_client();
    turn();
    turn();
    all_allocations_fail = false;
    for (int i = 0; i < 10; i++) cr_assert_gt(read_answer(refused[i]), 3, "client %d was not told", i);
    cr_assert_eq(requests, 0);
    int client = connect_client();
    turn();
    cr_assert_eq(read_answer(client), 3);
    rpctl_control_server_close(server, NULL, NULL);
    expect_loop_empty(&loop);
    cr_assert_eq(gone, 1);
}

/* Whoever has asked hears the end: an answer that the socket takes at once needs no memory. */
Test(control_server_memory, an_answer_needs_none, .timeout = 30)
{
    struct rpctl_control_server *server;
    cr_assert_eq(uv_loop_init(&loop), 0);
    cr_assert_eq(rpctl_control_server_new(&loop, listen_abstract(), "web", &handlers, NULL, &server, NULL),
                 0);
    all_fail_from_the_request_on = true;
    int client = connect_client();
    turn();
    all_allocations_fail = false;
    cr_assert_eq(read_answer(client), 3);
    rpctl_control_server_close(server, NULL, NULL);
    expect_loop_empty(&loop);
}
