/* One deadline per client, found by a walk over a dense array. Pure.
 *
 * For the few thousand clients of a test a walk over 8 bytes each is cheaper than keeping a heap in order. */
#ifndef LOAD_DEADLINES_H
#define LOAD_DEADLINES_H

#include <stddef.h>
#include <stdint.h>

#define LOAD_DEADLINE_NONE UINT64_MAX

struct load_deadlines {
    uint64_t *at_ns; /* owned; LOAD_DEADLINE_NONE where there is none */
    size_t count;
};

int load_deadlines_init(struct load_deadlines *deadlines, size_t count); /* -ENOMEM */
void load_deadlines_done(struct load_deadlines *deadlines);

/* Moves every deadline that is set: the one who waits was stopped for so long, not the one waited for. */
void load_deadlines_postpone(struct load_deadlines *deadlines, uint64_t by_ns);
uint64_t load_deadlines_next_ns(const struct load_deadlines *deadlines);

#endif
