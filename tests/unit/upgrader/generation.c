#include "shell/generation.h"
#include "fixture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rpctl_policy policy;
static char *args[] = {(char *)"--listen", (char *)"127.0.0.1:1", NULL};
static char *env[] = {(char *)"A=1", NULL};
static const struct rpctl_release release = {
    .binary = (char *)"/opt/web/server-v1", .args = args, .env = env};

static void setup(void)
{
    policy = rpctl_policy_default;
}

TestSuite(generation, .init = setup);

static struct rpctl_generation *make(unsigned instances)
{
    struct rpctl_generation *generation;
    policy.instances = instances;
    cr_assert_eq(rpctl_generation_new(&generation, 7, &release, &policy), 0);
    return generation;
}

/* As if the instance ran; nothing here signals it. */
static void pretend_to_run(struct rpctl_generation *generation, unsigned number, pid_t pid)
{
    struct rpctl_instance *instance = &generation->instances[number - 1];
    instance->process = (struct rpctl_process){.pid = pid, .pidfd = open("/dev/null", O_RDONLY | O_CLOEXEC)};
}

static void free_it(struct rpctl_generation *generation)
{
    for (unsigned i = 0; i < generation->instance_count; i++)
        rpctl_process_close(&generation->instances[i].process);
    rpctl_generation_free(generation);
    expect_no_leak();
}

/* --- releases --- */

Test(generation, a_copy_of_a_release_shares_nothing)
{
    struct rpctl_release copy;
    cr_assert_eq(rpctl_release_copy(&copy, release.binary, release.args, release.env), 0);
    cr_assert_str_eq(copy.binary, release.binary);
    cr_assert_neq(copy.binary, release.binary);
    cr_assert_str_eq(copy.args[1], args[1]);
    cr_assert_neq(copy.args[1], args[1]);
    cr_assert_null(copy.args[2]);
    cr_assert_str_eq(copy.env[0], env[0]);
    cr_assert_null(copy.env[1]);
    rpctl_release_free(&copy);
    cr_assert_null(copy.binary);
    rpctl_release_free(&copy);
    expect_no_leak();
}

Test(generation, a_release_without_arguments_or_environment)
{
    struct rpctl_release copy;
    cr_assert_eq(rpctl_release_copy(&copy, "/bin/true", NULL, NULL), 0);
    cr_assert_null(copy.args[0]);
    cr_assert_null(copy.env[0]);
    rpctl_release_free(&copy);
    expect_no_leak();
}

Test(generation, the_name_of_a_release)
{
    cr_assert_str_eq(rpctl_release_name(&release), "server-v1");
    cr_assert_str_eq(rpctl_release_name(&(struct rpctl_release){.binary = (char *)"plain"}), "plain");
    cr_assert_str_eq(rpctl_release_name(&(struct rpctl_release){.binary = (char *)"/top"}), "top");
}

/* --- generations --- */

Test(generation, a_new_one_runs_nothing)
{
    struct rpctl_generation *generation = make(3);
    cr_assert_eq(generation->number, 7);
    cr_assert_eq(generation->instance_count, 3);
    cr_assert_eq(generation->state, RPCTL_GENERATION_STARTING);
    cr_assert_eq(generation->log_fd, -1);
    cr_assert_eq(generation->address_count, 0);
    cr_assert_eq(rpctl_generation_running(generation), 0);
    cr_assert_not(rpctl_generation_is_leaving(generation));
    cr_assert_not(rpctl_generation_was_told_to_stop(generation));
    for (unsigned i = 0; i < 3; i++) {
        const struct rpctl_instance *instance = &generation->instances[i];
        cr_assert_eq(instance->generation, generation);
        cr_assert_eq(instance->number, i + 1);
        cr_assert_eq(instance->state, RPCTL_INSTANCE_EXITED);
        cr_assert_lt(instance->process.pidfd, 0);
        cr_assert_null(instance->relaunch);
    }
    free_it(generation);
}

Test(generation, keeps_its_own_release_and_policy)
{
    char *own_args[] = {strdup("one"), NULL};
    struct rpctl_release own = {.binary = strdup("/a/b"), .args = own_args};
    struct rpctl_generation *generation;
    policy.drain_timeout_ms = 1234;
    cr_assert_eq(rpctl_generation_new(&generation, 1, &own, &policy), 0);
    free(own.binary);
    free(own_args[0]);
    policy.drain_timeout_ms = 1;
    cr_assert_str_eq(generation->release.binary, "/a/b");
    cr_assert_str_eq(generation->release.args[0], "one");
    cr_assert_eq(generation->policy.drain_timeout_ms, 1234);
    free_it(generation);
}

Test(generation, finds_the_processes_that_run)
{
    struct rpctl_generation *generation = make(3);
    pretend_to_run(generation, 1, 101);
    pretend_to_run(generation, 3, 103);
    cr_assert_eq(rpctl_generation_running(generation), 2);
    cr_assert_eq(rpctl_generation_find(generation, 103)->number, 3);
    cr_assert_null(rpctl_generation_find(generation, 102));
    rpctl_process_close(&generation->instances[0].process);
    cr_assert_null(rpctl_generation_find(generation, 101), "its pid may be somebody else's by now");
    cr_assert_eq(rpctl_generation_running(generation), 1);
    free_it(generation);
}

Test(generation, closes_its_log)
{
    struct rpctl_generation *generation = make(1);
    int fds = count_open_fds();
    generation->log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    free_it(generation);
    cr_assert_eq(count_open_fds(), fds);
}

/* --- questions --- */

Test(generation, leaves_as_soon_as_its_drain_has_begun)
{
    struct rpctl_generation *generation = make(1);
    for (int state = 0; state < RPCTL_DRAIN_STATE_COUNT; state++) {
        generation->drain.state = (enum rpctl_drain_state)state;
        cr_assert_eq(rpctl_generation_is_leaving(generation), state != RPCTL_DRAIN_IDLE, "%d", state);
    }
    free_it(generation);
}

Test(generation, is_told_to_stop_when_it_is_quiet)
{
    struct rpctl_generation *generation = make(1);
    for (int state = 0; state < RPCTL_DRAIN_STATE_COUNT; state++) {
        bool told =
            state != RPCTL_DRAIN_IDLE && state != RPCTL_DRAIN_SETTLING && state != RPCTL_DRAIN_QUIESCING;
        generation->drain.state = (enum rpctl_drain_state)state;
        cr_assert_eq(rpctl_generation_was_told_to_stop(generation), told, "%d", state);
    }
    generation->drain.state = RPCTL_DRAIN_IDLE;
    generation->state = RPCTL_GENERATION_STOPPING;
    cr_assert(rpctl_generation_was_told_to_stop(generation));
    free_it(generation);
}

Test(generation, states_have_names)
{
    cr_assert_str_eq(rpctl_generation_state_name(RPCTL_GENERATION_STARTING), "starting");
    cr_assert_str_eq(rpctl_generation_state_name(RPCTL_GENERATION_PROVING), "proving");
    cr_assert_str_eq(rpctl_generation_state_name(RPCTL_GENERATION_SERVING), "serving");
    cr_assert_str_eq(rpctl_generation_state_name(RPCTL_GENERATION_STANDBY), "standby");
    cr_assert_str_eq(rpctl_generation_state_name(RPCTL_GENERATION_DRAINING), "draining");
    cr_assert_str_eq(rpctl_generation_state_name(RPCTL_GENERATION_STOPPING), "stopping");
    cr_assert_str_eq(rpctl_instance_state_name(RPCTL_INSTANCE_STARTING), "starting");
    cr_assert_str_eq(rpctl_instance_state_name(RPCTL_INSTANCE_READY), "ready");
    cr_assert_str_eq(rpctl_instance_state_name(RPCTL_INSTANCE_STOPPING), "stopping");
    cr_assert_str_eq(rpctl_instance_state_name(RPCTL_INSTANCE_EXITED), "exited");
}

/* --- health --- */

Test(generation, health_is_tcp_when_nobody_says_more)
{
    struct rpctl_generation *generation = make(1);
    cr_assert_eq(rpctl_generation_health(generation).kind, RPCTL_HEALTH_TCP);
    free_it(generation);
}

Test(generation, health_is_what_the_release_declares)
{
    struct rpctl_generation *generation = make(1);
    generation->health.kind = RPCTL_HEALTH_HTTP;
    strcpy(generation->health.path, "/alive");
    cr_assert_eq(rpctl_generation_health(generation).kind, RPCTL_HEALTH_HTTP);
    cr_assert_str_eq(rpctl_generation_health(generation).path, "/alive");
    free_it(generation);
}

Test(generation, health_is_what_the_policy_says_first)
{
    cr_assert_eq(rpctl_policy_set(&policy, "health", "none", NULL), 0);
    struct rpctl_generation *generation = make(1);
    generation->health.kind = RPCTL_HEALTH_HTTP;
    cr_assert_eq(rpctl_generation_health(generation).kind, RPCTL_HEALTH_NONE);
    free_it(generation);
    cr_assert_eq(rpctl_policy_set(&policy, "health", "http:/deep", NULL), 0);
    generation = make(1);
    generation->health.kind = RPCTL_HEALTH_TCP;
    cr_assert_str_eq(rpctl_generation_health(generation).path, "/deep");
    free_it(generation);
}
