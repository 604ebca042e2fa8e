#include "linux/notify.h"

#include "server/child.h"

#include <errno.h>
#include <pthread.h>
#include <rp/listener.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

/* A socket as a supervisor has it, and its address as NOTIFY_SOCKET. */
struct receiver {
    int fd;
    char name[108];
};

static void receiver_open_at(struct receiver *receiver)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(receiver->name);
    memcpy(address.sun_path, receiver->name, length);
    if (receiver->name[0] == '@') address.sun_path[0] = '\0';
    receiver->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_eq(bind(receiver->fd, (struct sockaddr *)&address,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
                 0);
}

static void receiver_open(struct receiver *receiver, bool abstract)
{
    if (abstract)
        snprintf(receiver->name, sizeof receiver->name, "@rp-test-%d", (int)getpid());
    else
        snprintf(receiver->name, sizeof receiver->name, "/tmp/rp-test-%d.sock", (int)getpid());
    receiver_open_at(receiver);
}

static void receiver_close(struct receiver *receiver)
{
    close(receiver->fd);
    if (receiver->name[0] == '/') unlink(receiver->name);
}

static ssize_t receive(const struct receiver *receiver, char text[1024])
{
    ssize_t bytes = recv(receiver->fd, text, 1023, 0);
    text[bytes < 0 ? 0 : bytes] = '\0';
    return bytes;
}

static void must_init(struct rp_notify *notify, const char *address)
{
    struct rp_error error = {0};
    cr_assert_eq(rp_notify_init(notify, address, &error), 0, "%s", error.message);
}

static unsigned fill(struct rp_notify *notify)
{
    unsigned sent = 0;
    while (rp_notify_send(notify, "X=1\n", NULL, 0, 0) == 0) sent++;
    cr_assert_gt(sent, 0);
    return sent;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

Test(notify, both_kinds_of_address)
{
    for (int abstract = 0; abstract < 2; abstract++) {
        struct receiver receiver;
        struct rp_notify notify;
        char text[1024];
        receiver_open(&receiver, abstract);
        must_init(&notify, receiver.name);
        cr_assert_eq(rp_notify_send(&notify, "READY=1\n", NULL, 0, 0), 0);
        cr_assert_eq(rp_notify_send(&notify, "STOPPING=1\n", NULL, 0, 1000), 0);
        cr_assert_eq(receive(&receiver, text), 8);
        cr_assert_str_eq(text, "READY=1\n");
        receive(&receiver, text);
        cr_assert_str_eq(text, "STOPPING=1\n");
        rp_notify_done(&notify);
        rp_notify_done(&notify);
        receiver_close(&receiver);
    }
}

Test(notify, nobody_wants_to_know)
{
    struct rp_notify notify;
    size_t before = count_descriptors();
    must_init(&notify, NULL);
    cr_assert_eq(rp_notify_send(&notify, "READY=1\n", (int[]){0}, 1, 1000), 0);
    cr_assert_eq(count_descriptors(), before);
    rp_notify_done(&notify);
}

Test(notify, a_bad_address_leaves_no_descriptor)
{
    struct rp_notify notify;
    size_t before = count_descriptors();
    cr_assert_eq(rp_notify_init(&notify, "relative", NULL), -EINVAL);
    cr_assert_eq(count_descriptors(), before);
}

static const char *no_descriptor_for_the_socket(void *argument)
{
    struct rp_notify notify;
    struct rp_error error = {0};
    struct rlimit none = {0, 0};
    (void)argument;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    CHECK(rp_notify_init(&notify, "@x", &error) == -EMFILE);
    CHECK(strstr(error.message, "cannot open a socket for notifications") != NULL);
    return NULL;
}

Test(notify, no_descriptor)
{
    run_in_child(no_descriptor_for_the_socket, NULL);
}

Test(notify, a_full_receiver_blocks_nobody)
{
    struct receiver receiver;
    struct rp_notify notify;
    char text[1024];
    receiver_open(&receiver, true);
    must_init(&notify, receiver.name);
    unsigned sent = fill(&notify);
    for (int i = 0; i < 1000; i++) cr_assert_eq(rp_notify_send(&notify, "X=2\n", NULL, 0, 0), -EAGAIN);
    for (unsigned i = 0; i < sent; i++) cr_assert_eq(receive(&receiver, text), 4);
    cr_assert_eq(receive(&receiver, text), -1);
    cr_assert_eq(rp_notify_send(&notify, "X=3\n", NULL, 0, 0), 0);
    rp_notify_done(&notify);
    receiver_close(&receiver);
}

Test(notify, waiting_ends_at_the_deadline)
{
    struct receiver receiver;
    struct rp_notify notify, other;
    receiver_open(&receiver, true);
    must_init(&notify, receiver.name);
    must_init(&other, "@rp-test-nobody-is-here");
    fill(&notify);
    int64_t start = now_ms();
    cr_assert_eq(rp_notify_send(&notify, "X=2\n", NULL, 0, 150), -EAGAIN);
    int64_t middle = now_ms();
    cr_assert_geq(middle - start, 150);
    cr_assert_eq(rp_notify_send(&other, "X=2\n", NULL, 0, 150), -ECONNREFUSED);
    cr_assert_geq(now_ms() - middle, 150);
    rp_notify_done(&notify);
    rp_notify_done(&other);
    receiver_close(&receiver);
}

struct sender {
    struct rp_notify *notify;
    int result;
};

static void *send_waiting(void *argument)
{
    struct sender *sender = argument;
    sender->result = rp_notify_send(sender->notify, "READY=1\n", NULL, 0, 60000);
    return NULL;
}

/* Until the last of the messages is `wanted`. */
static void receive_until(struct receiver *receiver, const char *wanted)
{
    char text[1024] = "";
    int64_t deadline = now_ms() + 10000;
    while (strcmp(text, wanted) != 0 && now_ms() < deadline) receive(receiver, text);
    cr_assert_str_eq(text, wanted);
}

Test(notify, waits_for_room)
{
    struct receiver receiver;
    struct rp_notify notify;
    struct sender sender = {&notify, 1};
    pthread_t thread;
    receiver_open(&receiver, true);
    must_init(&notify, receiver.name);
    fill(&notify);
    cr_assert_eq(pthread_create(&thread, NULL, send_waiting, &sender), 0);
    receive_until(&receiver, "READY=1\n");
    pthread_join(thread, NULL);
    cr_assert_eq(sender.result, 0);
    rp_notify_done(&notify);
    receiver_close(&receiver);
}

Test(notify, waits_for_the_receiver_to_appear)
{
    struct receiver receiver;
    struct rp_notify notify;
    struct sender sender = {&notify, 1};
    pthread_t thread;
    receiver_open(&receiver, false);
    receiver_close(&receiver);
    must_init(&notify, receiver.name);
    cr_assert_eq(rp_notify_send(&notify, "X=1\n", NULL, 0, 0), -ENOENT);
    cr_assert_eq(pthread_create(&thread, NULL, send_waiting, &sender), 0);
    receiver_open_at(&receiver);
    receive_until(&receiver, "READY=1\n");
    pthread_join(thread, NULL);
    cr_assert_eq(sender.result, 0);
    rp_notify_done(&notify);
    receiver_close(&receiver);
}

/* The receiver goes while somebody waits for room in its queue, and another comes. */
Test(notify, waits_across_a_restart_of_the_receiver)
{
    struct receiver receiver;
    struct rp_notify notify;
    struct sender sender = {&notify, 1};
    pthread_t thread;
    receiver_open(&receiver, false);
    must_init(&notify, receiver.name);
    fill(&notify);
    cr_assert_eq(pthread_create(&thread, NULL, send_waiting, &sender), 0);
    receiver_close(&receiver);
    receiver_open_at(&receiver);
    receive_until(&receiver, "READY=1\n");
    pthread_join(thread, NULL);
    cr_assert_eq(sender.result, 0);
    rp_notify_done(&notify);
    receiver_close(&receiver);
}

Test(notify, the_next_receiver_gets_the_next_message)
{
    struct receiver receiver;
    struct rp_notify notify;
    char text[1024];
    receiver_open(&receiver, false);
    must_init(&notify, receiver.name);
    cr_assert_eq(rp_notify_send(&notify, "X=1\n", NULL, 0, 0), 0);
    receiver_close(&receiver);
    cr_assert_eq(rp_notify_send(&notify, "X=2\n", NULL, 0, 0), -ENOENT);
    receiver_open_at(&receiver);
    cr_assert_eq(rp_notify_send(&notify, "X=3\n", NULL, 0, 0), 0);
    receive(&receiver, text);
    cr_assert_str_eq(text, "X=3\n");
    receiver_close(&receiver);
    receiver_open_at(&receiver);
    cr_assert_eq(rp_notify_send(&notify, "X=4\n", NULL, 0, 0), 0, "replaced unnoticed: one try is enough");
    receive(&receiver, text);
    cr_assert_str_eq(text, "X=4\n");
    rp_notify_done(&notify);
    receiver_close(&receiver);
}

Test(notify, other_errors_are_not_waited_for)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct rp_notify notify;
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/rp-test-stream-%d.sock", (int)getpid());
    int stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(stream, (struct sockaddr *)&address, sizeof address), 0);
    must_init(&notify, address.sun_path);
    int64_t start = now_ms();
    cr_assert_eq(rp_notify_send(&notify, "X=1\n", NULL, 0, 60000), -EPROTOTYPE);
    cr_assert_lt(now_ms() - start, 30000);
    rp_notify_done(&notify);
    unlink(address.sun_path);
    close(stream);
}
