/* The n-th getsockopt() fails, for n = 1, 2, …: what cannot be told about a listener is not taken for an
 * answer. */
#include "linux/groups.h"
#include "linux/listener_collect.h"

#include "upgrader/fixture.h"
#include "upgrader/kernel_group.h"

#include <fcntl.h>
#include <sys/syscall.h>

static unsigned countdown; /* 0: nothing fails */

/* Stands before libc's for the whole program. */
int fake_getsockopt(int fd, int level, int option, void *value, socklen_t *length) __asm__("getsockopt");

int fake_getsockopt(int fd, int level, int option, void *value, socklen_t *length)
{
    if (countdown == 0 || --countdown > 0)
        return (int)syscall(SYS_getsockopt, fd, level, option, value, length);
    errno = ENOMEM;
    return -1;
}

Test(groups_faults, a_listener_is_not_thrown_out_on_a_guess)
{
    struct rpctl_groups *groups = NULL;
    struct rp_error error = {0};
    uint16_t port = 0;
    bool met = true;
    int fds[2];

    cr_assert_eq(rpctl_groups_new(&groups, &error), 0);
    for (unsigned i = 0; i < 2; i++) {
        fds[i] = test_listen("127.0.0.1", &port);
        cr_assert_eq(rpctl_groups_add(groups, fcntl(fds[i], F_DUPFD_CLOEXEC, 0), 1, 1, &error), 0);
    }
    for (unsigned n = 1; met; n++) {
        countdown = n;
        if (rpctl_groups_learn(groups, &error) < 0) cr_assert_eq(error.code, -ENOMEM, "%s", error.message);
        met = countdown == 0;
        countdown = 0;
        cr_assert_eq(rpctl_groups_listener_count(groups, 1), 2, "call %u", n);
        cr_assert_eq(rpctl_groups_learn(groups, &error), 0, "after call %u: %s", n, error.message);
    }
    rpctl_groups_free(groups);
    for (unsigned i = 0; i < 2; i++) close(fds[i]);
    expect_no_leak();
}

Test(groups_faults, a_listener_is_collected_or_the_reason_told)
{
    static struct rpctl_collected collected;
    struct rp_error error = {0};
    uint16_t port = 0;
    int fd = test_listen("127.0.0.1", &port);
    int fds = count_open_fds();

    for (unsigned n = 1; countdown == 0; n++) {
        int result;

        countdown = n;
        result = rpctl_listeners_collect(getpid(), &collected, &error);
        cr_assert(result == -ENOMEM || (result == 0 && collected.count == 1), "call %u: %d", n, result);
        rpctl_collected_close(&collected);
        cr_assert_eq(count_open_fds(), fds);
    }
    countdown = 0;
    close(fd);
}
