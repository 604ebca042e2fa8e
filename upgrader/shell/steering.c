#include "shell/service.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What becomes of the listeners of an instance. */
enum attendance { SERVED, WAITING, GIVEN_UP };

/* One job on the groups: what it works on, what came of it, and whom to tell. */
struct steering_job {
    struct rpctl_job job;
    struct rpctl_service *service;
    struct rpctl_generation *generation; /* of the loop's thread: not to be touched by `work` */
    struct rpctl_instance *instance;
    rpctl_steering_cb *callback;
    rpctl_steering_lend_cb *lend;

    unsigned number; /* of the generation it is about */
    unsigned other;  /* old (check), serving (close); 0 = none */
    unsigned instance_number;
    enum attendance attendance[RPCTL_INSTANCES_MAX]; /* attend: of instance i + 1 */
    unsigned instance_count;
    bool steered;                       /* attend: the programs were replaced */
    struct rpctl_state_group *recorded; /* take_over: a copy */
    size_t recorded_count;
    bool flag; /* verify (shift), may close those given up (attend), allow_drop (check) */
    bool may_detach;
    int fds[RP_LISTENERS_MAX];
    size_t fd_count;

    int status;
    struct rp_error error;
    struct rpctl_groups_closed closed;
    struct rp_address addresses[RP_ADDRESS_LIST_MAX];
    size_t address_count;
    unsigned listener_count;
    uid_t user;
};

static struct steering_job *self_of(struct rpctl_job *job)
{
    return (struct steering_job *)job;
}

static struct steering_job *job_new(struct rpctl_service *service, struct rpctl_generation *generation,
                                    rpctl_steering_cb *callback)
{
    struct steering_job *job = calloc(1, sizeof *job);

    if (!job) return NULL;
    job->service = service;
    job->generation = generation;
    job->callback = callback;
    job->number = generation->number;
    return job;
}

static void refuse_for_memory(struct rpctl_service *service, struct rpctl_generation *generation,
                              rpctl_steering_cb *callback)
{
    struct rp_error error;

    rp_error_set(&error, -ENOMEM, "no memory to steer generation %u", generation->number);
    callback(service, generation, -ENOMEM, &error);
}

static void start(struct steering_job *job, void (*work)(struct rpctl_job *),
                  void (*done)(struct rpctl_job *))
{
    job->job.work = work;
    job->job.done = done;
    rpctl_jobs_add(&job->service->jobs, &job->job);
}

static void tell(struct rpctl_job *job)
{
    struct steering_job self = *self_of(job);

    free(job);
    if (self.service->state != RPCTL_SERVICE_RUNNING) return;
    rpctl_keeper_changed(&self.service->keeper);
    self.callback(self.service, self.generation, self.status, &self.error);
}

/* What the loop knows of a generation's listeners is copied out of the groups here. */
static void look_at_generation(struct steering_job *self)
{
    struct rpctl_groups *groups = self->service->groups;

    self->address_count = rpctl_groups_addresses(groups, self->number, self->addresses, RP_ADDRESS_LIST_MAX);
    self->listener_count = (unsigned)rpctl_groups_listener_count(groups, self->number);
    self->user = rpctl_groups_user(groups, self->number);
}

static void tell_with_look(struct rpctl_job *job)
{
    struct steering_job *self = self_of(job);
    struct rpctl_generation *generation = self->generation;

    memcpy(generation->addresses, self->addresses, sizeof generation->addresses);
    generation->address_count = self->address_count;
    generation->listener_count = self->listener_count;
    generation->user = self->user;
    tell(job);
}

/* --- add ---------------------------------------------------------------------------------------------------
 */

static void add_work(struct rpctl_job *job)
{
    struct steering_job *self = self_of(job);

    if (!self->service->groups) {
        for (size_t i = 0; i < self->fd_count; i++) close(self->fds[i]);
        return;
    }
    for (size_t i = 0; i < self->fd_count; i++) {
        struct rp_error error;
        int status = rpctl_groups_add(self->service->groups, self->fds[i], self->number,
                                      self->instance_number, &error);

        if (status == 0 || self->status < 0) continue;
        self->status = status;
        self->error = error;
    }
    look_at_generation(self);
    rpctl_layout_update(&self->service->layout, self->service->groups);
}

void rpctl_steering_add(struct rpctl_service *service, struct rpctl_instance *instance, const int *fds,
                        size_t fd_count, rpctl_steering_cb *callback)
{
    struct steering_job *job = job_new(service, instance->generation, callback);

    if (!job || fd_count > RP_LISTENERS_MAX) {
        for (size_t i = 0; i < fd_count; i++) close(fds[i]);
        free(job);
        refuse_for_memory(service, instance->generation, callback);
        return;
    }
    job->instance_number = instance->number;
    memcpy(job->fds, fds, fd_count * sizeof *fds);
    job->fd_count = fd_count;
    start(job, add_work, tell_with_look);
}

/* --- pin, check, shift
 * ------------------------------------------------------------------------------------------ */

static int steer_to(struct rpctl_service *service, unsigned generation,
                    const struct rpctl_groups_probe *probes, size_t probe_count, struct rp_error *error)
{
    struct rpctl_share share = {.generation = generation, .weight = 1};
    int status = rpctl_groups_steer(service->groups, &share, 1, probes, probe_count, error);

    if (status == 0) service->steered_generation = generation;
    return status;
}

static void pin_work(struct rpctl_job *job)
{
    struct steering_job *self = self_of(job);

    if (!self->service->groups) return;
    self->status = rpctl_groups_check_shareable(self->service->groups, self->number, &self->error);
    if (self->status == 0) self->status = rpctl_groups_learn(self->service->groups, &self->error);
    if (self->status == 0) self->status = steer_to(self->service, self->number, NULL, 0, &self->error);
    rpctl_layout_update(&self->service->layout, self->service->groups);
}

void rpctl_steering_pin(struct rpctl_service *service, struct rpctl_generation *generation,
                        rpctl_steering_cb *callback)
{
    struct steering_job *job = job_new(service, generation, callback);

    if (job)
        start(job, pin_work, tell);
    else
        refuse_for_memory(service, generation, callback);
}

static void check_work(struct rpctl_job *job)
{
    struct steering_job *self = self_of(job);
    struct rpctl_groups *groups = self->service->groups;

    if (!self->service->groups) return;
    look_at_generation(self);
    self->status = rpctl_groups_learn(groups, &self->error);
    if (self->status == 0 && self->other)
        self->status = rpctl_groups_check_shape(groups, self->other, self->number, self->flag, &self->error);
    if (self->status == 0 && !self->other)
        self->status = steer_to(self->service, self->number, NULL, 0, &self->error);
    rpctl_layout_update(&self->service->layout, groups);
}

void rpctl_steering_check(struct rpctl_service *service, struct rpctl_generation *old,
                          struct rpctl_generation *candidate, rpctl_steering_cb *callback)
{
    struct steering_job *job = job_new(service, candidate, callback);

    if (!job) {
        refuse_for_memory(service, candidate, callback);
        return;
    }
    job->other = old ? old->number : 0;
    job->flag = candidate->policy.allow_drop;
    start(job, check_work, tell_with_look);
}

static int learn_and_steer_to(struct rpctl_service *service, unsigned generation, struct rp_error *error)
{
    int status = rpctl_groups_learn(service->groups, error);

    if (status == 0) status = steer_to(service, generation, NULL, 0, error);
    rpctl_layout_update(&service->layout, service->groups);
    return status;
}

static void shift_work(struct rpctl_job *job)
{
    struct steering_job *self = self_of(job);

    if (!self->service->groups) return;
    if (self->flag) self->status = rpctl_groups_verify(self->service->groups, &self->error);
    if (self->status == 0) self->status = steer_to(self->service, self->number, NULL, 0, &self->error);
    /* A listener has come since the order was learnt. */
    if (self->status == -ESTALE) self->status = learn_and_steer_to(self->service, self->number, &self->error);
}

void rpctl_steering_shift(struct rpctl_service *service, struct rpctl_generation *generation, bool verify,
                          rpctl_steering_cb *callback)
{
    struct steering_job *job = job_new(service, generation, callback);

    if (!job) {
        refuse_for_memory(service, generation, callback);
        return;
    }
    job->flag = verify;
    start(job, shift_work, tell);
}

struct probes_job {
    struct rpctl_job job;
    struct rpctl_service *service;
    const struct rpctl_groups_probe *probes;
    size_t probe_count;
    rpctl_steering_probes_cb *callback;
    void *data;
    int status;
    struct rp_error error;
};

/* Whoever has all other traffic keeps it: the shift, or the way back, may have come before this job. Where
 * nothing is steered any more there is nothing to take out. */
static void probes_work(struct rpctl_job *job)
{
    struct probes_job *self = (struct probes_job *)job;
    unsigned steered = self->service->steered_generation;

    if (!self->service->groups || (steered == 0 && self->probe_count == 0)) return;
    self->status = steer_to(self->service, steered, self->probes, self->probe_count, &self->error);
}

static void probes_done(struct rpctl_job *job)
{
    struct probes_job *self = (struct probes_job *)job;

    self->callback(self->data, self->status, &self->error);
    free(self);
}

int rpctl_steering_probes(struct rpctl_service *service, const struct rpctl_groups_probe *probes,
                          size_t probe_count, rpctl_steering_probes_cb *callback, void *data)
{
    struct probes_job *job = calloc(1, sizeof *job);

    if (!job) return -ENOMEM;
    job->job = (struct rpctl_job){.work = probes_work, .done = probes_done};
    job->service = service;
    job->probes = probes;
    job->probe_count = probe_count;
    job->callback = callback;
    job->data = data;
    rpctl_jobs_add(&service->jobs, &job->job);
    return 0;
}

/* --- doom, close, detach
 * ------------------------------------------------------------------------------------------------ */

static void doom_work(struct rpctl_job *job)
{
    struct steering_job *self = self_of(job);

    if (!self->service->groups) return;
    self->status = rpctl_groups_doom(self->service->groups, self->number, self->flag, &self->error);
}

static void doom_done(struct rpctl_job *job)
{
    self_of(job)->service->closes++;
    tell(job);
}

void rpctl_steering_doom(struct rpctl_service *service, struct rpctl_generation *generation, bool doomed,
                         rpctl_steering_cb *callback)
{
    struct steering_job *job = job_new(service, generation, callback);

    if (!job) {
        refuse_for_memory(service, generation, callback);
        return;
    }
    job->flag = doomed;
    start(job, doom_work, doom_done);
}

static void close_work(struct rpctl_job *job)
{
    struct steering_job *self = self_of(job);
    struct rpctl_groups *groups = self->service->groups;
    unsigned steered = self->service->steered_generation;
    struct rp_error ignored;

    if (!self->service->groups) return;
    /* A release whose first start failed has all traffic itself: nobody else is there. */
    assert(steered != self->number || self->other == 0);
    if (steered == self->number) steered = 0;
    if (rpctl_groups_listener_count(groups, self->number) > 0)
        self->status =
            rpctl_groups_close_generation(groups, self->number, steered, &self->closed, &self->error);
    self->listener_count = (unsigned)rpctl_groups_listener_count(groups, self->number);
    rpctl_layout_update(&self->service->layout, groups);
    if (self->status < 0 || !self->may_detach) return;
    /* Another generation may be draining still: its own close comes here again. A program that stays where
     * one generation is left sends all to that one, so a detach that fails is no harm. */
    if (rpctl_groups_detach(groups, &ignored) == 0) self->service->steered_generation = 0;
}

static void close_done(struct rpctl_job *job)
{
    struct steering_job *self = self_of(job);

    self->service->closes++;
    self->generation->listener_count = self->listener_count;
    if (self->closed.queued > 0)
        rpctl_service_log(self->service, "gen=%u closed=%u queued=%u", self->number, self->closed.listeners,
                          self->closed.queued);
    tell(job);
}

/* Not while an operation needs the pin: a candidate that is being stopped may still listen, and would get
 * traffic. Nor while a process of a generation that is leaving, or may have to when a takeover has decided,
 * runs: one that was starting when it was told to stop may begin to listen yet. */
static bool somebody_leaves(const struct rpctl_service *service)
{
    for (const struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next)
        if (rpctl_generation_is_leaving(generation) && !rpctl_drain_is_emptied(generation->drain.state))
            return true;
    return false;
}

static bool may_detach(const struct rpctl_service *service, const struct rpctl_generation *closing)
{
    if (somebody_leaves(service)) return false;
    if (closing == service->candidate) return true;
    return service->serving && service->rollout.state == RPCTL_ROLLOUT_IDLE;
}

void rpctl_steering_close(struct rpctl_service *service, struct rpctl_generation *generation,
                          rpctl_steering_cb *callback)
{
    struct steering_job *job = job_new(service, generation, callback);

    if (!job) {
        refuse_for_memory(service, generation, callback);
        return;
    }
    job->other = rpctl_service_serving_number(service);
    job->may_detach = may_detach(service, generation);
    start(job, close_work, close_done);
}

static void detach_work(struct rpctl_job *job)
{
    struct steering_job *self = self_of(job);

    if (!self->service->groups) return;
    self->status = rpctl_groups_detach(self->service->groups, &self->error);
    if (self->status == 0) self->service->steered_generation = 0;
}

void rpctl_steering_detach(struct rpctl_service *service, struct rpctl_generation *generation,
                           rpctl_steering_cb *callback)
{
    struct steering_job *job = job_new(service, generation, callback);

    if (job)
        start(job, detach_work, tell);
    else
        refuse_for_memory(service, generation, callback);
}

/* --- attend
 * ------------------------------------------------------------------------------------------------------- */

static enum attendance attendance_of(const struct rpctl_instance *instance)
{
    if (instance->state == RPCTL_INSTANCE_FAILED) return GIVEN_UP;
    return instance->process.pidfd >= 0 && instance->state == RPCTL_INSTANCE_READY ? SERVED : WAITING;
}

/* Where the last one was given up the whole generation is, and closes as one; until then its listeners are
 * what the groups are held by. */
static void take_attendance(struct steering_job *job, const struct rpctl_generation *generation)
{
    bool all = true;

    job->instance_count = generation->instance_count;
    for (unsigned i = 0; i < job->instance_count; i++) {
        job->attendance[i] = attendance_of(&generation->instances[i]);
        all = all && job->attendance[i] == GIVEN_UP;
    }
    for (unsigned i = 0; all && i < job->instance_count; i++) job->attendance[i] = WAITING;
}

static void apply_attendance(const struct steering_job *self)
{
    struct rpctl_groups *groups = self->service->groups;

    for (unsigned i = 0; i < self->instance_count; i++) {
        if (self->attendance[i] == GIVEN_UP)
            rpctl_groups_disown(groups, self->number, i + 1);
        else
            rpctl_groups_set_served(groups, self->number, i + 1, self->attendance[i] == SERVED);
    }
}

/* At once by the order that is known, for it has not changed where we hold every listener; then by the one
 * that is true, where a process has closed one of its own accord. */
static int steer_around(struct rpctl_service *service, unsigned generation, struct rp_error *error)
{
    int status = steer_to(service, generation, NULL, 0, error);

    if (status == 0 && rpctl_groups_verify(service->groups, NULL) == -ESTALE) status = -ESTALE;
    return status == -ESTALE ? learn_and_steer_to(service, generation, error) : status;
}

/* See close_listeners() in leaving.c for why not while a release is starting. */
static int close_disowned(struct steering_job *self)
{
    struct rpctl_groups *groups = self->service->groups;

    if (rpctl_groups_listener_count(groups, RPCTL_GROUPS_NOBODY) == 0) return 0;
    if (!self->flag)
        return rp_error_set(&self->error, -EBUSY, "listeners that were given up stay during an operation");
    return rpctl_groups_close_generation(groups, RPCTL_GROUPS_NOBODY, self->service->steered_generation,
                                         &self->closed, &self->error);
}

static void attend_work(struct rpctl_job *job)
{
    struct steering_job *self = self_of(job);
    struct rpctl_service *service = self->service;
    unsigned steered = service->steered_generation;
    struct rp_error ignored;

    if (!service->groups) return;
    apply_attendance(self);
    self->steered = steered > 0 || rpctl_groups_need_steering(service->groups);
    if (self->steered)
        self->status = steer_around(service, steered > 0 ? steered : self->number, &self->error);
    if (self->status == 0) self->status = close_disowned(self);
    look_at_generation(self);
    rpctl_layout_update(&service->layout, service->groups);
    if (self->status < 0 || !self->may_detach || !self->steered) return;
    if (rpctl_groups_detach(service->groups, &ignored) == 0) service->steered_generation = 0;
}

static void attend_done(struct rpctl_job *job)
{
    struct steering_job *self = self_of(job);

    if (self->steered) self->service->closes++;
    if (self->closed.listeners > 0)
        rpctl_service_log(self->service, "gen=%u given-up=closed listeners=%u queued=%u", self->number,
                          self->closed.listeners, self->closed.queued);
    tell_with_look(job);
}

void rpctl_steering_attend(struct rpctl_service *service, struct rpctl_generation *generation,
                           rpctl_steering_cb *callback)
{
    struct steering_job *job = job_new(service, generation, callback);

    if (!job) {
        refuse_for_memory(service, generation, callback);
        return;
    }
    take_attendance(job, generation);
    job->flag = service->rollout.state == RPCTL_ROLLOUT_IDLE;
    job->may_detach = job->flag && !somebody_leaves(service);
    start(job, attend_work, attend_done);
}

/* --- after a former supervisor
 * -------------------------------------------------------------------------------------------------- */

static void verify_work(struct rpctl_job *job)
{
    struct steering_job *self = self_of(job);

    if (self->service->groups) self->status = rpctl_groups_verify(self->service->groups, &self->error);
}

void rpctl_steering_verify(struct rpctl_service *service, struct rpctl_generation *generation,
                           rpctl_steering_cb *callback)
{
    struct steering_job *job = job_new(service, generation, callback);

    if (job)
        start(job, verify_work, tell);
    else
        refuse_for_memory(service, generation, callback);
}

/* The recorded order is good enough for the program that is in force while the true one is learnt. */
static void take_over_work(struct rpctl_job *job)
{
    struct steering_job *self = self_of(job);
    struct rpctl_groups *groups = self->service->groups;

    if (!groups) return;
    if (rpctl_groups_assume_order(groups, self->recorded, self->recorded_count))
        self->status = steer_to(self->service, self->number, NULL, 0, &self->error);
    if (self->status == 0) self->status = rpctl_groups_learn(groups, &self->error);
    if (self->status == 0) self->status = steer_to(self->service, self->number, NULL, 0, &self->error);
    look_at_generation(self);
    rpctl_layout_update(&self->service->layout, groups);
}

static void take_over_done(struct rpctl_job *job)
{
    struct steering_job *self = self_of(job);

    rpctl_state_groups_free(self->recorded, self->recorded_count);
    free(self->recorded);
    tell_with_look(job);
}

void rpctl_steering_take_over(struct rpctl_service *service, struct rpctl_generation *generation,
                              const struct rpctl_state_group *recorded, size_t count,
                              rpctl_steering_cb *callback)
{
    struct steering_job *job = job_new(service, generation, callback);

    if (!job || rpctl_state_groups_copy(recorded, count, &job->recorded) < 0) {
        free(job);
        refuse_for_memory(service, generation, callback);
        return;
    }
    job->recorded_count = count;
    start(job, take_over_work, take_over_done);
}

/* --- after a re-execution ----------------------------------------------------------------------------------
 */

static void add_recorded(struct rpctl_service *service, const struct rpctl_state_listener *listener)
{
    struct rp_error error;

    if (listener->fd < 0) return;
    if (rpctl_groups_add(service->groups, listener->fd, listener->generation, listener->instance, &error) < 0)
        rpctl_service_log(service, "gen=%u listener=lost reason=\"%s\"", listener->generation, error.message);
}

static void look_at_all(struct rpctl_service *service)
{
    for (struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next) {
        generation->address_count = rpctl_groups_addresses(service->groups, generation->number,
                                                           generation->addresses, RP_ADDRESS_LIST_MAX);
        generation->listener_count =
            (unsigned)rpctl_groups_listener_count(service->groups, generation->number);
        generation->user = rpctl_groups_user(service->groups, generation->number);
    }
}

int rpctl_steering_restore(struct rpctl_service *service, const struct rpctl_state_group *recorded,
                           size_t count, unsigned steered, struct rp_error *error)
{
    int status = 0;

    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < recorded[i].listener_count; k++)
            add_recorded(service, &recorded[i].listeners[k]);
    look_at_all(service);
    (void)rpctl_groups_assume_order(service->groups, recorded, count); /* else it is learnt when it matters */
    if (steered > 0) status = steer_to(service, steered, NULL, 0, error);
    if (status == -ESTALE) status = rpctl_groups_learn(service->groups, error);
    if (status == 0 && steered > 0 && service->steered_generation == 0)
        status = steer_to(service, steered, NULL, 0, error);
    rpctl_layout_update(&service->layout, service->groups);
    return status;
}

/* --- release
 * ------------------------------------------------------------------------------------------------------ */

struct release_job {
    struct rpctl_job job;
    struct rpctl_service *service;
    void (*callback)(struct rpctl_service *service);
};

static void release_work(struct rpctl_job *job)
{
    struct rpctl_service *service = ((struct release_job *)job)->service;

    rpctl_groups_free(service->groups);
    service->groups = NULL;
    service->steered_generation = 0;
}

static void release_done(struct rpctl_job *job)
{
    struct release_job *self = (struct release_job *)job;

    self->callback(self->service);
}

void rpctl_steering_release(struct rpctl_service *service, void (*callback)(struct rpctl_service *service))
{
    static struct release_job job; /* the last thing a supervisor does, once */

    job = (struct release_job){{.work = release_work, .done = release_done}, service, callback};
    rpctl_jobs_add(&service->jobs, &job.job);
}

/* --- lend, copy the list
 * ------------------------------------------------------------------------------------------------------ */

static void lend_work(struct rpctl_job *job)
{
    struct steering_job *self = self_of(job);
    struct rpctl_groups_listener *listeners;
    size_t count;

    if (!self->service->groups) return;
    listeners = calloc(RP_LISTENERS_MAX, sizeof *listeners);
    if (!listeners) {
        self->status = -ENOMEM;
        return;
    }
    count = rpctl_groups_listeners(self->service->groups, self->number, self->instance_number, listeners,
                                   RP_LISTENERS_MAX);
    for (size_t i = 0; i < count && i < RP_LISTENERS_MAX; i++) {
        int fd = fcntl(listeners[i].fd, F_DUPFD_CLOEXEC, 3);

        if (fd < 0) self->status = -errno;
        if (fd >= 0) self->fds[self->fd_count++] = fd;
    }
    free(listeners);
}

static void lend_done(struct rpctl_job *job)
{
    struct steering_job *self = self_of(job);

    if (self->service->state == RPCTL_SERVICE_RUNNING)
        self->lend(self->service, self->instance, self->fds, self->fd_count, self->status);
    for (size_t i = 0; i < self->fd_count; i++) close(self->fds[i]);
    free(self);
}

void rpctl_steering_lend(struct rpctl_service *service, struct rpctl_instance *instance,
                         rpctl_steering_lend_cb *callback)
{
    struct steering_job *job = job_new(service, instance->generation, NULL);

    if (!job) {
        callback(service, instance, NULL, 0, -ENOMEM);
        return;
    }
    job->instance = instance;
    job->instance_number = instance->number;
    job->lend = callback;
    start(job, lend_work, lend_done);
}

struct list_job {
    struct rpctl_job job;
    struct rpctl_service *service;
    unsigned number;
    rpctl_steering_list_cb *callback;
    void *data;
    struct rpctl_groups_listener listeners[RP_LISTENERS_MAX];
    size_t count;
};

static void list_work(struct rpctl_job *job)
{
    struct list_job *self = (struct list_job *)job;

    for (unsigned i = 1; self->service->groups && i <= RPCTL_INSTANCES_MAX && self->count < RP_LISTENERS_MAX;
         i++) {
        size_t room = RP_LISTENERS_MAX - self->count;
        size_t found = rpctl_groups_listeners(self->service->groups, self->number, i,
                                              self->listeners + self->count, room);

        self->count += found < room ? found : room;
    }
}

static void list_done(struct rpctl_job *job)
{
    struct list_job *self = (struct list_job *)job;

    self->callback(self->data, self->listeners, self->count);
    free(self);
}

int rpctl_steering_list(struct rpctl_service *service, const struct rpctl_generation *generation,
                        rpctl_steering_list_cb *callback, void *data)
{
    struct list_job *job = calloc(1, sizeof *job);

    if (!job) return -ENOMEM;
    job->job = (struct rpctl_job){.work = list_work, .done = list_done};
    job->service = service;
    job->number = generation->number;
    job->callback = callback;
    job->data = data;
    rpctl_jobs_add(&service->jobs, &job->job);
    return 0;
}
