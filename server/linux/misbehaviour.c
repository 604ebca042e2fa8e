#include "linux/misbehaviour.h"

#include "pure/duration.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define DELAY_MS_MAX 86400000u

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* "250" is milliseconds here; "250ms" and "2s" are fine too. */
static int parse_delay(uint32_t *ret_ms, const char *value, struct rp_error *error)
{
    char *end;
    if (value[0] < '0' || value[0] > '9') return rp_duration_parse(ret_ms, value, DELAY_MS_MAX, error);
    errno = 0;
    unsigned long ms = strtoul(value, &end, 10);
    if (*end) return rp_duration_parse(ret_ms, value, DELAY_MS_MAX, error);
    if (errno || ms > DELAY_MS_MAX)
        return rp_error_set(error, -ERANGE, "\"%s\" is too long; at most %u ms", value, DELAY_MS_MAX);
    *ret_ms = (uint32_t)ms;
    return 0;
}

static int apply_start_delay(void *target, const char *value, struct rp_error *error)
{
    return parse_delay(&((struct rp_misbehaviour *)target)->start_delay_ms, value, error);
}

static int apply_fail_health(void *target, const char *value, struct rp_error *error)
{
    (void)value;
    (void)error;
    ((struct rp_misbehaviour *)target)->fail_health = true;
    return 0;
}

static int apply_fail_health_after(void *target, const char *value, struct rp_error *error)
{
    ((struct rp_misbehaviour *)target)->fail_health = true;
    return parse_delay(&((struct rp_misbehaviour *)target)->fail_health_after_ms, value, error);
}

static int apply_exit_after(void *target, const char *value, struct rp_error *error)
{
    struct rp_misbehaviour *misbehaviour = target;
    int result = parse_delay(&misbehaviour->exit_after_ms, value, error);
    if (result == 0 && misbehaviour->exit_after_ms == 0) misbehaviour->exit_after_ms = 1;
    return result;
}

static int apply_ignore_term(void *target, const char *value, struct rp_error *error)
{
    (void)value;
    (void)error;
    ((struct rp_misbehaviour *)target)->ignore_term = true;
    return 0;
}

struct rp_option_group rp_misbehaviour_options(struct rp_misbehaviour *misbehaviour)
{
    static const struct rp_option options[] = {
        {"--start-delay", "MS", "wait so long before listening", apply_start_delay},
        {"--fail-health", NULL, "answer /healthz with 500", apply_fail_health},
        {"--fail-health-after", "MS", "the same, from so long after the start on", apply_fail_health_after},
        {"--exit-after", "MS", "exit with status 1 so long after the start", apply_exit_after},
        {"--ignore-term", NULL, "do not stop at SIGTERM", apply_ignore_term},
    };
    return (struct rp_option_group){
        .title = "For trying out upgrades, a release that misbehaves:",
        .options = options,
        .count = sizeof options / sizeof options[0],
        .target = misbehaviour,
    };
}

static void wait_for(uint32_t ms)
{
    const struct itimerspec delay = {
        .it_value = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000}};
    uint64_t expirations;
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (timer < 0) return;
    if (timerfd_settime(timer, 0, &delay, NULL) == 0) {
        while (read(timer, &expirations, sizeof expirations) < 0 && errno == EINTR) {
        }
    }
    close(timer);
}

static void on_alarm(int number)
{
    (void)number;
    _exit(EXIT_FAILURE);
}

static void arm_exit(uint32_t after_ms)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval timer = {
        .it_value = {.tv_sec = after_ms / 1000, .tv_usec = (suseconds_t)(after_ms % 1000) * 1000}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

/* Blocked, not ignored: the server installs a handler, which would undo an ignored signal. */
static void block_term(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

void rp_misbehaviour_begin(struct rp_misbehaviour *misbehaviour)
{
    if (misbehaviour->ignore_term) block_term();
    if (misbehaviour->start_delay_ms > 0) wait_for(misbehaviour->start_delay_ms);
    misbehaviour->began_ms = now_ms();
    if (misbehaviour->exit_after_ms > 0) arm_exit(misbehaviour->exit_after_ms);
}

bool rp_misbehaviour_is_sick(const struct rp_misbehaviour *misbehaviour)
{
    return misbehaviour->fail_health &&
           now_ms() - misbehaviour->began_ms >= misbehaviour->fail_health_after_ms;
}
