/* A check and a witness for which there is no memory: their source is taken in with an allocator that fails.
 */
#include "failing_memory.h"

#define calloc failing_calloc
#include "shell/check.c"
#include "shell/witness.c"
#undef calloc

#include "fixture.h"
#include <sys/socket.h>

static uv_loop_t loop;
static struct rp_address address;

static void set_up(void)
{
    cr_assert_eq(uv_loop_init(&loop), 0);
    cr_assert_eq(rp_address_parse(&address, "127.0.0.1:1", NULL), 0);
}

TestSuite(check_memory, .init = set_up, .timeout = 30);

static void on_result(const struct rpctl_check_result *result, void *data)
{
    (void)result;
    (void)data;
    cr_assert_fail("called back");
}

Test(check_memory, check)
{
    int fds = count_open_fds();
    struct rpctl_check_request request = {
        .target = address, .bound_fd = -1, .kind = RPCTL_HEALTH_TCP, .timeout_ms = 1000};
    allocations_until_failure = 0;
    cr_assert_eq(rpctl_check_start(&loop, &request, on_result, NULL, NULL), -ENOMEM);
    request.bound_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    allocations_until_failure = 0;
    cr_assert_eq(rpctl_check_start(&loop, &request, on_result, NULL, NULL), -ENOMEM);
    cr_assert_eq(count_open_fds(), fds, "the socket is taken over on errors too");
    expect_loop_empty(&loop);
}

static int stopped;

static void on_stopped(const struct rpctl_witness_figures *figures, void *data)
{
    (void)data;
    stopped++;
    cr_assert_eq(figures->requests, 0, "no request was begun");
}

Test(check_memory, witness)
{
    struct rpctl_witness *witness;
    for (int n = 0; n < 2; n++) {
        allocations_until_failure = n;
        cr_assert_eq(rpctl_witness_start(&loop, &address, 1, RPCTL_HEALTH_TCP, NULL, 20, &witness), -ENOMEM);
    }
    allocations_until_failure = 2; /* the first check's */
    cr_assert_eq(rpctl_witness_start(&loop, &address, 1, RPCTL_HEALTH_TCP, NULL, 20, &witness), 0);
    uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_lt(allocations_until_failure, 0);
    rpctl_witness_stop(witness, on_stopped, NULL);
    expect_loop_empty(&loop);
    cr_assert_eq(stopped, 1);
}
