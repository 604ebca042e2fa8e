#include "shell/takeover.h"

#include "linux/listener_collect.h"
#include "linux/state_file.h"
#include "pure/exit_code.h"
#include "pure/recovery.h"
#include "shell/adopt.h"
#include "shell/service.h"
#include "shell/trial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rpctl_takeover {
    struct rpctl_service *service;
    struct rpctl_operation *operation; /* NULL before run() */
    struct rpctl_state state;          /* without a document: there was none */
    unsigned processes;
    uv_timer_t timer;
    uint64_t begun_ms;
    unsigned pending; /* jobs */
    bool collected_once;
    bool steering; /* the phase has begun */
    bool steered;
    enum rpctl_recovery_outcome outcome;
    unsigned way_back; /* generation that can still serve, where new is to serve; 0 = none */
    struct rpctl_trial *trial;
    bool has_failed_trial;                /* all goes back */
    struct rpctl_generation *tried;       /* … whose it is */
    char warning[RP_ERROR_MESSAGE_BYTES]; /* about the state */
};

/* --- find
 * ---------------------------------------------------------------------------------------------------- */

static void set_aside(struct rpctl_takeover *takeover, const struct rp_error *why)
{
    struct rpctl_service *service = takeover->service;

    snprintf(takeover->warning, sizeof takeover->warning,
             "the state of the former supervisor cannot be used (%.120s); it was set aside "
             "as " RPCTL_STATE_FILE_BAD,
             why->message);
    rpctl_service_log(service, "state=set-aside reason=\"%s\"", why->message);
    (void)rpctl_state_file_set_aside(rpctl_service_dir_fd(service->config->dir), NULL);
}

/* Another boot: its pids are other processes' now. Another service's: a directory was copied. */
static int check_origin(const struct rpctl_service *service, const struct rpctl_state *state,
                        struct rp_error *error)
{
    if (strcmp(state->service, service->config->name) != 0)
        return rp_error_set(error, -EPROTO, "it is of a service named %.60s", state->service);
    if (strcmp(state->boot_id, service->boot_id) != 0)
        return rp_error_set(error, -ESTALE, "the machine has been started anew since");
    return 0;
}

static void load_state(struct rpctl_takeover *takeover)
{
    struct rpctl_service *service = takeover->service;
    struct rp_error error = {0};
    char *text = NULL;
    size_t length = 0;
    int dir_fd = rpctl_service_dir_fd(service->config->dir);
    int status = rpctl_state_file_read(dir_fd, RPCTL_STATE_BYTES_MAX, &text, &length, &error);

    if (status == -ENOENT) return;
    if (status == 0) status = rpctl_state_decode(&takeover->state, text, length, &error);
    free(text);
    if (status == 0) status = check_origin(service, &takeover->state, &error);
    if (status == 0) return;
    rpctl_state_done(&takeover->state);
    if (status == -ESTALE)
        (void)rpctl_state_file_remove(dir_fd);
    else
        set_aside(takeover, &error);
}

static void drop(struct rpctl_takeover *takeover)
{
    takeover->service->takeover = NULL;
    rpctl_state_done(&takeover->state);
    free(takeover);
}

int rpctl_takeover_find(struct rpctl_service *service, bool *ret_found, struct rp_error *error)
{
    struct rpctl_takeover *takeover = calloc(1, sizeof *takeover);
    int status;

    if (!takeover) return rp_error_set(error, -ENOMEM, "no memory to look for what runs already");
    takeover->service = service;
    service->takeover = takeover;
    load_state(takeover);
    status = rpctl_adopt_all(service, takeover->state.document ? &takeover->state : NULL,
                             &takeover->processes, error);
    *ret_found = status == 0 && takeover->processes > 0;
    if (*ret_found && takeover->state.document) rpctl_relaunch_restore_crash(service, &takeover->state.crash);
    if (*ret_found)
        rpctl_keeper_hold(&service->keeper);
    else
        drop(takeover);
    return status;
}

/* --- the end
 * --------------------------------------------------------------------------------------------------
 */

static void free_takeover(uv_handle_t *handle)
{
    struct rpctl_takeover *takeover = handle->data;

    rpctl_state_done(&takeover->state);
    free(takeover);
}

static void end(struct rpctl_takeover *takeover)
{
    takeover->service->takeover = NULL;
    rpctl_trial_cancel(takeover->trial);
    uv_close((uv_handle_t *)&takeover->timer, free_takeover);
}

void rpctl_takeover_cancel(struct rpctl_service *service)
{
    if (service->takeover) end(service->takeover);
}

/* Nothing was changed: the servers go on, only without us. */
static void give_up(struct rpctl_takeover *takeover, const char *why)
{
    struct rpctl_service *service = takeover->service;
    struct rpctl_operation *operation = takeover->operation;

    rpctl_service_log(service, "takeover=failed reason=\"%s\"", why);
    end(takeover);
    rpctl_operation_fail(operation, "%s; the servers go on as they were", why);
    service->abandons = true;
    rpctl_operation_finish(operation, RPCTL_EXIT_FAILED);
}

static void finish(struct rpctl_takeover *takeover)
{
    struct rpctl_operation *operation = takeover->operation;
    unsigned long cut = operation->cut;

    end(takeover);
    rpctl_operation_end(operation, NULL, "%s", "");
    if (cut > 0) rpctl_operation_fail(operation, "%lu connections were cut at the drain deadline", cut);
    rpctl_operation_finish(operation, cut > 0 ? RPCTL_EXIT_NOT_SPOTLESS : RPCTL_EXIT_DONE);
}

bool rpctl_takeover_is_undecided(const struct rpctl_service *service)
{
    return service->takeover && !service->takeover->steered;
}

void rpctl_takeover_on_gone(struct rpctl_service *service)
{
    if (service->takeover && service->takeover->steered && rpctl_service_draining(service) == 0)
        finish(service->takeover);
}

/* --- steer, leave
 * ---------------------------------------------------------------------------------------------
 */

static const char *outcome_text(enum rpctl_recovery_outcome outcome)
{
    switch (outcome) {
    case RPCTL_RECOVERY_UNDONE: return "; the operation that was under way is undone";
    case RPCTL_RECOVERY_FINISHED: return "; the operation that was under way is brought to its end";
    case RPCTL_RECOVERY_EXCHANGED: return "; the one that should serve has died";
    case RPCTL_RECOVERY_NOTHING:
    case RPCTL_RECOVERY_LOST: break;
    }
    return "";
}

static void note_release(struct rpctl_takeover *takeover)
{
    struct rpctl_service *service = takeover->service;
    const char *runs = service->serving->release.binary;

    if (strcmp(runs, service->config->binary) != 0)
        rpctl_operation_warn(takeover->operation, "%s goes on; to change to %s: rpctl upgrade", runs,
                             service->config->binary);
}

static void leave_others(struct rpctl_service *service)
{
    struct rpctl_generation *next;

    for (struct rpctl_generation *generation = service->generations; generation; generation = next) {
        next = generation->next;
        if (generation == service->serving || rpctl_generation_is_leaving(generation)) continue;
        rpctl_service_leave(generation, NULL);
    }
}

/* A program that stays sends all to those who are there. */
static void on_detached(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                        const struct rp_error *error)
{
    if (status < 0)
        rpctl_service_log(service, "gen=%u detach=failed reason=\"%s\"", generation->number, error->message);
}

static bool is_late(const struct rpctl_takeover *takeover)
{
    return uv_now(&takeover->service->loop) - takeover->begun_ms >= RPCTL_TAKEOVER_WAIT_MS;
}

static void look_again(struct rpctl_takeover *takeover);

static bool has_been_told_to_stop(const struct rpctl_generation *generation)
{
    if (rpctl_generation_is_leaving(generation) || generation->listener_count == 0) return true;
    for (unsigned i = 0; i < generation->instance_count; i++)
        if (generation->instances[i].state == RPCTL_INSTANCE_STOPPING) return true;
    return false;
}

static void go_on_with(struct rpctl_takeover *takeover, struct rpctl_generation *generation)
{
    struct rpctl_service *service = takeover->service;

    takeover->steered = true;
    service->serving = generation;
    generation->state = RPCTL_GENERATION_SERVING;
    note_release(takeover);
    rpctl_keeper_release(&service->keeper);
    rpctl_service_relaunch_missing(service, generation);
    leave_others(service);
    /* Somebody of it may have ended since its listeners were learnt. Not before the others leave: it may
     * detach. */
    rpctl_service_attend(service);
    if (rpctl_service_draining(service) > 0)
        rpctl_operation_begin(takeover->operation, "drain", 0);
    else
        rpctl_steering_detach(service, generation, on_detached);
    rpctl_takeover_on_gone(service);
}

static void steer_to(struct rpctl_takeover *takeover, unsigned generation);

static bool can_go_back(const struct rpctl_takeover *takeover)
{
    const struct rpctl_generation *old = rpctl_service_find_generation(takeover->service, takeover->way_back);

    return old && rpctl_generation_running(old) > 0 && !has_been_told_to_stop(old);
}

static void on_tried(bool good, const char *text, void *data)
{
    struct rpctl_takeover *takeover = data;
    unsigned number = takeover->tried->number;

    takeover->trial = NULL;
    if (!good && can_go_back(takeover)) {
        rpctl_operation_end(takeover->operation, NULL, "unhealthy: %s", text);
        rpctl_operation_warn(takeover->operation,
                             "generation %u is unhealthy: all goes back to generation %u", number,
                             takeover->way_back);
        takeover->has_failed_trial = true;
        takeover->outcome = RPCTL_RECOVERY_UNDONE;
        rpctl_operation_begin(takeover->operation, "steer", 0);
        steer_to(takeover, takeover->way_back);
        return;
    }
    rpctl_operation_end(takeover->operation, NULL, "%s%s", good ? "" : "unhealthy: ", text);
    if (!good)
        rpctl_operation_warn(takeover->operation,
                             "generation %u is unhealthy and serves on, for generation %u has died", number,
                             takeover->way_back);
    go_on_with(takeover, takeover->tried);
}

/* Its bake was not over: before the old generation is told to go, the new one has to answer well once more.
 */
static bool begin_trial(struct rpctl_takeover *takeover, struct rpctl_generation *generation)
{
    struct rpctl_trial_config config = {.addresses = generation->addresses,
                                        .address_count = generation->address_count,
                                        .health = rpctl_generation_health(generation),
                                        .rounds = generation->policy.health_count,
                                        .interval_ms = generation->policy.health_interval_ms};

    if (takeover->outcome != RPCTL_RECOVERY_FINISHED || config.health.kind == RPCTL_HEALTH_NONE ||
        config.address_count == 0 || !can_go_back(takeover))
        return false;
    takeover->tried = generation;
    takeover->trial = rpctl_trial_start(&takeover->service->loop, &config, on_tried, takeover);
    if (takeover->trial) rpctl_operation_begin(takeover->operation, "health", 0);
    return takeover->trial;
}

static void on_steered(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                       const struct rp_error *error)
{
    struct rpctl_takeover *takeover = service->takeover;

    /* A release that was being started has begun to listen just now. */
    if (status == -EEXIST && !is_late(takeover)) {
        look_again(takeover);
        return;
    }
    if (status < 0) {
        give_up(takeover, error->message);
        return;
    }
    rpctl_operation_end(takeover->operation, NULL, "all new connections to generation %u%s",
                        generation->number, outcome_text(takeover->outcome));
    if (!begin_trial(takeover, generation)) go_on_with(takeover, generation);
}

/* Nobody can serve: what is left goes, and the release is launched anew. */
static void start_anew(struct rpctl_takeover *takeover)
{
    struct rpctl_service *service = takeover->service;
    struct rpctl_operation *operation = takeover->operation;
    const struct rpctl_supervisor_config *config = service->config;
    struct rpctl_release release = {
        .binary = (char *)(uintptr_t)config->binary, .args = config->args, .env = config->env};

    rpctl_operation_warn(operation, "no generation is left that could serve; %s is launched", config->binary);
    end(takeover);
    rpctl_keeper_release(&service->keeper);
    leave_others(service);
    operation->kind = "start";
    rpctl_service_begin(service, operation, &release);
}

/* --- decide
 * ---------------------------------------------------------------------------------------------------
 */

static void steer_to(struct rpctl_takeover *takeover, unsigned generation)
{
    struct rpctl_service *service = takeover->service;

    rpctl_steering_take_over(service, rpctl_service_find_generation(service, generation),
                             takeover->state.groups, takeover->state.group_count, on_steered);
}

static void decide(struct rpctl_takeover *takeover)
{
    struct rpctl_service *service = takeover->service;
    struct rpctl_recovery_generation generations[RPCTL_STATE_GENERATIONS_MAX];
    struct rpctl_recovery_facts facts = {.rollout = takeover->state.document ? takeover->state.rollout
                                                                             : RPCTL_ROLLOUT_IDLE,
                                         .serving = takeover->state.serving,
                                         .candidate = takeover->state.candidate,
                                         .generations = generations};
    struct rpctl_recovery recovery;

    for (const struct rpctl_generation *generation = service->generations;
         generation && facts.count < RPCTL_STATE_GENERATIONS_MAX; generation = generation->next)
        generations[facts.count++] = (struct rpctl_recovery_generation){
            generation->number, rpctl_generation_running(generation), has_been_told_to_stop(generation)};
    rpctl_recovery_decide(&facts, &recovery);
    rpctl_service_log(service, "takeover rollout=%s serving=%u outcome=%d",
                      rpctl_rollout_state_name(facts.rollout), recovery.serving, (int)recovery.outcome);
    takeover->outcome = recovery.outcome;
    uv_timer_stop(&takeover->timer);
    if (recovery.serving == 0) {
        start_anew(takeover);
        return;
    }
    if (takeover->has_failed_trial && can_go_back(takeover))
        recovery = (struct rpctl_recovery){.serving = takeover->way_back, .outcome = RPCTL_RECOVERY_UNDONE};
    else
        takeover->way_back = recovery.other;
    takeover->outcome = recovery.outcome;
    if (!takeover->steering) rpctl_operation_begin(takeover->operation, "steer", 0);
    takeover->steering = true;
    steer_to(takeover, recovery.serving);
}

/* --- listeners
 * ------------------------------------------------------------------------------------------------
 */

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

/* --- the loop: until every listener of every group is known
 * -----------------------------------------------------
 */

static unsigned count_listeners(const struct rpctl_service *service)
{
    unsigned count = 0;

    for (const struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next)
        count += generation->listener_count;
    return count;
}

/* Who may serve, and has not shown its listeners yet. A release that is to be stopped need not. */
static bool is_awaited(const struct rpctl_takeover *takeover, const struct rpctl_generation *generation)
{
    const struct rpctl_state *state = &takeover->state;

    if (rpctl_generation_is_leaving(generation)) return false;
    if (state->document && state->serving && generation->number != state->serving &&
        state->rollout != RPCTL_ROLLOUT_BAKING && state->rollout != RPCTL_ROLLOUT_QUIESCING)
        return false;
    for (unsigned i = 0; i < generation->instance_count; i++) {
        const struct rpctl_instance *instance = &generation->instances[i];

        if (instance->process.pidfd < 0 || instance->state == RPCTL_INSTANCE_STOPPING) continue;
        if (!instance->handed_over && !instance->found) return true;
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
    if (known && (is_complete(takeover) || is_late(takeover))) {
        end_of_listeners(takeover);
        decide(takeover);
    } else if (is_late(takeover)) {
        give_up(takeover, error->message);
    } else {
        /* A process that had none at the first look may listen now. */
        if (status == -EEXIST) collect_all(takeover);
        look_again(takeover);
    }
}

static void on_look(uv_timer_t *timer)
{
    struct rpctl_takeover *takeover = timer->data;

    if (takeover->pending > 0)
        look_again(takeover);
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

static void look_again(struct rpctl_takeover *takeover)
{
    uv_timer_start(&takeover->timer, on_look, RPCTL_TAKEOVER_LOOK_MS, 0);
}

static void describe(const struct rpctl_service *service, char *text, size_t bytes)
{
    size_t used = 0;

    text[0] = '\0';
    for (const struct rpctl_generation *generation = service->generations; generation && used < bytes;
         generation = generation->next) {
        unsigned running = rpctl_generation_running(generation);

        used += (size_t)snprintf(text + used, bytes - used, "%s%u process%s of generation %u (%s)",
                                 used ? ", " : "", running, running == 1 ? "" : "es", generation->number,
                                 rpctl_release_name(&generation->release));
    }
}

void rpctl_takeover_run(struct rpctl_service *service, struct rpctl_control_client *follower)
{
    struct rpctl_takeover *takeover = service->takeover;
    char text[RPCTL_OPERATION_DETAIL_BYTES];

    uv_timer_init(&service->loop, &takeover->timer);
    takeover->timer.data = takeover;
    takeover->begun_ms = uv_now(&service->loop);
    takeover->operation = rpctl_operation_new(service, "takeover", &service->policy);
    if (!takeover->operation) {
        end(takeover);
        service->abandons = true;
        service->exit_code = RPCTL_EXIT_BUG;
        rpctl_service_stop(service, NULL);
        return;
    }
    if (follower) rpctl_operation_follow(takeover->operation, follower);
    takeover->operation->to = service->generations->number;
    snprintf(takeover->operation->release, sizeof takeover->operation->release, "%s",
             rpctl_release_name(&service->generations->release));
    rpctl_operation_announce(takeover->operation);
    if (takeover->warning[0]) rpctl_operation_warn(takeover->operation, "%s", takeover->warning);
    rpctl_operation_begin(takeover->operation, "find", 0);
    describe(service, text, sizeof text);
    rpctl_operation_end(takeover->operation, json_pack("{sI}", "processes", (json_int_t)takeover->processes),
                        "%s", text);
    rpctl_operation_begin(takeover->operation, "listeners", RPCTL_TAKEOVER_WAIT_MS);
    bury_the_dead(service);
    collect_all(takeover);
    look_again(takeover);
}
