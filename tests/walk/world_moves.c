/* Which moves may come next. */
#include "world_internal.h"

#include <assert.h>

#define MAX_DRAINING 2 /* --max-draining */

struct list {
    struct move *moves;
    size_t count;
};

static void offer(struct list *list, bool may, enum move_kind kind, unsigned generation, size_t process)
{
    if (!may) return;
    assert(list->count < WORLD_MOVES_MAX);
    list->moves[list->count++] =
        (struct move){.kind = (uint8_t)kind, .generation = (uint8_t)generation, .process = (uint8_t)process};
}

static void offer_process(struct list *list, const struct world *world, unsigned number, size_t i)
{
    const struct process *process = &world_generation(world, number)->processes[i];
    bool told = process->flags & PROCESS_TOLD, alive = world_lives(process);

    offer(list, process->phase == PROCESS_BORN && (!told || world_config->late_signals), MOVE_LISTEN, number,
          i);
    offer(list, world->up && process->phase == PROCESS_LISTENS && process->flags & PROCESS_OPEN, MOVE_SPEAK,
          number, i);
    offer(list, alive && told, MOVE_END, number, i);
    offer(list, alive && !told && world->crash_left && world_config->process_crash, MOVE_CRASH, number, i);
    offer(list, world->up && process->phase == PROCESS_DEAD, MOVE_REAP, number, i);
    offer(list, world->up && process->flags & PROCESS_DUE, MOVE_RELAUNCH, number, i);
}

static void offer_generation(struct list *list, const struct world *world, unsigned number)
{
    const struct generation *generation = world_generation(world, number);

    if (!generation->exists) return;
    for (size_t i = 0; i < world_config->processes; i++) offer_process(list, world, number, i);
    if (!world->up) return;
    offer(list, generation->drain == RPCTL_DRAIN_DRAINING && world_have_closed(generation), MOVE_UNLISTEN,
          number, 0);
    offer(list, generation->sweep, MOVE_SWEPT, number, 0);
    offer(list, generation->timers & TIMER_LOOK, MOVE_LOOK_TIMER, number, 0);
    offer(list, generation->timers & TIMER_QUIESCE, MOVE_QUIESCE_TIMER, number, 0);
    offer(list, generation->timers & TIMER_DEADLINE && !generation->stop_waits, MOVE_DEADLINE_TIMER, number,
          0);
    offer(list, generation->timers & TIMER_RETRY, MOVE_RETRY_TIMER, number, 0);
}

static void offer_commands(struct list *list, const struct world *world)
{
    const struct rpctl_rollout rollout = {.state = world->rollout};
    bool busy = world->operation || world->takeover || world_draining(world) >= MAX_DRAINING;

    offer(list, world->last == 0, MOVE_START, 0, 0);
    offer(list, !busy && world->serving && world->upgrades_left && world->last < WALK_GENERATIONS_MAX,
          MOVE_UPGRADE, 0, 0);
    offer(list, world->operation && !rpctl_rollout_is_undoing(&rollout), MOVE_ABORT, 0, 0);
}

/* A change that was taken back is written all the same. */
static bool is_write_due(const struct world *world)
{
    bool due = !world_is_written(world) || world->pinned_waits;

    for (unsigned n = 1; n <= WALK_GENERATIONS_MAX; n++) due = due || world_generation(world, n)->stop_waits;
    return due;
}

static void offer_rollout(struct list *list, const struct world *world)
{
    const struct job *job = &world->jobs[0];
    bool healthy =
        world->probing && world->candidate && world_can_serve(world_generation(world, world->candidate));

    offer(list, job->type != JOB_NONE && job->progress == JOB_WAITS, MOVE_WORK, 0, 0);
    offer(list, job->type != JOB_NONE && job->progress == JOB_WAITS && world_can_fail(world, job),
          MOVE_WORK_FAILS, 0, 0);
    offer(list, job->type != JOB_NONE && job->progress != JOB_WAITS, MOVE_DONE, 0, 0);
    offer(list, healthy, MOVE_PROBE_GOOD, 0, 0);
    offer(list, world->probing, MOVE_PROBE_BAD, 0, 0);
    offer(list, world->timers & TIMER_READY, MOVE_READY_TIMER, 0, 0);
    offer(list, world->timers & TIMER_PROBE, MOVE_PROBE_TIMER, 0, 0);
    offer(list, world->timers & TIMER_BAKE, MOVE_BAKE_TIMER, 0, 0);
    offer(list, world->timers & TIMER_STOP, MOVE_STOP_TIMER, 0, 0);
    offer(list, is_write_due(world), MOVE_WRITE, 0, 0);
}

/* It waits for who might serve and has not shown its listeners, but not for ever. */
static void offer_takeover(struct list *list, const struct world *world)
{
    bool finds = world->takeover == TAKEOVER_FINDS;

    offer(list, finds && !world_any_unknown(world), MOVE_DECIDE, 0, 0);
    offer(list, finds && world_any_unknown(world), MOVE_GIVE_UP, 0, 0);
    offer(list, world->takeover == TAKEOVER_TRIES && world_can_serve(world_generation(world, world->tried)),
          MOVE_TRIAL_GOOD, 0, 0);
    offer(list, world->takeover == TAKEOVER_TRIES, MOVE_TRIAL_BAD, 0, 0);
    offer(list, world->crash_left && world_config->supervisor_crash, MOVE_SUPERVISOR_CRASH, 0, 0);
}

size_t world_moves(const struct world *world, const struct walk_config *of, struct move *ret_moves)
{
    struct list list = {.moves = ret_moves};

    world_config = of;
    if (world->ended) return 0;
    for (unsigned n = 1; n <= WALK_GENERATIONS_MAX; n++) offer_generation(&list, world, n);
    offer(&list, !world->up, MOVE_SUPERVISOR_START, 0, 0);
    if (!world->up) return list.count;
    offer_commands(&list, world);
    offer_rollout(&list, world);
    offer_takeover(&list, world);
    return list.count;
}

bool world_move_is_foreign(const struct world *world, const struct move *move)
{
    switch ((enum move_kind)move->kind) {
    case MOVE_START:
    case MOVE_UPGRADE:
    case MOVE_ABORT:
    case MOVE_CRASH:
    case MOVE_SUPERVISOR_CRASH:
    case MOVE_LISTEN:
    case MOVE_SPEAK:
    case MOVE_UNLISTEN:
    case MOVE_PROBE_GOOD:
    case MOVE_TRIAL_GOOD: return true;
    case MOVE_END:
        return !(world_generation(world, move->generation)->processes[move->process].flags & PROCESS_KILLED);
    default: return false;
    }
}
