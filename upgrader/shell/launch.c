#include "linux/log_file.h"
#include "linux/orphans.h"
#include "pure/child_environment.h"
#include "pure/exit_hint.h"
#include "shell/reexec.h"
#include "shell/service.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define CONTRACT_VARIABLES 10
#define CONTRACT_BYTES     (RP_ADDRESS_LIST_MAX * RP_ADDRESS_TEXT_BYTES)

/* The variables of the process contract, and the memory they stand in. */
struct contract {
    char text[CONTRACT_VARIABLES][128];
    char listen[CONTRACT_BYTES];
    char *entries[CONTRACT_VARIABLES + 2];
    size_t count;
};

static void put(struct contract *contract, const char *name, const char *value)
{
    char *text = contract->text[contract->count];

    assert(contract->count < CONTRACT_VARIABLES);
    snprintf(text, sizeof contract->text[0], "%s=%s", name, value);
    contract->entries[contract->count++] = text;
}

static void put_number(struct contract *contract, const char *name, unsigned value)
{
    char text[16];

    snprintf(text, sizeof text, "%u", value);
    put(contract, name, text);
}

/* RP_LISTEN: where the generation that serves now listens. */
static void put_addresses(struct contract *contract, const struct rpctl_generation *old)
{
    char address[RP_ADDRESS_TEXT_BYTES];
    size_t used = (size_t)snprintf(contract->listen, sizeof contract->listen, "RP_LISTEN=");

    for (size_t i = 0; i < old->address_count; i++) {
        rp_address_format(&old->addresses[i], address);
        used += (size_t)snprintf(contract->listen + used, sizeof contract->listen - used, "%s%s",
                                 i ? " " : "", address);
        assert(used < sizeof contract->listen);
    }
    contract->entries[contract->count] = contract->listen;
}

static void make_contract(struct contract *contract, const struct rpctl_service *service,
                          const struct rpctl_instance *instance)
{
    const struct rpctl_generation *generation = instance->generation;

    memset(contract, 0, sizeof *contract);
    put(contract, "RP_SERVICE", service->config->name);
    put_number(contract, "RP_GENERATION", generation->number);
    put_number(contract, "RP_INSTANCE", instance->number);
    put(contract, "NOTIFY_SOCKET", service->notify_path);
    put(contract, "RP_SOCKET", service->instances_path);
    put_number(contract, "RP_DRAIN_TIMEOUT_MS", generation->policy.drain_timeout_ms);
    put_number(contract, "RP_IDLE_GRACE_MS", generation->policy.idle_grace_ms);
    if (generation->policy.allow_drop) put(contract, "RP_ALLOW_DROP", "1");
    if (service->serving && service->serving->address_count > 0) put_addresses(contract, service->serving);
}

static char **make_arguments(const struct rpctl_release *release)
{
    size_t count = 0;
    char **arguments;

    while (release->args[count]) count++;
    arguments = calloc(count + 2, sizeof *arguments);
    if (!arguments) return NULL;
    arguments[0] = release->binary;
    memcpy(arguments + 1, release->args, count * sizeof *arguments);
    return arguments;
}

static void note_launch(struct rpctl_service *service, struct rpctl_instance *instance)
{
    struct rpctl_generation *generation = instance->generation;

    if (generation->first_start_time == 0) generation->first_start_time = instance->process.start_time;
    instance->state = RPCTL_INSTANCE_STARTING;
    instance->notifies = instance->handed_over = instance->said_ready = instance->said_stopping = false;
    instance->told = instance->killed = instance->collected = instance->found = false;
    instance->status[0] = instance->unfit[0] = '\0';
    instance->seen_listeners = instance->settled_looks = 0;
    instance->since_ms = rpctl_service_wall_ms();
    instance->launched_ms = uv_now(&service->loop);
    instance->clear_ns = uv_hrtime();
    rpctl_keeper_changed(&service->keeper);
    rpctl_service_log(service, "gen=%u instance=%u launched=%d", generation->number, instance->number,
                      (int)instance->process.pid);
}

int rpctl_service_spawn(struct rpctl_service *service, struct rpctl_instance *instance, const int *fds,
                        size_t fd_count, struct rp_error *error)
{
    struct rpctl_generation *generation = instance->generation;
    struct contract *contract = malloc(sizeof *contract);
    char **arguments = make_arguments(&generation->release);
    char **environment = NULL;
    int status = rp_error_set(error, -ENOMEM, "cannot launch %s: no memory", generation->release.binary);

    if (contract && arguments) {
        make_contract(contract, service, instance);
        environment = rpctl_child_environment(environ, generation->release.env, contract->entries);
    }
    if (environment) {
        struct rpctl_spawn_request request = {.binary = generation->release.binary,
                                              .argv = arguments,
                                              .envp = environment,
                                              .cwd_fd = service->cwd_fd,
                                              .umask = service->umask,
                                              .log_fd = generation->log_fd,
                                              .listen_fds = fds,
                                              .listen_fd_count = fd_count};
        status = rpctl_spawn(&request, &instance->process, error);
    }
    if (status == 0) note_launch(service, instance);
    free(environment);
    free(arguments);
    free(contract);
    return status;
}

static int open_log(struct rpctl_service *service, struct rpctl_generation *generation,
                    struct rp_error *error)
{
    char name[RPCTL_LOG_FILE_NAME_BYTES];
    int former = rpctl_service_dir_log_fd(service->config->dir);
    int log_dir, status = rpctl_service_dir_remake_log(service->config->dir, error);

    if (status < 0) return status;
    log_dir = rpctl_service_dir_log_fd(service->config->dir);
    if (log_dir != former) rpctl_service_show_watch(service);
    rpctl_log_file_name(generation->number, name);
    /* What a former supervisor of this service left under that name is older than this generation. */
    if (unlinkat(log_dir, name, 0) < 0 && errno != ENOENT)
        return rp_error_set(error, -errno, "cannot replace the log %s: %s", name, strerror(errno));
    /* More logs than the latest are not worth an upgrade: what cannot be removed stays. */
    (void)rpctl_log_file_prune(log_dir, RPCTL_LOG_KEEP_FILES, NULL);
    return rpctl_log_file_open(log_dir, name, &generation->log_fd, error);
}

int rpctl_service_launch(struct rpctl_service *service, struct rpctl_generation *generation,
                         struct rp_error *error)
{
    int status = open_log(service, generation, error);

    for (unsigned i = 0; status == 0 && i < generation->instance_count; i++)
        status = rpctl_service_spawn(service, &generation->instances[i], NULL, 0, error);
    return status;
}

static int signal_instance(struct rpctl_instance *instance, int signal_number)
{
    int status = rpctl_process_signal(&instance->process, signal_number);

    if (status < 0 && status != -ESRCH) return status;
    instance->state = RPCTL_INSTANCE_STOPPING;
    instance->told = true;
    if (signal_number == SIGKILL) instance->killed = true;
    return 0;
}

int rpctl_service_signal(struct rpctl_generation *generation, int signal_number)
{
    int result = 0;

    for (unsigned i = 0; i < generation->instance_count; i++) {
        struct rpctl_instance *instance = &generation->instances[i];
        int status = 0;

        if (instance->process.pidfd < 0) continue;
        if (signal_number == SIGKILL || !instance->told) status = signal_instance(instance, signal_number);
        if (status < 0) result = status;
    }
    return result;
}

json_t *rpctl_service_last_lines(const struct rpctl_generation *generation)
{
    struct rpctl_log_tail tail = {0};
    json_t *lines;

    if (generation->log_fd < 0) return NULL;
    if (rpctl_log_file_tail(generation->log_fd, 0, RPCTL_LAST_LINES, &tail, NULL) < 0 || tail.count == 0)
        return NULL;
    lines = json_array();
    for (size_t i = 0; lines && i < tail.count; i++) json_array_append_new(lines, json_string(tail.lines[i]));
    rpctl_log_tail_done(&tail);
    return lines;
}

/* --- ends of processes ---------------------------------------------------------------------------------- */

/* A daemon: the process that was launched ends well, what it has forked stays. */
static bool runs_in_background(const struct rpctl_service *service, const struct rpctl_instance *instance)
{
    struct rpctl_orphan_owner owner;
    pid_t pids[RPCTL_ORPHANS_MAX];
    size_t count = 0;

    if (instance->exit_status != 0 || instance->exit_unknown) return false;
    rpctl_service_orphan_owner(service, instance->generation, &owner);
    return rpctl_orphans_find(&owner, pids, &count, NULL) == 0 && count > 0;
}

static bool log_says_in_use(const struct rpctl_generation *generation)
{
    struct rpctl_log_tail tail = {0};
    bool says = false;

    if (generation->log_fd < 0) return false;
    if (rpctl_log_file_tail(generation->log_fd, 0, RPCTL_LAST_LINES, &tail, NULL) < 0) return false;
    for (size_t i = 0; !says && i < tail.count; i++) says = rpctl_log_line_says_in_use(tail.lines[i]);
    rpctl_log_tail_done(&tail);
    return says;
}

static void find_hint(const struct rpctl_service *service, const struct rpctl_instance *instance, uid_t user,
                      char hint[RPCTL_EXIT_HINT_BYTES])
{
    const struct rpctl_generation *old = service->serving;
    enum rpctl_generation_state state = instance->generation->state;
    struct rpctl_exit_facts facts = {.user = user};

    /* Later the reason is known already, and the look is slow. */
    if (state <= RPCTL_GENERATION_SERVING) facts.in_background = runs_in_background(service, instance);
    if (state == RPCTL_GENERATION_STARTING && old && old->address_count > 0) {
        facts.address = &old->addresses[0];
        facts.group_user = old->user;
        facts.address_in_use = log_says_in_use(instance->generation);
    }
    rpctl_exit_hint(&facts, hint);
}

static void tell_rollout(struct rpctl_service *service, const struct rpctl_instance *instance,
                         const char *how, uid_t user)
{
    static const char *const when[] = {
        [RPCTL_GENERATION_STARTING] = "before it was ready",
        [RPCTL_GENERATION_PROVING] = "while it was proven",
        [RPCTL_GENERATION_SERVING] = "in the bake",
        [RPCTL_GENERATION_STANDBY] = "after the rollback",
        [RPCTL_GENERATION_DRAINING] = "while it drained",
    };
    char hint[RPCTL_EXIT_HINT_BYTES];

    find_hint(service, instance, user, hint);
    rpctl_service_post_because(service, RPCTL_ROLLOUT_ON_NEW_EXITED, "%.48s (pid %d) ended with %s %s%s",
                               rpctl_release_name(&instance->generation->release), (int)instance->process.pid,
                               how, when[instance->generation->state], hint);
}

/* What a leaving process was serving dies with it. A server that does not handle the stop signal ends by it,
 * and that is its way. */
static void note_crash(struct rpctl_instance *instance, int status, const char *how)
{
    struct rpctl_generation *generation = instance->generation;
    bool leaving = instance->state == RPCTL_INSTANCE_STOPPING || rpctl_generation_is_leaving(generation);

    if (!leaving || instance->killed || !WIFSIGNALED(status)) return;
    if (WTERMSIG(status) != generation->policy.stop_signal)
        snprintf(generation->crash, sizeof generation->crash, "%s", how);
}

static void on_ended(struct rpctl_service *service, struct rpctl_instance *instance,
                     const struct rpctl_process_end *end)
{
    struct rpctl_generation *generation = instance->generation;
    char how[RPCTL_PROCESS_STATUS_BYTES];
    bool last;

    if (end->unknown)
        snprintf(how, sizeof how, "an unknown status");
    else
        rpctl_process_describe_status(end->status, how);
    rpctl_service_log(service, "gen=%u instance=%u ended=%d how=\"%s\"", generation->number, instance->number,
                      (int)instance->process.pid, how);
    rpctl_process_close(&instance->process);
    instance->ended = rpctl_process_clock();
    if (!end->unknown) note_crash(instance, end->status, how);
    instance->state = RPCTL_INSTANCE_EXITED;
    instance->exit_status = end->status;
    instance->exit_unknown = end->unknown;
    last = rpctl_generation_running(generation) == 0;
    rpctl_keeper_changed(&service->keeper);

    if (service->state != RPCTL_SERVICE_RUNNING) {
        rpctl_service_on_process_gone(service);
        return;
    }
    rpctl_relaunch_on_ended(service, instance, how);
    if (generation == service->candidate && generation->state == RPCTL_GENERATION_STOPPING) {
        if (last) rpctl_rollout_shell_on_candidate_ended(service);
        return;
    }
    if (generation == service->candidate) tell_rollout(service, instance, how, end->user);
    rpctl_rollout_shell_look_at_pin(service);
    if (last && rpctl_generation_is_leaving(generation)) rpctl_leaving_on_exited(generation);
}

void rpctl_service_on_adopted_ended(struct rpctl_service *service, struct rpctl_instance *instance)
{
    const struct rpctl_process_end end = {.pid = instance->process.pid, .user = geteuid(), .unknown = true};

    rpctl_service_notify_drain(service); /* as for a child: what it said before it ended counts */
    on_ended(service, instance, &end);
}

void rpctl_service_reap(struct rpctl_service *service)
{
    struct rpctl_process_end end;

    while (rpctl_process_reap(&end) == 0) {
        struct rpctl_instance *instance;

        /* What it said before it ended counts, and all of it is there to be read by now. */
        rpctl_service_notify_drain(service);
        instance = rpctl_service_find_instance(service, end.pid);
        /* A stranger is an orphan that came to us as the subreaper, or the program that shall replace us. */
        if (instance)
            on_ended(service, instance, &end);
        else
            rpctl_reexec_on_child_ended(service, &end);
    }
}
