#include "loop.h"

#include "client.h"
#include "command.h"
#include "report.h"
#include "run.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define EVENTS_PER_TURN 256
#define INPUT_BYTES     256
#define FIRST_WINDOW    "start"
#define NO_WAIT         UINT64_MAX
#define WAIT_MAX_MS     100
#define FROZEN_NS       200000000u /* a turn that takes so much longer than it should was not our doing */

struct loop {
    struct load_run run;
    struct load_client *clients;
    size_t client_count;
    int signal_fd;
    uint64_t end_ns;      /* by --duration */
    uint64_t turn_ns;     /* when the last turn began */
    uint64_t awaited_end; /* report when run.ended reaches it */
    bool settle_awaited;  /* report when no request of an earlier window is under way */
    bool running_reported;
    size_t input_length;
    char input[INPUT_BYTES];
};

static void on_command(struct loop *loop, const char *line)
{
    struct load_command command = load_command_parse(line);
    switch (command.kind) {
    case LOAD_COMMAND_MARK:
        if (load_windows_mark(&loop->run.windows, command.name, load_now_ns()) == 0)
            load_report_mark(&loop->run);
        else
            fprintf(stderr, "rp-load: no room for window %s\n", command.name);
        break;
    case LOAD_COMMAND_ANSWERS: loop->awaited_end = loop->run.ended + command.count; break;
    case LOAD_COMMAND_SETTLE: loop->settle_awaited = true; break;
    case LOAD_COMMAND_STOP: loop->run.stopping = true; break;
    case LOAD_COMMAND_BAD: fprintf(stderr, "rp-load: unknown command on standard input: %s\n", line); break;
    }
}

static void take_lines(struct loop *loop)
{
    char *newline = NULL;
    while ((newline = memchr(loop->input, '\n', loop->input_length))) {
        *newline = '\0';
        on_command(loop, loop->input);
        size_t taken = (size_t)(newline - loop->input) + 1;
        loop->input_length -= taken;
        memmove(loop->input, loop->input + taken, loop->input_length);
    }
    if (loop->input_length == INPUT_BYTES) {
        fprintf(stderr, "rp-load: a line on standard input is too long\n");
        loop->input_length = 0;
    }
}

static void on_input(struct loop *loop)
{
    ssize_t size = read(STDIN_FILENO, loop->input + loop->input_length, INPUT_BYTES - loop->input_length);
    if (size > 0) {
        loop->input_length += (size_t)size;
        take_lines(loop);
        return;
    }
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) return;
    epoll_ctl(loop->run.epoll_fd, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
    if (loop->run.options->duration_ms == 0) loop->run.stopping = true;
}

static int add_to_poll(struct loop *loop, int fd, void *key)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = key};
    return epoll_ctl(loop->run.epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_signals(struct loop *loop)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    loop->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (loop->signal_fd < 0) return -errno;
    return add_to_poll(loop, loop->signal_fd, &loop->signal_fd);
}

/* A regular file or /dev/null cannot be polled and brings no commands: then the run ends by a signal only. */
static int watch_input(struct loop *loop)
{
    int error = add_to_poll(loop, STDIN_FILENO, loop->input);
    return error == -EPERM || error == -EBADF ? 0 : error;
}

static int create_clients(struct loop *loop)
{
    const struct load_options *options = loop->run.options;
    unsigned fresh = options->clients[LOAD_FRESH];
    loop->client_count = fresh + options->clients[LOAD_KEEP_ALIVE];
    loop->run.untried = loop->client_count;
    int error = load_deadlines_init(&loop->run.deadlines, loop->client_count);
    if (error < 0) return error;
    loop->clients = calloc(loop->client_count, sizeof(*loop->clients));
    if (!loop->clients) return -ENOMEM;
    for (unsigned i = 0; i < loop->client_count; i++)
        load_client_init(&loop->clients[i], &loop->run, i, i < fresh ? LOAD_FRESH : LOAD_KEEP_ALIVE);
    return 0;
}

static int set_up(struct loop *loop)
{
    const struct load_options *options = loop->run.options;
    loop->run.start_ns = load_now_ns();
    loop->turn_ns = loop->run.start_ns;
    loop->run.random_state = 2463534242u;
    loop->awaited_end = NO_WAIT;
    loop->end_ns = LOAD_DEADLINE_NONE;
    if (options->duration_ms > 0) loop->end_ns = loop->run.start_ns + options->duration_ms * 1000000u;
    loop->run.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->run.epoll_fd < 0) return -errno;
    int error = open_signals(loop);
    if (error == 0) error = watch_input(loop);
    if (error == 0) error = load_windows_mark(&loop->run.windows, FIRST_WINDOW, loop->run.start_ns);
    return error == 0 ? create_clients(loop) : error;
}

static void tear_down(struct loop *loop)
{
    for (size_t i = 0; loop->clients && i < loop->client_count; i++) load_client_done(&loop->clients[i]);
    free(loop->clients);
    load_windows_done(&loop->run.windows);
    load_deadlines_done(&loop->run.deadlines);
    if (loop->signal_fd >= 0) close(loop->signal_fd);
    if (loop->run.epoll_fd >= 0) close(loop->run.epoll_fd);
}

static bool is_settled(const struct loop *loop)
{
    for (size_t i = 0; i < loop->client_count; i++)
        if (!load_client_is_settled(&loop->clients[i])) return false;
    return true;
}

static void report_progress(struct loop *loop)
{
    if (!loop->running_reported && loop->run.untried == 0) {
        loop->running_reported = true;
        load_report_event(&loop->run, "running");
    }
    if (loop->run.ended >= loop->awaited_end) {
        loop->awaited_end = NO_WAIT;
        load_report_event(&loop->run, "answers");
    }
    if (loop->settle_awaited && is_settled(loop)) {
        loop->settle_awaited = false;
        load_report_event(&loop->run, "settled");
    }
}

/* Rounded up, so that the deadline has passed after the wait; short, so that a freeze is measured well. */
static int wait_ms(const struct loop *loop)
{
    uint64_t now_ns = load_now_ns();
    uint64_t next_ns = load_deadlines_next_ns(&loop->run.deadlines);
    if (loop->end_ns < next_ns) next_ns = loop->end_ns;
    if (next_ns <= now_ns) return 0;
    uint64_t ms = (next_ns - now_ns + 999999) / 1000000;
    return ms < WAIT_MAX_MS ? (int)ms : WAIT_MAX_MS;
}

/* By the time at which the turn began: a freeze since then is noticed in the next one, before this. */
static void pass_deadlines(struct loop *loop)
{
    uint64_t now_ns = loop->turn_ns;
    for (size_t i = 0; i < loop->client_count; i++)
        if (loop->run.deadlines.at_ns[i] <= now_ns) load_client_on_deadline(&loop->clients[i]);
    if (loop->end_ns <= now_ns) {
        loop->run.stopping = true;
        loop->end_ns = LOAD_DEADLINE_NONE;
    }
}

/* When the machine stops for a while, or the whole process does, the server had no chance either: its time
 * does not run meanwhile. The latencies are left as they are. */
static void allow_for_freeze(struct loop *loop, int waited_ms)
{
    uint64_t now_ns = load_now_ns();
    uint64_t elapsed_ns = now_ns - loop->turn_ns;
    uint64_t wanted_ns = waited_ms > 0 ? (uint64_t)waited_ms * 1000000u : 0;
    loop->turn_ns = now_ns;
    if (elapsed_ns < wanted_ns + FROZEN_NS) return;
    loop->run.frozen_ns += elapsed_ns - wanted_ns;
    load_deadlines_postpone(&loop->run.deadlines, elapsed_ns - wanted_ns);
}

static void turn(struct loop *loop)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int timeout_ms = wait_ms(loop);
    int count = epoll_wait(loop->run.epoll_fd, events, EVENTS_PER_TURN, timeout_ms);
    allow_for_freeze(loop, timeout_ms);
    for (int i = 0; i < count; i++) {
        void *key = events[i].data.ptr;
        if (key == loop->input)
            on_input(loop);
        else if (key == &loop->signal_fd)
            loop->run.stopping = true;
        else
            load_client_on_event(key);
    }
    pass_deadlines(loop);
    report_progress(loop);
}

int load_loop_run(const struct load_options *options, uint64_t *ret_failures)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (!loop) return -ENOMEM;
    loop->run.options = options;
    loop->run.epoll_fd = -1;
    loop->signal_fd = -1;
    int error = set_up(loop);
    while (error == 0 && (!loop->run.stopping || loop->run.busy > 0)) turn(loop);
    if (error == 0) error = load_report_result(&loop->run, ret_failures);
    tear_down(loop);
    free(loop);
    return error;
}
