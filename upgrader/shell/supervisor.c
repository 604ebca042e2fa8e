#include "shell/supervisor.h"

#include "linux/log_file.h"
#include "linux/reexec.h"
#include "linux/state_file.h"
#include "linux/unix_socket.h"
#include "pure/exit_code.h"
#include "pure/handoff.h"
#include "shell/reexec.h"
#include "shell/resume.h"
#include "shell/service.h"
#include "shell/takeover.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* --- the loop's own events ------------------------------------------------------------------------------ */

static void on_stop_signal(uv_signal_t *handle, int signal_number)
{
    (void)signal_number;
    rpctl_service_stop(handle->data, NULL);
}

static void on_reexec_signal(uv_signal_t *handle, int signal_number)
{
    (void)signal_number;
    rpctl_reexec_begin(handle->data, NULL);
}

static void on_child_signal(uv_signal_t *handle, int signal_number)
{
    (void)signal_number;
    rpctl_service_reap(handle->data);
}

static void on_progress(uv_timer_t *timer)
{
    struct rpctl_service *service = timer->data;

    for (struct rpctl_operation *operation = service->operations; operation; operation = operation->next)
        rpctl_operation_progress(operation);
}

static void on_upkeep(uv_timer_t *timer)
{
    struct rpctl_service *service = timer->data;
    const struct rpctl_generation *generation;

    for (generation = service->generations; generation; generation = generation->next)
        if (generation->log_fd >= 0) rpctl_log_file_trim(generation->log_fd, RPCTL_LOG_KEEP_BYTES);
    if (service->serving) rpctl_service_relaunch_missing(service, service->serving);
}

void rpctl_service_watch_operations(struct rpctl_service *service)
{
    if (!uv_is_active((uv_handle_t *)&service->progress_timer))
        uv_timer_start(&service->progress_timer, on_progress, RPCTL_OPERATION_PROGRESS_MS,
                       RPCTL_OPERATION_PROGRESS_MS);
}

/* --- the beginning -------------------------------------------------------------------------------------- */

static void init_timer(struct rpctl_service *service, uv_timer_t *timer)
{
    uv_timer_init(&service->loop, timer);
    timer->data = service;
}

static void init_signal(struct rpctl_service *service, uv_signal_t *handle, uv_signal_cb callback,
                        int signal_number)
{
    uv_signal_init(&service->loop, handle);
    handle->data = service;
    uv_signal_start(handle, callback, signal_number);
}

static void init_handles(struct rpctl_service *service)
{
    uv_timer_t *const timers[] = {&service->deadline_timer, &service->probe_timer,    &service->bake_timer,
                                  &service->stop_timer,     &service->progress_timer, &service->listen_timer,
                                  &service->upkeep_timer,   &service->watch_timer,    &service->attend_timer,
                                  &service->resteer_timer};

    for (size_t i = 0; i < sizeof timers / sizeof *timers; i++) init_timer(service, timers[i]);
    uv_timer_start(&service->upkeep_timer, on_upkeep, RPCTL_UPKEEP_MS, RPCTL_UPKEEP_MS);
    init_signal(service, &service->term_signal, on_stop_signal, SIGTERM);
    init_signal(service, &service->int_signal, on_stop_signal, SIGINT);
    init_signal(service, &service->child_signal, on_child_signal, SIGCHLD);
    init_signal(service, &service->usr2_signal, on_reexec_signal, SIGUSR2);
}

static mode_t current_umask(void)
{
    mode_t mask = umask(077);

    umask(mask);
    return mask;
}

static void launch_first(struct rpctl_service *service, struct rpctl_control_client *follower)
{
    const struct rpctl_supervisor_config *config = service->config;
    struct rpctl_release release = {
        .binary = (char *)(uintptr_t)config->binary, .args = config->args, .env = config->env};
    struct rpctl_operation *operation = rpctl_operation_new(service, "start", &service->policy);

    if (operation) {
        if (follower) rpctl_operation_follow(operation, follower);
        rpctl_service_begin(service, operation, &release);
        return;
    }
    service->exit_code = RPCTL_EXIT_BUG;
    rpctl_service_stop(service, NULL);
}

void rpctl_service_begin_first(struct rpctl_service *service, struct rpctl_control_client *follower)
{
    service->first_release_waits = false;
    uv_timer_stop(&service->stop_timer);
    if (service->takeover)
        rpctl_takeover_run(service, follower);
    else
        launch_first(service, follower);
}

static void on_parent_gone(uv_timer_t *timer)
{
    rpctl_service_begin_first(timer->data, NULL);
}

/* False when whoever waits for it will not get it. One that is gone does not wait. */
static bool write_ready_line(const struct rpctl_service *service, const char *line)
{
    int fd = service->config->ready_fd;
    bool told;

    if (fd < 0) return true;
    told = dprintf(fd, "%s\n", line) > 0 || errno == EPIPE;
    close(fd);
    return told;
}

/* What can fail. The rest of the service is zeroes until then. */
static int prepare(struct rpctl_service *service, struct rp_error *error)
{
    int status = 0;

    if (!service->config->handoff) status = rpctl_service_dir_lock(service->config->dir, NULL, error);
    if (status == 0) status = rpctl_boot_id_read(service->boot_id, error);
    if (status == 0) status = rpctl_process_start_time(getpid(), &service->start_time);
    service->umask = current_umask();
    service->cwd_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (status == 0 && service->cwd_fd < 0)
        status = rp_error_set(error, -errno, "cannot open the working directory: %s", strerror(errno));
    if (status == 0) status = rpctl_process_become_subreaper(error);
    if (status == 0) status = rpctl_groups_new(&service->groups, error);
    rpctl_process_ignore_sigpipe();
    return status;
}

static int start_links(struct rpctl_service *service, struct rp_error *error)
{
    struct rpctl_service_dir *dir = service->config->dir;
    const struct rpctl_handoff *handoff = service->config->handoff;
    int fd = handoff ? handoff->instances_fd : -1;
    int status = rpctl_service_dir_instances_path(dir, service->instances_path, error);

    if (status == 0 && !handoff)
        status = rpctl_unix_socket_bind(rpctl_service_dir_fd(dir), RPCTL_SERVICE_DIR_INSTANCES,
                                        SOCK_SEQPACKET, &fd, error);
    return status == 0 ? rpctl_links_new(&service->loop, fd, &service->links, error) : status;
}

static int open_sockets(struct rpctl_service *service, struct rp_error *error)
{
    int status = rpctl_service_notify_start(service, error);

    if (status == 0) status = start_links(service, error);
    if (status == 0) status = rpctl_service_control_start(service, error);
    if (status == 0) status = rpctl_service_show_start(service, error);
    return status;
}

/* Numbers go on where a former supervisor's processes are taken over. Else they begin with 1, and logs of a
 * former run would be taken for newer ones. */
static int find_predecessor(struct rpctl_service *service, struct rp_error *error)
{
    bool found = false;
    int status = rpctl_takeover_find(service, &found, error);

    if (status < 0 || found) return status;
    service->last_number = 0;
    return rpctl_log_file_prune(rpctl_service_dir_log_fd(service->config->dir), 0, error);
}

static void run(struct rpctl_service *service)
{
    if (service->config->handoff) {
        rpctl_service_reap(service); /* who has died meanwhile */
    } else if (!write_ready_line(service, "ok")) {
        service->exit_code = RPCTL_EXIT_BUG;
        rpctl_service_stop(service, NULL);
    } else if (service->config->ready_fd < 0) {
        rpctl_service_begin_first(service, NULL);
    } else {
        /* Whoever started us follows the start, and must not miss its end. */
        service->first_release_waits = true;
        uv_timer_start(&service->stop_timer, on_parent_gone, RPCTL_PARENT_GRACE_MS, 0);
    }
    uv_run(&service->loop, UV_RUN_DEFAULT);
}

static void remove_sockets(const struct rpctl_service *service)
{
    int dir_fd = rpctl_service_dir_fd(service->config->dir);

    unlinkat(dir_fd, RPCTL_SERVICE_DIR_CONTROL, 0);
    unlinkat(dir_fd, RPCTL_SERVICE_DIR_NOTIFY, 0);
    unlinkat(dir_fd, RPCTL_SERVICE_DIR_INSTANCES, 0);
}

static void free_service(struct rpctl_service *service)
{
    while (service->generations) {
        struct rpctl_generation *next = service->generations->next;

        rpctl_generation_free(service->generations);
        service->generations = next;
    }
    rpctl_groups_free(service->groups);
    rpctl_layout_done(&service->layout);
    if (service->last_result) json_decref(service->last_result);
    if (service->notify_fd >= 0) close(service->notify_fd);
    if (service->cwd_fd >= 0) close(service->cwd_fd);
    free(service);
}

static int fail(struct rpctl_service *service, const struct rp_error *error)
{
    write_ready_line(service, error->message);
    if (service->config->ready_fd < 0) fprintf(stderr, "rpctl: %s\n", error->message);
    return error->code == -EBUSY ? RPCTL_EXIT_BUSY : RPCTL_EXIT_BUG;
}

static void do_nothing(uv_work_t *work)
{
    (void)work;
}

static void nothing_done(uv_work_t *work, int status)
{
    (void)work;
    (void)status;
}

/* Its threads inherit the blocking, so that signals are caught by this thread alone, which can hold them back
 * (shell/reexec.h). libuv starts all of them with the first work. */
static void start_pool(struct rpctl_service *service)
{
    static uv_work_t work;
    sigset_t before;

    rpctl_signals_block(&before);
    uv_queue_work(&service->loop, &work, do_nothing, nothing_done);
    rpctl_signals_restore(&before);
}

static int supervise(struct rpctl_service *service)
{
    struct rp_error error = {0};
    bool forget = false;
    int status;

    if (prepare(service, &error) < 0) return fail(service, &error);
    status = uv_loop_init(&service->loop);
    assert(status == 0);
    rpctl_jobs_init(&service->jobs, &service->loop);
    rpctl_rollout_init(&service->rollout);
    init_handles(service);
    rpctl_keeper_start(&service->keeper, service);
    start_pool(service);
    status = open_sockets(service, &error);
    if (status == 0 && service->config->handoff)
        status = rpctl_resume(service, &error);
    else if (status == 0)
        status = find_predecessor(service, &error);
    if (status < 0) {
        service->exit_code = fail(service, &error);
        rpctl_service_give_up(service);
        uv_run(&service->loop, UV_RUN_DEFAULT);
    } else {
        run(service);
        forget = !service->abandons;
    }
    status = uv_loop_close(&service->loop);
    assert(status == 0);
    remove_sockets(service);
    if (forget) rpctl_state_file_remove(rpctl_service_dir_fd(service->config->dir));
    return service->exit_code;
}

int rpctl_supervisor_main(const struct rpctl_supervisor_config *config)
{
    struct rpctl_service *service = calloc(1, sizeof *service);
    int exit_code;

    if (!service) return RPCTL_EXIT_BUG;
    service->config = config;
    service->policy = config->policy;
    service->since_s = time(NULL);
    service->notify_fd = service->cwd_fd = -1;
    if (rpctl_layout_init(&service->layout) < 0) {
        free(service);
        return RPCTL_EXIT_BUG;
    }
    exit_code = supervise(service);
    free_service(service);
    return exit_code;
}
