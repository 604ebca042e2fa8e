/* Deadlines without a timer each: one list per kind of wait, and one timer for all of them.
 *
 * All entries of a list wait equally long, so a new one always belongs at the end, and the first of each list
 * is the earliest: placing, removing and looking are O(1). Owns nothing; entries are embedded in what waits.
 * Times are milliseconds of one monotonic clock that the caller reads. Not thread-safe. */
#ifndef RP_PURE_DEADLINES_H
#define RP_PURE_DEADLINES_H

#include "pure/list.h"

#include <stdint.h>

#define RP_DEADLINES_LISTS_MAX 8
#define RP_NEVER_MS            UINT64_MAX

struct rp_deadline {
    struct rp_list node;
    uint64_t at_ms;
};

struct rp_deadlines {
    unsigned count;
    struct rp_list lists[RP_DEADLINES_LISTS_MAX];
    uint64_t wait_ms[RP_DEADLINES_LISTS_MAX]; /* RP_NEVER_MS: entries of that list wait for ever */
};

void rp_deadlines_init(struct rp_deadlines *deadlines, unsigned count, const uint64_t wait_ms[]);

static inline void rp_deadline_init(struct rp_deadline *entry)
{
    rp_list_init(&entry->node);
    entry->at_ms = RP_NEVER_MS;
}

/* Moves the entry, wherever it is, to the end of a list: its deadline is now + that list's wait, at least 1
 * ms. */
void rp_deadlines_place(struct rp_deadlines *deadlines, struct rp_deadline *entry, unsigned list,
                        uint64_t now_ms);

static inline void rp_deadlines_remove(struct rp_deadline *entry)
{
    rp_list_remove(&entry->node);
}

/* From now on entries of that list wait `wait_ms`, and those already there at most so long from now. */
void rp_deadlines_shorten(struct rp_deadlines *deadlines, unsigned list, uint64_t wait_ms, uint64_t now_ms);

/* The earliest deadline, or RP_NEVER_MS. */
uint64_t rp_deadlines_next(const struct rp_deadlines *deadlines);

/* Removes and returns one entry whose deadline is not after now, or NULL. */
struct rp_deadline *rp_deadlines_expire(struct rp_deadlines *deadlines, uint64_t now_ms);

#endif
