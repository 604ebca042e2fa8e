#include "shell/keeper.h"

#include "linux/state_file.h"
#include "shell/service.h"
#include "shell/snapshot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void write_work(uv_work_t *work)
{
    struct rpctl_keeper *keeper = work->data;
    struct rp_error error = {0};
    int dir_fd = rpctl_service_dir_fd(keeper->service->config->dir);

    keeper->status = rpctl_state_file_write(dir_fd, keeper->text, keeper->length, &error);
    memcpy(keeper->problem, error.message, sizeof keeper->problem);
}

static void begin(struct rpctl_keeper *keeper);

static bool is_dirty(const struct rpctl_keeper *keeper)
{
    return keeper->in_text < keeper->changes;
}

static void note_problem(struct rpctl_keeper *keeper)
{
    if (keeper->status < 0 && !keeper->failing)
        rpctl_service_log(keeper->service, "state=not-written reason=\"%s\"", keeper->problem);
    if (keeper->status == 0 && keeper->failing) rpctl_service_log(keeper->service, "state=written-again");
    keeper->failing = keeper->status < 0;
}

static void tell_waiting(struct rpctl_service *service)
{
    struct rpctl_generation *next;

    for (struct rpctl_generation *generation = service->generations; generation; generation = next) {
        next = generation->next; /* it may be gone after this */
        rpctl_leaving_on_written(generation);
    }
    rpctl_rollout_shell_look_at_pin(service);
}

static void on_written(uv_work_t *work, int status)
{
    struct rpctl_keeper *keeper = work->data;

    assert(status == 0); /* never cancelled */
    free(keeper->text);
    keeper->text = NULL;
    keeper->writing = false;
    note_problem(keeper);
    keeper->finished = keeper->in_text;
    if (is_dirty(keeper) && !keeper->stopped) begin(keeper);
    tell_waiting(keeper->service);
}

static void begin(struct rpctl_keeper *keeper)
{
    struct rp_error error;

    keeper->in_text = keeper->changes;
    keeper->status = rpctl_snapshot_encode(keeper->service, &keeper->text, &keeper->length, &error);
    if (keeper->status < 0) {
        memcpy(keeper->problem, error.message, sizeof keeper->problem);
        note_problem(keeper);
        keeper->finished = keeper->in_text;
        tell_waiting(keeper->service);
        return;
    }
    keeper->writing = true;
    keeper->work.data = keeper;
    uv_queue_work(&keeper->service->loop, &keeper->work, write_work, on_written);
}

static void on_turn(uv_timer_t *timer)
{
    struct rpctl_keeper *keeper = timer->data;

    if (is_dirty(keeper) && !keeper->writing && !keeper->stopped) begin(keeper);
}

void rpctl_keeper_start(struct rpctl_keeper *keeper, struct rpctl_service *service)
{
    *keeper = (struct rpctl_keeper){.service = service};
    uv_timer_init(&service->loop, &keeper->timer);
    keeper->timer.data = keeper;
}

void rpctl_keeper_changed(struct rpctl_keeper *keeper)
{
    bool was_dirty = is_dirty(keeper);

    if (keeper->stopped || keeper->held) return;
    keeper->changes++;
    if (!was_dirty && !keeper->writing) uv_timer_start(&keeper->timer, on_turn, 0, 0);
}

void rpctl_keeper_hold(struct rpctl_keeper *keeper)
{
    keeper->held = true;
}

void rpctl_keeper_release(struct rpctl_keeper *keeper)
{
    keeper->held = false;
    rpctl_keeper_changed(keeper);
}

uint64_t rpctl_keeper_now(const struct rpctl_keeper *keeper)
{
    return keeper->changes;
}

bool rpctl_keeper_has_written(const struct rpctl_keeper *keeper, uint64_t then)
{
    return keeper->finished >= then;
}

bool rpctl_keeper_is_settled(const struct rpctl_keeper *keeper)
{
    return !keeper->writing && !is_dirty(keeper);
}

void rpctl_keeper_stop(struct rpctl_keeper *keeper)
{
    if (keeper->stopped) return;
    keeper->stopped = true;
    uv_close((uv_handle_t *)&keeper->timer, NULL);
}
