/* The program's hooks: on which thread each is called, in which order, and what becomes of a failure. */
#include "live_server.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define WORKERS 3

struct worker_state {
    unsigned number;
    pthread_t thread;
    uv_timer_t timer; /* never closed by itself */
};

static struct {
    pthread_mutex_t lock;
    char text[512]; /* one letter per call: S(tart), w(orker_start), D(rain), x (worker_exit), E(xit) */
    pthread_t server_thread;
    unsigned fails; /* the worker whose worker_start fails, or WORKERS */
    const char *reason;
    int start_result;
    struct live_gate *gate;    /* that worker_start passes, or NULL */
    struct live_gate *drained; /* that drain opens, or NULL */
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note(const char *letter)
{
    pthread_mutex_lock(&seen.lock);
    strcat(seen.text, letter);
    pthread_mutex_unlock(&seen.lock);
}

static int on_start(void *user, struct rp_error *error)
{
    check(user == &seen);
    seen.server_thread = pthread_self();
    note("S");
    if (seen.start_result < 0 && seen.reason) rp_error_set(error, seen.start_result, "%s", seen.reason);
    return seen.start_result;
}

static void on_timer(uv_timer_t *timer)
{
    const struct worker_state *state = timer->data;
    check(pthread_equal(state->thread, pthread_self()));
}

static int on_worker_start(unsigned worker, struct uv_loop_s *loop, void **ret_state, void *user,
                           struct rp_error *error)
{
    check(user == &seen && worker < WORKERS && !*ret_state);
    check(!pthread_equal(seen.server_thread, pthread_self()));
    if (seen.gate) live_gate_pass(seen.gate);
    if (worker == seen.fails) return rp_error_set(error, -ENOENT, "%s", seen.reason);
    struct worker_state *state = calloc(1, sizeof *state);
    check(state);
    state->number = worker;
    state->thread = pthread_self();
    check(uv_timer_init(loop, &state->timer) == 0);
    state->timer.data = state;
    check(uv_timer_start(&state->timer, on_timer, 1, 1) == 0);
    *ret_state = state;
    note("w");
    return 0;
}

static void on_drain(void *user)
{
    check(user == &seen && pthread_equal(seen.server_thread, pthread_self()));
    note("D");
    if (seen.drained) live_gate_open(seen.drained, 1);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_worker_exit(unsigned worker, void *user_state, void *user)
{
    struct worker_state *state = user_state;
    check(user == &seen && state->number == worker && pthread_equal(state->thread, pthread_self()));
    note("x");
    uv_close((uv_handle_t *)&state->timer, on_timer_closed);
}

static void on_exit_hook(void *user)
{
    check(user == &seen && pthread_equal(seen.server_thread, pthread_self()));
    note("E");
}

static void answer_worker(struct rp_request *request, void *user)
{
    const struct worker_state *state = rp_request_worker_state(request);
    (void)user;
    check(pthread_equal(state->thread, pthread_self()));
    rp_response_text(request, 200, "worker=%u", state->number);
}

static void begin(void)
{
    static const struct rp_server_hooks hooks = {.start = on_start,
                                                 .worker_start = on_worker_start,
                                                 .drain = on_drain,
                                                 .worker_exit = on_worker_exit,
                                                 .exit = on_exit_hook};
    struct rp_server_config config;
    live_config(&config);
    config.workers = WORKERS;
    seen.text[0] = '\0';
    seen.fails = WORKERS;
    seen.start_result = 0;
    seen.gate = seen.drained = NULL;
    rp_server_set_hooks(live_new(&config), &hooks, &seen);
    live_route("GET", "/worker", answer_worker);
}

static void test_order(void)
{
    begin();
    live_start();
    check(strcmp(seen.text, "Swww") == 0);
    for (int i = 0; i < 20; i++) check(strstr(live_ask("/worker"), "worker="));
    live_finish();
    check(strcmp(seen.text, "SwwwDxxxE") == 0);
}

static void test_start_fails(const char *reason, const char *told)
{
    struct rp_error error;
    begin();
    seen.start_result = -EPERM;
    seen.reason = reason;
    live_run();
    check(live_join(&error) == -EPERM);
    check(error.code == -EPERM && strstr(error.message, "start hook") && strstr(error.message, told));
    check(strcmp(seen.text, "S") == 0);
}

/* The others have an exit; nobody was ready, and nothing was drained. */
static void test_worker_start_fails(unsigned worker)
{
    struct rp_error error;
    begin();
    seen.fails = worker;
    seen.reason = "no model";
    live_run();
    check(live_join(&error) == -ENOENT);
    check(strcmp(error.message, "the program's worker_start hook failed: no model") == 0);
    check(!live_was_ready());
    check(strcmp(seen.text, "SwwxxE") == 0);
}

static void test_stop_while_starting(void)
{
    struct live_gate gate, drained;
    live_gate_init(&gate);
    live_gate_init(&drained);
    begin();
    seen.gate = &gate;
    seen.drained = &drained;
    live_run();
    live_await_log("event=listening");
    live_stop();
    live_gate_pass(&drained);
    check(strcmp(seen.text, "SD") == 0);
    live_gate_open(&gate, WORKERS);
    check(live_join(NULL) == 0 && !live_was_ready());
    check(strlen(seen.text) == strlen("SDwwwxxxE") && seen.text[8] == 'E');
    live_gate_done(&gate);
    live_gate_done(&drained);
}

static void test_no_hooks(void)
{
    struct rp_server_config config;
    live_config(&config);
    live_new(&config);
    live_start();
    check(strstr(live_ask("/healthz"), "ok\n"));
    live_finish();
}

int main(void)
{
    test_order();
    test_start_fails("no licence", "no licence");
    test_start_fails(NULL, "Operation not permitted");
    for (unsigned i = 0; i < WORKERS; i++) test_worker_start_fails(i);
    test_stop_while_starting();
    test_no_hooks();
    return 0;
}
