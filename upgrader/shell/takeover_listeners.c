#include "shell/takeover_internal.h"

#include "linux/listener_collect.h"

#include <errno.h>
#include <stdlib.h>

/* --- duplicates of them --- */

struct collect_job {
    struct rpctl_job job;
    struct rpctl_service *service;
    const struct rpctl_takeover *takeover; /* to compare: it may be gone */
    struct rpctl_instance *instance;
    pid_t pid;
    bool again; /* not the first look at it */
    struct rpctl_collected collected;
    int status;
    struct rp_error error;
};

static void on_added(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                     const struct rp_error *error)
{
    if (status < 0)
        rpctl_service_log(service, "gen=%u listener=refused reason=\"%s\"", generation->number,
                          error->message);
}

static void collect_work(struct rpctl_job *job)
{
    struct collect_job *self = (struct collect_job *)job;

    self->status = rpctl_listeners_collect(self->pid, &self->collected, &self->error);
}

static void collect_done(struct rpctl_job *job)
{
    struct collect_job *self = (struct collect_job *)job;
    struct rpctl_service *service = self->service;

    if (service->takeover == self->takeover) service->takeover->pending--;
    if (self->status < 0 && !self->again)
        rpctl_service_log(service, "pid=%d listeners=not-taken reason=\"%s\"", (int)self->pid,
                          self->error.message);
    else if (self->status == 0 && service->takeover && self->collected.count > 0 &&
             self->instance->process.pidfd >= 0) {
        self->instance->found = true;
        rpctl_steering_add(service, self->instance, self->collected.fds, self->collected.count, on_added);
        self->collected.count = 0; /* the job's now */
    }
    rpctl_collected_close(&self->collected);
    free(self);
}

static void collect(struct rpctl_takeover *takeover, struct rpctl_instance *instance)
{
    struct collect_job *job = calloc(1, sizeof *job);

    if (!job) return; /* librp sends them by itself */
    job->job = (struct rpctl_job){.work = collect_work, .done = collect_done};
    job->service = takeover->service;
    job->takeover = takeover;
    job->instance = instance;
    job->pid = instance->process.pid;
    job->again = takeover->collected_once;
    takeover->pending++;
    rpctl_jobs_add(&takeover->service->jobs, &job->job);
}

/* Of those that have not sent them. */
static void collect_all(struct rpctl_takeover *takeover)
{
    for (struct rpctl_generation *generation = takeover->service->generations; generation;
         generation = generation->next)
        for (unsigned i = 0; i < generation->instance_count; i++)
            if (generation->instances[i].process.pidfd >= 0 && !generation->instances[i].handed_over)
                collect(takeover, &generation->instances[i]);
    takeover->collected_once = true;
}

/* --- until every listener of every group is known --- */

bool rpctl_takeover_is_late(const struct rpctl_takeover *takeover)
{
    return uv_now(&takeover->service->loop) - takeover->begun_ms >= RPCTL_TAKEOVER_WAIT_MS;
}

static unsigned count_listeners(const struct rpctl_service *service)
{
    unsigned count = 0;

    for (const struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next)
        count += generation->listener_count;
    return count;
}

/* The state may be of long ago: from before a disk was full. Then whom it names may be gone, or going. */
static bool is_there(const struct rpctl_takeover *takeover, unsigned number)
{
    const struct rpctl_generation *generation = rpctl_service_find_generation(takeover->service, number);

    return generation && rpctl_generation_running(generation) > 0 && !rpctl_takeover_is_going(generation);
}

/* Nobody knows which of several serves, so one of them has to answer a health check: a server says itself
 * which, again, to each supervisor. One that says nothing is asked for a connection in the end. */
static bool lacks_health(const struct rpctl_takeover *takeover, const struct rpctl_generation *generation)
{
    const struct rpctl_state *state = &takeover->state;

    if (is_there(takeover, state->serving) || is_there(takeover, state->candidate)) return false;
    if (!takeover->service->generations->next) return false;
    return generation->policy.health.kind == RPCTL_HEALTH_AUTO &&
           generation->health.kind == RPCTL_HEALTH_AUTO;
}

/* Who may serve, and has not shown its listeners yet. A release that is to be stopped need not. */
static bool is_awaited(const struct rpctl_takeover *takeover, const struct rpctl_generation *generation)
{
    const struct rpctl_state *state = &takeover->state;

    if (rpctl_generation_is_leaving(generation) || generation->hidden) return false;
    if (is_there(takeover, state->serving) && generation->number != state->serving &&
        state->rollout != RPCTL_ROLLOUT_BAKING && state->rollout != RPCTL_ROLLOUT_QUIESCING)
        return false;
    for (unsigned i = 0; i < generation->instance_count; i++) {
        const struct rpctl_instance *instance = &generation->instances[i];

        if (instance->process.pidfd < 0 || instance->state == RPCTL_INSTANCE_STOPPING) continue;
        if (!instance->handed_over && !instance->found) return true;
        if (lacks_health(takeover, generation)) return true;
    }
    return false;
}

static bool is_complete(const struct rpctl_takeover *takeover)
{
    for (const struct rpctl_generation *generation = takeover->service->generations; generation;
         generation = generation->next)
        if (is_awaited(takeover, generation)) return false;
    return true;
}

static void end_of_listeners(struct rpctl_takeover *takeover)
{
    unsigned count = count_listeners(takeover->service);

    if (takeover->steering) return; /* a second try */
    rpctl_operation_end(takeover->operation, json_pack("{sI}", "listeners", (json_int_t)count),
                        "%u listeners", count);
}

/* One that has been shut down is no obstacle: the order is learnt without it. */
static void on_verified(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                        const struct rp_error *error)
{
    struct rpctl_takeover *takeover = service->takeover;
    bool known = status == 0 || status == -ESTALE;

    (void)generation;
    if (known && (is_complete(takeover) || rpctl_takeover_is_late(takeover))) {
        end_of_listeners(takeover);
        rpctl_takeover_decide(takeover);
    } else if (rpctl_takeover_is_late(takeover)) {
        rpctl_takeover_give_up(takeover, error->message);
    } else {
        /* A process that had none at the first look may listen now. */
        if (status == -EEXIST) collect_all(takeover);
        rpctl_takeover_look_again(takeover);
    }
}

static void on_look(uv_timer_t *timer)
{
    struct rpctl_takeover *takeover = timer->data;

    if (takeover->pending > 0)
        rpctl_takeover_look_again(takeover);
    else
        rpctl_steering_verify(takeover->service, takeover->service->generations, on_verified);
}

/* Of a generation that was told to stop, and has ended between two looks at it, nobody else would say so. */
static void bury_the_dead(struct rpctl_service *service)
{
    for (struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next)
        if (rpctl_generation_is_leaving(generation) && rpctl_generation_running(generation) == 0)
            rpctl_leaving_on_exited(generation);
}

void rpctl_takeover_look_again(struct rpctl_takeover *takeover)
{
    uv_timer_start(&takeover->timer, on_look, RPCTL_TAKEOVER_LOOK_MS, 0);
}

void rpctl_takeover_begin_listeners(struct rpctl_takeover *takeover)
{
    rpctl_operation_begin(takeover->operation, "listeners", RPCTL_TAKEOVER_WAIT_MS);
    bury_the_dead(takeover->service);
    collect_all(takeover);
    rpctl_takeover_look_again(takeover);
}
