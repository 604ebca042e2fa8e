#include "shell/leaving_internal.h"

#include "shell/takeover.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* --- its end --- */

void rpctl_leaving_free_when_quiet(struct rpctl_leaving *leaving)
{
    if (leaving->generation || leaving->open_timers > 0 || leaving->pending_jobs > 0) return;
    rpctl_half_open_free(leaving->mark);
    free(leaving);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct rpctl_leaving *leaving = handle->data;

    leaving->open_timers--;
    rpctl_leaving_free_when_quiet(leaving);
}

void rpctl_leaving_let_go(struct rpctl_leaving *leaving)
{
    leaving->generation->leaving = NULL;
    leaving->generation = NULL;
    for (int i = 0; i < RPCTL_LEAVING_TIMER_COUNT; i++)
        uv_close((uv_handle_t *)&leaving->timers[i], on_timer_closed);
}

/* --- the actions --- */

static void on_look(uv_timer_t *timer)
{
    rpctl_leaving_post(timer->data, RPCTL_DRAIN_ON_LOOK_TIMER);
}

static void on_quiesce_timeout(uv_timer_t *timer)
{
    struct rpctl_leaving *leaving = timer->data;

    leaving->generation->quiesce_left = leaving->left;
    rpctl_leaving_post(leaving, RPCTL_DRAIN_ON_QUIESCE_TIMEOUT);
}

static void arm(struct rpctl_leaving *leaving, int timer, uv_timer_cb callback, unsigned delay_ms);

/* Those who were not told yet have their whole time when they are. */
static void on_deadline(uv_timer_t *timer)
{
    struct rpctl_leaving *leaving = timer->data;

    if (leaving->stop_due && leaving->deadline_ms == 0)
        arm(leaving, RPCTL_LEAVING_TIMER_DEADLINE, on_deadline, leaving->drain_timeout_ms);
    else
        rpctl_leaving_post(leaving, RPCTL_DRAIN_ON_DEADLINE);
}

void rpctl_leaving_begin_deadline(struct rpctl_leaving *leaving)
{
    leaving->deadline_ms = rpctl_service_wall_ms() + leaving->drain_timeout_ms;
    arm(leaving, RPCTL_LEAVING_TIMER_DEADLINE, on_deadline, leaving->drain_timeout_ms);
}

static void on_closed(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                      const struct rp_error *error)
{
    if (status < 0)
        rpctl_service_log(service, "gen=%u close=failed reason=\"%s\"", generation->number, error->message);
    rpctl_leaving_post(generation->leaving,
                       status == 0 ? RPCTL_DRAIN_ON_CLOSED : RPCTL_DRAIN_ON_CLOSE_FAILED);
}

static void tell_quiet(struct rpctl_leaving *leaving)
{
    if (leaving->generation == leaving->service->serving)
        rpctl_service_post(leaving->service, RPCTL_ROLLOUT_ON_OLD_QUIET);
}

static void disarm(struct rpctl_leaving *leaving)
{
    for (int i = 0; i < RPCTL_LEAVING_TIMER_COUNT; i++) uv_timer_stop(&leaving->timers[i]);
}

/* Not less than 1 ms: libuv 1.44 runs a timer that its own callback starts with 0 again and again, and
 * nothing else. */
static void arm(struct rpctl_leaving *leaving, int timer, uv_timer_cb callback, unsigned delay_ms)
{
    uv_timer_start(&leaving->timers[timer], callback, delay_ms > 0 ? delay_ms : 1, 0);
}

/* Closing moves the last listener of the group into the free place. While a release is starting the last one
 * may be a socket of its that nobody knows yet, and traffic would follow it. So that is waited out; and so is
 * a takeover, before which nobody knows what is steered. */
static void close_listeners(struct rpctl_leaving *leaving)
{
    struct rpctl_service *service = leaving->service;

    if (leaving->generation->drain.state == RPCTL_DRAIN_CLOSING) rpctl_leaving_report_drained(leaving);
    if (rpctl_rollout_is_starting(&service->rollout) || rpctl_takeover_is_undecided(service) ||
        service->unsteered) {
        rpctl_leaving_spread_again(leaving);
        arm(leaving, RPCTL_LEAVING_TIMER_LOOK, on_look, RPCTL_RETRY_MS);
    } else {
        rpctl_steering_close(service, leaving->generation, on_closed);
    }
}

/* Who holds listeners is known when a takeover knows all of them. */
static void watch(struct rpctl_leaving *leaving)
{
    if (leaving->resumed && rpctl_takeover_is_undecided(leaving->service))
        arm(leaving, RPCTL_LEAVING_TIMER_LOOK, on_look, RPCTL_RETRY_MS);
    else
        rpctl_leaving_begin_job(leaving, RPCTL_DRAIN_DO_WATCH);
}

void rpctl_leaving_act(struct rpctl_leaving *leaving, enum rpctl_drain_action action)
{
    bool quiescing = leaving->generation->drain.state == RPCTL_DRAIN_QUIESCING;

    switch (action) {
    case RPCTL_DRAIN_DO_SETTLE:
    case RPCTL_DRAIN_DO_LOOK:
    case RPCTL_DRAIN_DO_KILL: rpctl_leaving_begin_job(leaving, action); return;
    case RPCTL_DRAIN_DO_ARM_LOOK:
        arm(leaving, RPCTL_LEAVING_TIMER_LOOK, on_look, quiescing ? RPCTL_LOOK_INTERVAL_MS : RPCTL_RETRY_MS);
        return;
    case RPCTL_DRAIN_DO_ARM_QUIESCE:
        arm(leaving, RPCTL_LEAVING_TIMER_QUIESCE, on_quiesce_timeout, leaving->quiesce_timeout_ms);
        return;
    case RPCTL_DRAIN_DO_ARM_DEADLINE:
        arm(leaving, RPCTL_LEAVING_TIMER_DEADLINE, on_deadline, leaving->drain_timeout_ms);
        return;
    case RPCTL_DRAIN_DO_DISARM: disarm(leaving); return;
    case RPCTL_DRAIN_DO_DISARM_LOOK: uv_timer_stop(&leaving->timers[RPCTL_LEAVING_TIMER_LOOK]); return;
    case RPCTL_DRAIN_DO_WATCH: watch(leaving); return;
    case RPCTL_DRAIN_DO_QUIET: tell_quiet(leaving); return;
    case RPCTL_DRAIN_DO_STOP: rpctl_leaving_stop(leaving); return;
    case RPCTL_DRAIN_DO_CLOSE: close_listeners(leaving); return;
    case RPCTL_DRAIN_DO_FINISH: rpctl_leaving_finish(leaving); return;
    case RPCTL_DRAIN_DO_NONE:
    case RPCTL_DRAIN_ACTION_COUNT: break;
    }
    assert(false && "an action that has no deed");
}

void rpctl_leaving_post(struct rpctl_leaving *leaving, enum rpctl_drain_event event)
{
    struct rpctl_generation *generation = leaving->generation;
    enum rpctl_drain_state before = generation->drain.state;
    struct rpctl_drain_step step;

    if (leaving->service->state != RPCTL_SERVICE_RUNNING) return; /* the end of the service is no drain */
    step = rpctl_drain_step(&generation->drain, event);
    assert(step.possible);
    if (before != generation->drain.state)
        rpctl_service_log(leaving->service, "gen=%u drain=%s event=%s next=%s", generation->number,
                          rpctl_drain_state_name(before), rpctl_drain_event_name(event),
                          rpctl_drain_state_name(generation->drain.state));
    if (before != generation->drain.state) rpctl_keeper_changed(&leaving->service->keeper);
    for (size_t i = 0; i < step.action_count; i++) rpctl_leaving_act(leaving, step.actions[i]);
}

/* --- for the others --- */

int rpctl_leaving_new(struct rpctl_service *service, struct rpctl_generation *generation)
{
    struct rpctl_leaving *leaving = calloc(1, sizeof *leaving);

    if (!leaving) return -ENOMEM;
    leaving->service = service;
    leaving->generation = generation;
    for (int i = 0; i < RPCTL_LEAVING_TIMER_COUNT; i++) {
        uv_timer_init(&service->loop, &leaving->timers[i]);
        leaving->timers[i].data = leaving;
        leaving->open_timers++;
    }
    generation->leaving = leaving;
    return 0;
}

void rpctl_service_leave(struct rpctl_generation *generation, struct rpctl_operation *operation)
{
    struct rpctl_leaving *leaving = generation->leaving;

    const struct rpctl_policy *policy = operation ? &operation->policy : &generation->policy;

    leaving->operation = operation;
    leaving->quiesce_timeout_ms = policy->quiesce_timeout_ms;
    leaving->drain_timeout_ms = policy->drain_timeout_ms;
    leaving->attempt++;
    leaving->left = 0;
    leaving->since_ms = rpctl_service_wall_ms();
    leaving->deadline_ms = 0;
    rpctl_service_cancel_relaunch(generation);
    generation->state = RPCTL_GENERATION_DRAINING;
    generation->quiesce_left = 0;
    rpctl_leaving_post(leaving, RPCTL_DRAIN_ON_BEGIN);
    if (rpctl_generation_running(generation) == 0) rpctl_leaving_on_exited(generation);
}

void rpctl_leaving_resume(struct rpctl_generation *generation, int64_t deadline_ms)
{
    struct rpctl_leaving *leaving = generation->leaving;
    int64_t now_ms = rpctl_service_wall_ms();
    int64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;

    if (deadline_ms == 0 || left_ms > generation->policy.drain_timeout_ms)
        left_ms = generation->policy.drain_timeout_ms;
    generation->state = RPCTL_GENERATION_DRAINING;
    generation->drain.state = RPCTL_DRAIN_DRAINING;
    leaving->since_ms = now_ms;
    leaving->resumed = true;
    leaving->drain_timeout_ms = (unsigned)left_ms;
    rpctl_leaving_begin_deadline(leaving);
    rpctl_leaving_act(leaving, RPCTL_DRAIN_DO_ARM_LOOK);
}

const struct rpctl_operation *rpctl_leaving_operation(const struct rpctl_leaving *leaving)
{
    return leaving->operation;
}

static bool is_killed(const struct rpctl_generation *generation)
{
    for (unsigned i = 0; i < generation->instance_count; i++)
        if (generation->instances[i].process.pidfd >= 0 && !generation->instances[i].killed) return false;
    return true;
}

/* Told once more are only those that were not told. */
static void go_on_draining(struct rpctl_leaving *leaving, int64_t since_ms, int64_t deadline_ms)
{
    rpctl_leaving_resume(leaving->generation, deadline_ms);
    leaving->since_ms = since_ms;
    leaving->deadline_ms = deadline_ms; /* 0: they were not told */
    rpctl_leaving_act(leaving, RPCTL_DRAIN_DO_STOP);
    if (rpctl_generation_running(leaving->generation) == 0) rpctl_leaving_on_exited(leaving->generation);
}

void rpctl_leaving_go_on(struct rpctl_generation *generation, const struct rpctl_leaving_past *past)
{
    struct rpctl_leaving *leaving = generation->leaving;

    if (past->state < RPCTL_DRAIN_DRAINING) {
        rpctl_service_leave(generation, past->operation);
        return;
    }
    leaving->operation = past->operation;
    /* Listeners that have left the groups already are found to have; those that have not leave now. */
    if (past->state <= RPCTL_DRAIN_UNLISTENED) {
        go_on_draining(leaving, past->since_ms, past->deadline_ms);
        return;
    }
    generation->drain.state = past->state == RPCTL_DRAIN_OVERTAKEN ? RPCTL_DRAIN_CLOSING : past->state;
    leaving->since_ms = past->since_ms;
    leaving->deadline_ms = past->deadline_ms;
    if (generation->drain.state == RPCTL_DRAIN_CLOSING)
        rpctl_leaving_act(leaving, RPCTL_DRAIN_DO_CLOSE);
    else if (rpctl_generation_running(generation) == 0)
        rpctl_leaving_on_exited(generation);
    else if (!is_killed(generation))
        rpctl_leaving_act(leaving, RPCTL_DRAIN_DO_KILL);
}

void rpctl_service_stay(struct rpctl_generation *generation)
{
    rpctl_leaving_post(generation->leaving, RPCTL_DRAIN_ON_CANCEL);
    assert(!rpctl_generation_is_leaving(generation));
    generation->leaving->operation = NULL;
    generation->state = RPCTL_GENERATION_STANDBY;
    generation->crash[0] = '\0';
    rpctl_service_relaunch_missing(generation->leaving->service, generation);
}

static void on_swept(struct rpctl_service *service, struct rpctl_generation *generation, size_t found)
{
    (void)service;
    (void)found;
    /* It may have been called back meanwhile, and have left again. */
    if (rpctl_generation_is_leaving(generation) && !rpctl_drain_is_emptied(generation->drain.state) &&
        rpctl_generation_running(generation) == 0)
        rpctl_leaving_post(generation->leaving, RPCTL_DRAIN_ON_EXITED);
}

void rpctl_leaving_on_exited(struct rpctl_generation *generation)
{
    rpctl_service_sweep(generation->leaving->service, generation, on_swept);
}

void rpctl_leaving_times(const struct rpctl_leaving *leaving, int64_t *ret_since_ms, int64_t *ret_deadline_ms)
{
    bool leaves = rpctl_generation_is_leaving(leaving->generation);

    *ret_since_ms = leaves ? leaving->since_ms : 0;
    *ret_deadline_ms = leaves ? leaving->deadline_ms : 0;
}

void rpctl_leaving_disown(struct rpctl_service *service, const struct rpctl_operation *operation)
{
    for (struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next)
        if (generation->leaving->operation == operation) generation->leaving->operation = NULL;
}
