#include "linux/connection_count.h"
#include "pure/exit_code.h"
#include "shell/service.h"
#include "shell/takeover.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Theory. The drain machine of a generation needs timers and jobs, which may still be under way when the
 * generation is gone. So they stand in an object of their own, made with the generation (leaving must not
 * fail for want of memory). It is let go of with the generation and frees itself when its last timer is
 * closed and its last job is done. A generation may be brought back and leave again: each attempt has a
 * number, and the answer to a job of an earlier one is not wanted. */

enum {
    TIMER_LOOK,
    TIMER_QUIESCE,
    TIMER_DEADLINE,
    TIMER_RETRY, /* an action that failed and has no way out but to succeed */
    TIMER_COUNT
};

struct rpctl_leaving {
    struct rpctl_service *service;
    struct rpctl_generation *generation; /* NULL: let go of */
    struct rpctl_operation *operation;   /* NULL: its result is out */
    uv_timer_t timers[TIMER_COUNT];
    unsigned open_timers;
    unsigned pending_jobs;
    unsigned attempt;
    struct rpctl_half_open *mark;                  /* jobs only */
    unsigned left;                                 /* at the last look */
    unsigned quiesce_timeout_ms, drain_timeout_ms; /* of the operation, which may be over before they are */
    int64_t since_ms, deadline_ms;                 /* wall clock; 0 = not yet */
    bool stop_due;                                 /* the processes are to be told, and have not been */
    bool stop_waits;                               /* for the state to be on disk */
    bool doomed;                                   /* … its listeners, or on the way to be */
    bool resumed;                                  /* … and nobody knows yet whether it was told to stop */
    enum rpctl_drain_action retry;
    enum rpctl_drain_state retry_state;
};

struct leaving_job {
    struct rpctl_job job;
    struct rpctl_leaving *leaving;
    unsigned attempt;
    unsigned generation;
    bool resumed;
    int status;
    struct rp_error error;
    unsigned left;
    bool held;
    struct rp_address addresses[RP_ADDRESS_LIST_MAX];
    size_t address_count;
    pid_t pids[RPCTL_INSTANCES_MAX]; /* those that run */
    unsigned instances[RPCTL_INSTANCES_MAX];
    bool holds[RPCTL_INSTANCES_MAX]; /* watch: … a listener open; of one that was resumed */
    size_t pid_count;
    unsigned long connections;
};

static void post(struct rpctl_leaving *leaving, enum rpctl_drain_event event);

/* --- its end
 * ------------------------------------------------------------------------------------------------ */

static void free_when_quiet(struct rpctl_leaving *leaving)
{
    if (leaving->generation || leaving->open_timers > 0 || leaving->pending_jobs > 0) return;
    rpctl_half_open_free(leaving->mark);
    free(leaving);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct rpctl_leaving *leaving = handle->data;

    leaving->open_timers--;
    free_when_quiet(leaving);
}

void rpctl_leaving_let_go(struct rpctl_leaving *leaving)
{
    leaving->generation->leaving = NULL;
    leaving->generation = NULL;
    for (int i = 0; i < TIMER_COUNT; i++) uv_close((uv_handle_t *)&leaving->timers[i], on_timer_closed);
}

/* --- jobs
 * --------------------------------------------------------------------------------------------------- */

/* Returns the leaving if the answer is still wanted. Frees the job. */
static struct rpctl_leaving *take_job(struct rpctl_job *job, struct leaving_job *ret_result)
{
    struct leaving_job *self = (struct leaving_job *)job;
    struct rpctl_leaving *leaving = self->leaving;

    *ret_result = *self;
    free(self);
    leaving->pending_jobs--;
    if (leaving->generation && leaving->attempt == ret_result->attempt) return leaving;
    free_when_quiet(leaving);
    return NULL;
}

static void act(struct rpctl_leaving *leaving, enum rpctl_drain_action action);

/* Signals go to processes, whatever becomes of their listeners meanwhile. */
static bool is_wanted_again(const struct rpctl_leaving *leaving)
{
    enum rpctl_drain_state state = leaving->generation->drain.state;
    bool signals = leaving->retry == RPCTL_DRAIN_DO_STOP || leaving->retry == RPCTL_DRAIN_DO_KILL;

    return signals ? !rpctl_drain_is_emptied(state) : state == leaving->retry_state;
}

static void on_retry(uv_timer_t *timer)
{
    struct rpctl_leaving *leaving = timer->data;

    if (is_wanted_again(leaving)) act(leaving, leaving->retry);
}

static void fill_job(struct leaving_job *job, const struct rpctl_leaving *leaving)
{
    const struct rpctl_generation *generation = leaving->generation;

    job->attempt = leaving->attempt;
    job->generation = generation->number;
    job->resumed = leaving->resumed;
    job->address_count = generation->address_count;
    for (size_t i = 0; i < generation->address_count; i++) job->addresses[i] = generation->addresses[i];
    for (unsigned i = 0; i < generation->instance_count; i++) {
        if (generation->instances[i].process.pidfd < 0) continue;
        job->instances[job->pid_count] = generation->instances[i].number;
        job->pids[job->pid_count++] = generation->instances[i].process.pid;
    }
}

static void retry_later(struct rpctl_leaving *leaving, enum rpctl_drain_action action)
{
    leaving->retry = action;
    leaving->retry_state = leaving->generation->drain.state;
    uv_timer_start(&leaving->timers[TIMER_RETRY], on_retry, RPCTL_RETRY_MS, 0);
}

static void add_job(struct rpctl_leaving *leaving, enum rpctl_drain_action action,
                    void (*work)(struct rpctl_job *), void (*done)(struct rpctl_job *))
{
    struct leaving_job *job = calloc(1, sizeof *job);

    if (!job) {
        /* The next try has a slot for one action; a look can as well come later. */
        if (action == RPCTL_DRAIN_DO_WATCH)
            act(leaving, RPCTL_DRAIN_DO_ARM_LOOK);
        else
            retry_later(leaving, action);
        return;
    }
    job->job.work = work;
    job->job.done = done;
    job->leaving = leaving;
    fill_job(job, leaving);
    leaving->pending_jobs++;
    rpctl_jobs_add(&leaving->service->jobs, &job->job);
}

/* Packets that were steered by the old program before it was replaced have been delivered when this is over:
 * their handshakes stand in the mark or in an accept queue. */
static void settle_work(struct rpctl_job *job)
{
    struct leaving_job *self = (struct leaving_job *)job;
    struct rpctl_groups *groups = self->leaving->service->groups;

    if (!self->leaving->service->groups) return;
    rpctl_half_open_free(self->leaving->mark);
    self->leaving->mark = NULL;
    self->status = rpctl_groups_settle(groups, &self->error);
    if (self->status == 0)
        self->status =
            rpctl_groups_half_open_mark(groups, self->generation, &self->leaving->mark, &self->error);
}

static void settle_done(struct rpctl_job *job)
{
    struct leaving_job result;
    struct rpctl_leaving *leaving = take_job(job, &result);

    if (!leaving) return;
    if (result.status == 0) {
        post(leaving, RPCTL_DRAIN_ON_SETTLED);
        return;
    }
    rpctl_service_log(leaving->service, "gen=%u settle=failed reason=\"%s\"", result.generation,
                      result.error.message);
    retry_later(leaving, RPCTL_DRAIN_DO_SETTLE);
}

/* The handshakes first: one that ends between the two looks is seen in the queue. What stands in the queue of
 * a process that is dead is lost with it, and would never get less. */
static void look_work(struct rpctl_job *job)
{
    struct leaving_job *self = (struct leaving_job *)job;
    const struct rpctl_groups *groups = self->leaving->service->groups;
    size_t half_open = 0;

    if (!groups) return;
    if (self->leaving->mark)
        self->status = rpctl_half_open_left(self->leaving->mark, &half_open, &self->error);
    self->left = (unsigned)half_open;
    for (size_t i = 0; self->status == 0 && i < self->pid_count; i++) {
        struct rpctl_groups_queue look = {0};

        self->status = rpctl_groups_queue(groups, self->generation, self->instances[i], &look, &self->error);
        self->left += look.waiting;
    }
}

static void look_done(struct rpctl_job *job)
{
    struct leaving_job result;
    struct rpctl_leaving *leaving = take_job(job, &result);

    if (!leaving) return;
    leaving->left = result.left;
    post(leaving,
         result.status == 0 && result.left == 0 ? RPCTL_DRAIN_ON_LOOK_EMPTY : RPCTL_DRAIN_ON_LOOK_BUSY);
}

static void on_doom_changed(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                            const struct rp_error *error)
{
    if (status < 0)
        rpctl_service_log(service, "gen=%u steer=failed reason=\"%s\"", generation->number, error->message);
}

/* Some of those that serve carry the load of all while listeners are doomed: not for long. */
static void spread_again(struct rpctl_leaving *leaving)
{
    if (!leaving->doomed) return;
    leaving->doomed = false;
    rpctl_steering_doom(leaving->service, leaving->generation, false, on_doom_changed);
}

/* One that cannot be looked at is taken for one that holds. */
static void look_at_each(struct leaving_job *self, const struct rpctl_groups *groups)
{
    self->held = false;
    for (size_t i = 0; i < self->pid_count; i++) {
        self->holds[i] = true;
        (void)rpctl_groups_is_held(groups, self->generation, &self->pids[i], 1, &self->holds[i],
                                   &self->error);
        self->held = self->held || self->holds[i];
    }
}

static void watch_work(struct rpctl_job *job)
{
    struct leaving_job *self = (struct leaving_job *)job;
    const struct rpctl_groups *groups = self->leaving->service->groups;

    self->held = true;
    /* Of what the processes have left behind nothing is known before it has been swept. */
    if (!groups || self->pid_count == 0) return;
    if (self->resumed)
        look_at_each(self, groups);
    else
        self->status = rpctl_groups_is_held(groups, self->generation, self->pids, self->pid_count,
                                            &self->held, &self->error);
}

/* The former supervisor may have died between writing down that it would tell them and telling the last of
 * them. Whoever has been told and is not known to have been has closed its listeners by now; a second signal
 * would end it at once. */
static void tell_those_resumed(struct rpctl_leaving *leaving, const struct leaving_job *result)
{
    if (!leaving->resumed) return;
    leaving->resumed = false;
    for (size_t i = 0; i < result->pid_count; i++)
        if (!result->holds[i]) leaving->generation->instances[result->instances[i] - 1].told = true;
    if (rpctl_service_signal(leaving->generation, leaving->generation->policy.stop_signal) < 0)
        retry_later(leaving, RPCTL_DRAIN_DO_STOP);
}

static void watch_done(struct rpctl_job *job)
{
    struct leaving_job result;
    struct rpctl_leaving *leaving = take_job(job, &result);

    if (!leaving) return;
    if (result.held && leaving->generation->drain.state == RPCTL_DRAIN_DRAINING) {
        spread_again(leaving);
        if (result.resumed) tell_those_resumed(leaving, &result);
    }
    post(leaving, result.held ? RPCTL_DRAIN_ON_LISTENERS_HELD : RPCTL_DRAIN_ON_LISTENERS_CLOSED);
}

static void count_work(struct rpctl_job *job)
{
    struct leaving_job *self = (struct leaving_job *)job;

    self->status = rpctl_connection_count(self->addresses, self->address_count, self->pids, self->pid_count,
                                          &self->connections, &self->error);
}

static void kill_now(struct rpctl_leaving *leaving, unsigned long connections)
{
    if (rpctl_service_signal(leaving->generation, SIGKILL) < 0) {
        retry_later(leaving, RPCTL_DRAIN_DO_KILL);
        return;
    }
    leaving->generation->cut += connections;
    leaving->generation->had_to_be_killed = true;
    rpctl_service_log(leaving->service, "gen=%u killed=deadline connections=%lu", leaving->generation->number,
                      connections);
}

static void count_done(struct rpctl_job *job)
{
    struct leaving_job result;
    struct rpctl_leaving *leaving = take_job(job, &result);

    /* It may have ended by itself meanwhile. */
    if (leaving && !rpctl_drain_is_emptied(leaving->generation->drain.state))
        kill_now(leaving, result.connections);
}

static void on_closed(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                      const struct rp_error *error)
{
    if (status < 0)
        rpctl_service_log(service, "gen=%u close=failed reason=\"%s\"", generation->number, error->message);
    post(generation->leaving, status == 0 ? RPCTL_DRAIN_ON_CLOSED : RPCTL_DRAIN_ON_CLOSE_FAILED);
}

/* --- what is told about it
 * ----------------------------------------------------------------------------------- */

static struct rpctl_operation *reported(const struct rpctl_leaving *leaving)
{
    return leaving->operation && leaving->operation->draining ? leaving->operation : NULL;
}

/* The phases are told in their order; that the listeners have left before the drain was over is no news. */
static void report_drained(struct rpctl_leaving *leaving)
{
    const struct rpctl_generation *generation = leaving->generation;
    struct rpctl_operation *operation = reported(leaving);

    if (!operation || (operation->phase && strcmp(operation->phase, "close") == 0)) return; /* a second try */
    rpctl_operation_end(operation,
                        json_pack("{sI,sI}", "finished", (json_int_t)generation->finished, "cut",
                                  (json_int_t)generation->cut),
                        "%lu finished, %lu cut", generation->finished, generation->cut);
    rpctl_operation_begin(operation, "close", 0);
}

static void finish_operation(struct rpctl_operation *operation, const struct rpctl_generation *generation)
{
    int exit_code = RPCTL_EXIT_NOT_SPOTLESS;

    operation->drained = true;
    operation->finished = generation->finished;
    operation->cut = generation->cut;
    rpctl_operation_end(operation, NULL, "%s", "");
    if (generation->cut > 0)
        rpctl_operation_fail(operation, "%lu connections were cut at the drain deadline", generation->cut);
    else if (generation->had_to_be_killed)
        rpctl_operation_fail(operation,
                             "the old generation did not stop by the drain deadline and was killed");
    else if (generation->crash[0])
        rpctl_operation_fail(operation, "a process of the old generation ended with %s while it drained",
                             generation->crash);
    else
        exit_code = RPCTL_EXIT_DONE;
    rpctl_operation_finish(operation, exit_code);
}

static void finish(struct rpctl_leaving *leaving)
{
    struct rpctl_service *service = leaving->service;
    struct rpctl_generation *generation = leaving->generation;
    struct rpctl_operation *operation = reported(leaving);

    rpctl_service_log(service, "gen=%u gone finished=%lu cut=%lu", generation->number, generation->finished,
                      generation->cut);
    leaving->operation = NULL;
    if (generation == service->candidate) {
        rpctl_service_post(service, RPCTL_ROLLOUT_ON_NEW_RETIRED);
        return;
    }
    if (operation) {
        leaving->operation = operation;
        report_drained(leaving);
        leaving->operation = NULL;
        finish_operation(operation, generation);
    }
    rpctl_service_forget_generation(service, generation);
    rpctl_takeover_on_gone(service);
}

/* --- the actions
 * ---------------------------------------------------------------------------------------------- */

static void on_look(uv_timer_t *timer)
{
    post(timer->data, RPCTL_DRAIN_ON_LOOK_TIMER);
}

static void on_quiesce_timeout(uv_timer_t *timer)
{
    struct rpctl_leaving *leaving = timer->data;

    leaving->generation->quiesce_left = leaving->left;
    post(leaving, RPCTL_DRAIN_ON_QUIESCE_TIMEOUT);
}

static void on_deadline(uv_timer_t *timer)
{
    post(timer->data, RPCTL_DRAIN_ON_DEADLINE);
}

/* Were it told before the disk knows that another one serves, a successor could take it for the one that
 * does. A disk that cannot be written to is no reason to wait. */
static void stop_processes(struct rpctl_leaving *leaving)
{
    struct rpctl_operation *operation = reported(leaving);
    bool begun = operation && operation->phase && strcmp(operation->phase, "drain") == 0; /* a second try */

    leaving->stop_waits = !rpctl_keeper_is_settled(&leaving->service->keeper);
    if (leaving->stop_waits) return;
    leaving->stop_due =
        rpctl_service_signal(leaving->generation, leaving->generation->policy.stop_signal) < 0;
    if (leaving->stop_due) retry_later(leaving, RPCTL_DRAIN_DO_STOP);
    if (operation && !begun) rpctl_operation_begin(operation, "drain", operation->policy.drain_timeout_ms);
}

static void on_doomed(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                      const struct rp_error *error)
{
    on_doom_changed(service, generation, status, error);
    if (generation->drain.state == RPCTL_DRAIN_DRAINING) stop_processes(generation->leaving);
}

/* Theirs, which we hold duplicates of: a program with another contract may go on listening as long as it
 * likes. */
static bool closes_at_once(const struct rpctl_generation *generation)
{
    for (unsigned i = 0; i < generation->instance_count; i++)
        if (generation->instances[i].process.pidfd >= 0 && !generation->instances[i].handed_over)
            return false;
    return true;
}

/* From the moment that the processes have closed their listeners until ours have left the groups, the end of
 * this process would put the groups out of order. While a release is starting that cannot be brief. */
static void stop(struct rpctl_leaving *leaving)
{
    bool brief =
        closes_at_once(leaving->generation) && !rpctl_rollout_is_starting(&leaving->service->rollout);

    leaving->stop_due = true;
    if (leaving->doomed || !brief) {
        stop_processes(leaving);
        return;
    }
    leaving->doomed = true;
    rpctl_steering_doom(leaving->service, leaving->generation, true, on_doomed);
}

static void tell_quiet(struct rpctl_leaving *leaving)
{
    if (leaving->generation == leaving->service->serving)
        rpctl_service_post(leaving->service, RPCTL_ROLLOUT_ON_OLD_QUIET);
}

static void disarm(struct rpctl_leaving *leaving)
{
    for (int i = 0; i < TIMER_COUNT; i++) uv_timer_stop(&leaving->timers[i]);
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

    if (leaving->generation->drain.state == RPCTL_DRAIN_CLOSING) report_drained(leaving);
    if (rpctl_rollout_is_starting(&service->rollout) || rpctl_takeover_is_undecided(service) ||
        service->unsteered) {
        spread_again(leaving);
        arm(leaving, TIMER_LOOK, on_look, RPCTL_RETRY_MS);
    } else {
        rpctl_steering_close(service, leaving->generation, on_closed);
    }
}

/* Who holds listeners is known when a takeover knows all of them. */
static void watch(struct rpctl_leaving *leaving)
{
    if (leaving->resumed && rpctl_takeover_is_undecided(leaving->service))
        arm(leaving, TIMER_LOOK, on_look, RPCTL_RETRY_MS);
    else
        add_job(leaving, RPCTL_DRAIN_DO_WATCH, watch_work, watch_done);
}

static void act(struct rpctl_leaving *leaving, enum rpctl_drain_action action)
{
    bool quiescing = leaving->generation->drain.state == RPCTL_DRAIN_QUIESCING;

    switch (action) {
    case RPCTL_DRAIN_DO_SETTLE: add_job(leaving, action, settle_work, settle_done); return;
    case RPCTL_DRAIN_DO_LOOK: add_job(leaving, action, look_work, look_done); return;
    case RPCTL_DRAIN_DO_ARM_LOOK:
        arm(leaving, TIMER_LOOK, on_look, quiescing ? RPCTL_LOOK_INTERVAL_MS : RPCTL_RETRY_MS);
        return;
    case RPCTL_DRAIN_DO_ARM_QUIESCE:
        arm(leaving, TIMER_QUIESCE, on_quiesce_timeout, leaving->quiesce_timeout_ms);
        return;
    case RPCTL_DRAIN_DO_ARM_DEADLINE:
        leaving->deadline_ms = rpctl_service_wall_ms() + leaving->drain_timeout_ms;
        arm(leaving, TIMER_DEADLINE, on_deadline, leaving->drain_timeout_ms);
        return;
    case RPCTL_DRAIN_DO_DISARM: disarm(leaving); return;
    case RPCTL_DRAIN_DO_DISARM_LOOK: uv_timer_stop(&leaving->timers[TIMER_LOOK]); return;
    case RPCTL_DRAIN_DO_WATCH: watch(leaving); return;
    case RPCTL_DRAIN_DO_QUIET: tell_quiet(leaving); return;
    case RPCTL_DRAIN_DO_STOP: stop(leaving); return;
    case RPCTL_DRAIN_DO_KILL: add_job(leaving, action, count_work, count_done); return;
    case RPCTL_DRAIN_DO_CLOSE: close_listeners(leaving); return;
    case RPCTL_DRAIN_DO_FINISH: finish(leaving); return;
    case RPCTL_DRAIN_DO_NONE:
    case RPCTL_DRAIN_ACTION_COUNT: break;
    }
    assert(false && "an action that has no deed");
}

static void post(struct rpctl_leaving *leaving, enum rpctl_drain_event event)
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
    rpctl_keeper_changed(&leaving->service->keeper);
    for (size_t i = 0; i < step.action_count; i++) act(leaving, step.actions[i]);
}

/* --- for the others
 * --------------------------------------------------------------------------------------------- */

int rpctl_leaving_new(struct rpctl_service *service, struct rpctl_generation *generation)
{
    struct rpctl_leaving *leaving = calloc(1, sizeof *leaving);

    if (!leaving) return -ENOMEM;
    leaving->service = service;
    leaving->generation = generation;
    for (int i = 0; i < TIMER_COUNT; i++) {
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
    post(leaving, RPCTL_DRAIN_ON_BEGIN);
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
    act(leaving, RPCTL_DRAIN_DO_ARM_DEADLINE);
    act(leaving, RPCTL_DRAIN_DO_ARM_LOOK);
}

/* A librp server says it when it has closed its listeners; what others mean by it is found out by looking. */
void rpctl_leaving_on_stopping(struct rpctl_generation *generation)
{
    if (generation->drain.state != RPCTL_DRAIN_DRAINING || !closes_at_once(generation)) return;
    for (unsigned i = 0; i < generation->instance_count; i++)
        if (generation->instances[i].process.pidfd >= 0 && !generation->instances[i].said_stopping) return;
    post(generation->leaving, RPCTL_DRAIN_ON_LISTENERS_CLOSED);
}

bool rpctl_leaving_is_stop_due(const struct rpctl_leaving *leaving)
{
    return leaving && leaving->stop_due;
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
    act(leaving, RPCTL_DRAIN_DO_STOP);
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
        act(leaving, RPCTL_DRAIN_DO_CLOSE);
    else if (rpctl_generation_running(generation) == 0)
        rpctl_leaving_on_exited(generation);
    else if (!is_killed(generation))
        act(leaving, RPCTL_DRAIN_DO_KILL);
}

void rpctl_leaving_on_written(struct rpctl_generation *generation)
{
    struct rpctl_leaving *leaving = generation->leaving;

    if (!leaving || !leaving->stop_waits) return;
    leaving->stop_waits = false;
    if (generation->drain.state == RPCTL_DRAIN_DRAINING) stop_processes(leaving);
}

void rpctl_service_stay(struct rpctl_generation *generation)
{
    post(generation->leaving, RPCTL_DRAIN_ON_CANCEL);
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
        post(generation->leaving, RPCTL_DRAIN_ON_EXITED);
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
