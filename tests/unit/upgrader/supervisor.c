/* The moment between the supervisor's first sign of life and its first release: whoever has started it
 * follows the start; others may have come before. What it does later is tested with real programs
 * (tests/integration). */
#include "shell/supervisor.h"
#include "fixture.h"
#include "linux/unix_socket.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 20000

static char root[64];
static struct rpctl_service_dir *dir;
static struct rp_error error;
static pid_t supervisor;

static void become_supervisor(int ready_fd)
{
    char *args[] = {(char *)(uintptr_t) "-f", (char *)(uintptr_t) "/dev/null", NULL}; /* never listens */
    char *none[] = {NULL};
    struct rpctl_supervisor_config config = {.name = "web",
                                             .dir = dir,
                                             .binary = "/usr/bin/tail",
                                             .args = args,
                                             .env = none,
                                             .policy = rpctl_policy_default,
                                             .ready_fd = ready_fd};

    _exit(rpctl_supervisor_main(&config));
}

static void expect_ready(int fd)
{
    char line[256];
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    ssize_t length;

    cr_assert_eq(poll(&polled, 1, WAIT_MS), 1);
    length = read(fd, line, sizeof line - 1);
    cr_assert_gt(length, 0);
    line[length] = '\0';
    cr_assert_str_eq(line, "ok\n");
    close(fd);
}

static void setup(void)
{
    int ready[2];

    strcpy(root, "/tmp/rpctl-test-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
    cr_assert_eq(rpctl_service_dir_open(&dir, root, "web", RPCTL_SERVICE_DIR_CREATE, &error), 0, "%s",
                 error.message);
    cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
    supervisor = fork();
    if (supervisor == 0) become_supervisor(ready[1]);
    close(ready[1]);
    expect_ready(ready[0]);
}

static void teardown(void)
{
    char command[128];

    if (supervisor > 0) kill(supervisor, SIGKILL);
    rpctl_service_dir_close(dir);
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    if (system(command) != 0) abort();
}

TestSuite(supervisor, .init = setup, .fini = teardown, .timeout = 60);

static int send_request(const char *request)
{
    int fd;

    cr_assert_eq(rpctl_unix_socket_connect(rpctl_service_dir_fd(dir), RPCTL_SERVICE_DIR_CONTROL, &fd, &error),
                 0, "%s", error.message);
    cr_assert_eq(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    return fd;
}

/* The last event before the supervisor hangs up; NULL when there is none. */
static json_t *last_event_if_any(int fd)
{
    FILE *answer = fdopen(fd, "re");
    char *line = NULL;
    size_t capacity = 0;
    json_t *event = NULL;

    while (getline(&line, &capacity, answer) > 0) {
        json_decref(event);
        event = json_loads(line, 0, NULL);
        cr_assert_not_null(event, "%s", line);
    }
    free(line);
    fclose(answer);
    return event;
}

static json_t *last_event(int fd)
{
    json_t *event = last_event_if_any(fd);

    cr_assert_not_null(event, "no answer: the supervisor is gone");
    return event;
}

static int exit_of(int fd)
{
    json_t *event = last_event(fd);
    int code = (int)json_integer_value(json_object_get(event, "exit"));

    cr_assert_str_eq(json_string_value(json_object_get(event, "event")), "result");
    json_decref(event);
    return code;
}

static void expect_end(int code)
{
    int status;

    cr_assert_eq(waitpid(supervisor, &status, 0), supervisor);
    supervisor = 0;
    cr_assert(WIFEXITED(status), "it ended with signal %d", WTERMSIG(status));
    cr_assert_eq(WEXITSTATUS(status), code);
}

Test(supervisor, an_upgrade_before_the_first_release_is_refused)
{
    cr_assert_eq(exit_of(send_request("{\"v\":1,\"command\":\"restart\"}\n")), 4);
    cr_assert_eq(exit_of(send_request("{\"v\":1,\"command\":\"upgrade\",\"binary\":\"/bin/true\"}\n")), 4);
    cr_assert_eq(exit_of(send_request("{\"v\":1,\"command\":\"abort\"}\n")), 1);
    cr_assert_eq(exit_of(send_request("{\"v\":1,\"command\":\"stop\"}\n")), 0);
    expect_end(0);
}

Test(supervisor, its_status_is_empty_before_the_first_release)
{
    json_t *status = last_event(send_request("{\"v\":1,\"command\":\"status\"}\n"));

    cr_assert_eq(json_array_size(json_object_get(status, "generations")), 0);
    json_decref(status);
    cr_assert_eq(exit_of(send_request("{\"v\":1,\"command\":\"stop\"}\n")), 0);
    expect_end(0);
}

Test(supervisor, a_signal_before_the_first_release)
{
    cr_assert_eq(kill(supervisor, SIGTERM), 0);
    expect_end(0);
}

/* Whoever follows after that hears of the end or finds nobody; nothing is launched any more. */
Test(supervisor, a_follower_that_comes_with_the_signal)
{
    json_t *event;
    int fd;

    cr_assert_eq(kill(supervisor, SIGSTOP), 0);
    cr_assert_eq(kill(supervisor, SIGTERM), 0);
    fd = send_request("{\"v\":1,\"command\":\"follow\"}\n");
    cr_assert_eq(kill(supervisor, SIGCONT), 0);
    event = last_event_if_any(fd);
    if (event) cr_assert_neq(json_integer_value(json_object_get(event, "exit")), 0);
    json_decref(event);
    expect_end(0);
}

/* Nobody follows: it begins by itself after a grace. */
Test(supervisor, without_a_follower)
{
    bool launched = false;

    while (!launched) {
        json_t *status = last_event(send_request("{\"v\":1,\"command\":\"status\"}\n"));

        launched = json_array_size(json_object_get(status, "generations")) == 1;
        json_decref(status);
    }
    cr_assert_eq(exit_of(send_request("{\"v\":1,\"command\":\"restart\"}\n")), 4);
    cr_assert_eq(exit_of(send_request("{\"v\":1,\"command\":\"stop\"}\n")), 0);
    expect_end(0);
}
