/* Walks through every world that the moves of world.c lead to, breadth first, and holds each against
 * invariants.c; then back from those in which nothing is under way, to see that each has a way there without
 * anybody's help.
 *
 *   walk          every walk
 *   walk NAME     this one
 *
 * Prints how many worlds and moves there were. On a fault: what it is, and the shortest way there. */
#include "world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOBODY UINT32_MAX

/* The worlds in the order in which they were found, and each step between them. */
struct graph {
    struct world *worlds;
    uint32_t *parents;
    struct move *moves; /* by which each was found first */
    uint32_t count, capacity;

    uint32_t *slots; /* open addressing; index + 1, 0 = free */
    uint32_t slot_count;

    uint32_t *from, *to; /* steps that need nobody */
    size_t steps, step_capacity;
    size_t transitions; /* of any kind */
};

static void *grow(void *memory, size_t count, size_t bytes)
{
    void *grown = realloc(memory, count * bytes);

    if (grown) return grown;
    fprintf(stderr, "walk: no memory for %zu entries of %zu bytes: a machine with more of it is needed\n",
            count, bytes);
    exit(1);
}

/* --- the set of worlds --- */

static uint64_t hash(const struct world *world)
{
    const unsigned char *bytes = (const unsigned char *)world;
    uint64_t value = 0x9e3779b97f4a7c15u, word = 0;

    for (size_t i = 0; i < sizeof *world; i += sizeof word) {
        memcpy(&word, bytes + i, sizeof *world - i < sizeof word ? sizeof *world - i : sizeof word);
        value = (value ^ word) * 0xff51afd7ed558ccdu;
        value ^= value >> 32;
    }
    return value;
}

static uint32_t *slot_of(const struct graph *graph, const struct world *world)
{
    uint64_t at = hash(world);

    for (;; at++) {
        uint32_t *slot = &graph->slots[at % graph->slot_count];

        if (*slot == 0 || memcmp(&graph->worlds[*slot - 1], world, sizeof *world) == 0) return slot;
    }
}

static void rehash(struct graph *graph)
{
    free(graph->slots);
    graph->slot_count = graph->slot_count ? graph->slot_count * 4 : 1u << 16;
    graph->slots = grow(NULL, graph->slot_count, sizeof *graph->slots);
    memset(graph->slots, 0, graph->slot_count * sizeof *graph->slots);
    for (uint32_t i = 0; i < graph->count; i++) *slot_of(graph, &graph->worlds[i]) = i + 1;
}

static void make_room(struct graph *graph)
{
    if (graph->count * 2 >= graph->slot_count) rehash(graph);
    if (graph->count < graph->capacity) return;
    graph->capacity = graph->capacity ? graph->capacity * 2 : 1u << 14;
    graph->worlds = grow(graph->worlds, graph->capacity, sizeof *graph->worlds);
    graph->parents = grow(graph->parents, graph->capacity, sizeof *graph->parents);
    graph->moves = grow(graph->moves, graph->capacity, sizeof *graph->moves);
}

static uint32_t find_or_add(struct graph *graph, const struct world *world, uint32_t parent,
                            const struct move *move)
{
    uint32_t *slot;

    make_room(graph);
    slot = slot_of(graph, world);
    if (*slot) return *slot - 1;
    graph->worlds[graph->count] = *world;
    graph->parents[graph->count] = parent;
    graph->moves[graph->count] = *move;
    *slot = ++graph->count;
    return graph->count - 1;
}

static void add_step(struct graph *graph, uint32_t from, uint32_t to, const struct move *move)
{
    graph->transitions++;
    if (world_move_is_foreign(&graph->worlds[from], move) || from == to) return;
    if (graph->steps == graph->step_capacity) {
        graph->step_capacity = graph->step_capacity ? graph->step_capacity * 2 : 1u << 16;
        graph->from = grow(graph->from, graph->step_capacity, sizeof *graph->from);
        graph->to = grow(graph->to, graph->step_capacity, sizeof *graph->to);
    }
    graph->from[graph->steps] = from;
    graph->to[graph->steps++] = to;
}

/* --- what is told of a fault --- */

static void print_way(const struct graph *graph, uint32_t index)
{
    if (index == NOBODY) return;
    print_way(graph, graph->parents[index]);
    if (graph->parents[index] != NOBODY) {
        printf("  ");
        world_print_move(&graph->moves[index]);
    }
    world_print(&graph->worlds[index]);
}

static void print_fault(const struct graph *graph, const struct walk_config *config, uint32_t index,
                        const struct move *move, const struct world *world)
{
    printf("walk: %s: %s\n", config->name, world_fault);
    print_way(graph, index);
    if (!move) return;
    printf("  ");
    world_print_move(move);
    world_print(world);
}

/* --- forwards --- */

static bool follow(struct graph *graph, const struct walk_config *config, uint32_t index, struct move *move)
{
    struct world next = graph->worlds[index];
    bool could_fail = world_make(&next, config, move);

    world_check(&next);
    if (world_fault) {
        print_fault(graph, config, index, move, &next);
        return false;
    }
    add_step(graph, index, find_or_add(graph, &next, index, move), move);
    if (!could_fail || move->launch_fails) return true;
    move->launch_fails = 1;
    return follow(graph, config, index, move);
}

static bool explore(struct graph *graph, const struct walk_config *config)
{
    static const struct move none;
    struct world first;

    world_init(&first, config);
    find_or_add(graph, &first, NOBODY, &none);
    for (uint32_t i = 0; i < graph->count; i++) {
        struct move moves[WORLD_MOVES_MAX];
        struct world world = graph->worlds[i];
        size_t count = world_moves(&world, config, moves);

        for (size_t m = 0; m < count; m++)
            if (!follow(graph, config, i, &moves[m])) return false;
    }
    return true;
}

/* --- backwards --- */

/* The steps by where they lead: those to world i are sorted[first[i]] … sorted[first[i + 1] - 1]. */
static void sort_steps(const struct graph *graph, uint32_t *first, uint32_t *sorted)
{
    memset(first, 0, (graph->count + 2) * sizeof *first);
    for (size_t i = 0; i < graph->steps; i++) first[graph->to[i] + 2]++;
    for (uint32_t i = 2; i < graph->count + 2; i++) first[i] += first[i - 1];
    for (size_t i = 0; i < graph->steps; i++) sorted[first[graph->to[i] + 1]++] = graph->from[i];
}

static uint32_t mark_all_with_a_way(const struct graph *graph, const uint32_t *first, const uint32_t *sorted,
                                    uint8_t *marked, uint32_t *queue)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < graph->count; i++)
        if (graph->parents[i] == NOBODY || world_is_quiescent(&graph->worlds[i])) {
            marked[i] = 1;
            queue[count++] = i;
        }
    for (uint32_t at = 0; at < count; at++)
        for (uint32_t s = first[queue[at]]; s < first[queue[at] + 1]; s++)
            if (!marked[sorted[s]]) {
                marked[sorted[s]] = 1;
                queue[count++] = sorted[s];
            }
    return count;
}

static bool has_ways(const struct graph *graph, const struct walk_config *config)
{
    uint32_t *first = grow(NULL, graph->count + 2, sizeof *first);
    uint32_t *sorted = grow(NULL, graph->steps + 1, sizeof *sorted);
    uint32_t *queue = grow(NULL, graph->count, sizeof *queue);
    uint8_t *marked = calloc(graph->count, 1);
    uint32_t count;

    assert(marked);
    sort_steps(graph, first, sorted);
    count = mark_all_with_a_way(graph, first, sorted, marked, queue);
    if (count < graph->count) {
        uint32_t stuck = 0;

        while (marked[stuck]) stuck++;
        world_fault = "a state without a way out";
        print_fault(graph, config, stuck, NULL, NULL);
        printf("walk: %u states have none\n", graph->count - count);
    }
    free(first);
    free(sorted);
    free(queue);
    free(marked);
    return count == graph->count;
}

static uint32_t count_quiescent(const struct graph *graph)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < graph->count; i++) count += world_is_quiescent(&graph->worlds[i]);
    return count;
}

static void done(struct graph *graph)
{
    free(graph->worlds);
    free(graph->parents);
    free(graph->moves);
    free(graph->slots);
    free(graph->from);
    free(graph->to);
}

static bool walk(const struct walk_config *config)
{
    struct graph graph = {0};
    clock_t begun = clock();
    bool good = explore(&graph, config) && has_ways(&graph, config);

    printf("%-28s %8u states %9zu transitions %5u at rest %6.1f s\n", config->name, graph.count,
           graph.transitions, count_quiescent(&graph), (double)(clock() - begun) / CLOCKS_PER_SEC);
    done(&graph);
    return good;
}

/* With two upgrades, the second may begin while the old generation of the first still drains. */
static const struct walk_config walks[] = {
    {.name = "process",
     .processes = 1,
     .health_count = 2,
     .upgrades = 2,
     .failures = true,
     .process_crash = true,
     .late_signals = true},
    {.name = "unprobed", .processes = 1, .upgrades = 1, .failures = true, .process_crash = true},
    {.name = "two-processes",
     .processes = 2,
     .health_count = 1,
     .upgrades = 1,
     .failures = true,
     .process_crash = true},
    {.name = "supervisor", .processes = 1, .health_count = 1, .upgrades = 2, .supervisor_crash = true},
    {.name = "supervisor-failures",
     .processes = 1,
     .health_count = 1,
     .upgrades = 1,
     .failures = true,
     .supervisor_crash = true},
    {.name = "supervisor-late-signals",
     .processes = 1,
     .health_count = 1,
     .upgrades = 1,
     .supervisor_crash = true,
     .late_signals = true},
};

int main(int argc, char **argv)
{
    bool good = true;

    setvbuf(stdout, NULL, _IOLBF, 0);

    for (size_t i = 0; i < sizeof walks / sizeof walks[0]; i++)
        if (argc < 2 || strcmp(argv[1], walks[i].name) == 0) good = walk(&walks[i]) && good;
    return good ? 0 : 1;
}
