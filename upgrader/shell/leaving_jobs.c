#include "shell/leaving_internal.h"

#include "linux/connection_count.h"

#include <signal.h>
#include <stdlib.h>

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

/* Returns the leaving if the answer is still wanted. Frees the job. */
static struct rpctl_leaving *take_job(struct rpctl_job *job, struct leaving_job *ret_result)
{
    struct leaving_job *self = (struct leaving_job *)job;
    struct rpctl_leaving *leaving = self->leaving;

    *ret_result = *self;
    free(self);
    leaving->pending_jobs--;
    if (leaving->generation && leaving->attempt == ret_result->attempt) return leaving;
    rpctl_leaving_free_when_quiet(leaving);
    return NULL;
}

/* --- again --- */

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

    if (is_wanted_again(leaving)) rpctl_leaving_act(leaving, leaving->retry);
}

void rpctl_leaving_retry_later(struct rpctl_leaving *leaving, enum rpctl_drain_action action)
{
    leaving->retry = action;
    leaving->retry_state = leaving->generation->drain.state;
    uv_timer_start(&leaving->timers[RPCTL_LEAVING_TIMER_RETRY], on_retry, RPCTL_RETRY_MS, 0);
}

/* --- a job --- */

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

static void add_job(struct rpctl_leaving *leaving, enum rpctl_drain_action action,
                    void (*work)(struct rpctl_job *), void (*done)(struct rpctl_job *))
{
    struct leaving_job *job = calloc(1, sizeof *job);

    if (!job) {
        /* The next try has a slot for one action; a look can as well come later. */
        if (action == RPCTL_DRAIN_DO_WATCH)
            rpctl_leaving_act(leaving, RPCTL_DRAIN_DO_ARM_LOOK);
        else
            rpctl_leaving_retry_later(leaving, action);
        return;
    }
    job->job.work = work;
    job->job.done = done;
    job->leaving = leaving;
    fill_job(job, leaving);
    leaving->pending_jobs++;
    rpctl_jobs_add(&leaving->service->jobs, &job->job);
}

/* --- settle, look --- */

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
        rpctl_leaving_post(leaving, RPCTL_DRAIN_ON_SETTLED);
        return;
    }
    rpctl_service_log(leaving->service, "gen=%u settle=failed reason=\"%s\"", result.generation,
                      result.error.message);
    rpctl_leaving_retry_later(leaving, RPCTL_DRAIN_DO_SETTLE);
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
    rpctl_leaving_post(leaving, result.status == 0 && result.left == 0 ? RPCTL_DRAIN_ON_LOOK_EMPTY
                                                                       : RPCTL_DRAIN_ON_LOOK_BUSY);
}

/* --- watch --- */

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
        rpctl_leaving_retry_later(leaving, RPCTL_DRAIN_DO_STOP);
}

static void watch_done(struct rpctl_job *job)
{
    struct leaving_job result;
    struct rpctl_leaving *leaving = take_job(job, &result);

    if (!leaving) return;
    if (result.held && leaving->generation->drain.state == RPCTL_DRAIN_DRAINING) {
        rpctl_leaving_spread_again(leaving);
        if (result.resumed) tell_those_resumed(leaving, &result);
    }
    rpctl_leaving_post(leaving,
                       result.held ? RPCTL_DRAIN_ON_LISTENERS_HELD : RPCTL_DRAIN_ON_LISTENERS_CLOSED);
}

/* --- kill --- */

static void count_work(struct rpctl_job *job)
{
    struct leaving_job *self = (struct leaving_job *)job;

    self->status = rpctl_connection_count(self->addresses, self->address_count, self->pids, self->pid_count,
                                          &self->connections, &self->error);
}

static void kill_now(struct rpctl_leaving *leaving, unsigned long connections)
{
    if (rpctl_service_signal(leaving->generation, SIGKILL) < 0) {
        rpctl_leaving_retry_later(leaving, RPCTL_DRAIN_DO_KILL);
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

void rpctl_leaving_begin_job(struct rpctl_leaving *leaving, enum rpctl_drain_action action)
{
    switch (action) {
    case RPCTL_DRAIN_DO_SETTLE: add_job(leaving, action, settle_work, settle_done); break;
    case RPCTL_DRAIN_DO_LOOK: add_job(leaving, action, look_work, look_done); break;
    case RPCTL_DRAIN_DO_WATCH: add_job(leaving, action, watch_work, watch_done); break;
    default: add_job(leaving, action, count_work, count_done); break;
    }
}
