#include "pure/deadlines.h"

#include <assert.h>

static struct rp_deadline *entry_of(struct rp_list *node)
{
    return RP_LIST_ENTRY(node, struct rp_deadline, node);
}

/* Never now: an entry that has expired and is placed again must not expire in the same walk, or a wait of 0
 * would keep the walk going for ever. */
static uint64_t after(uint64_t now_ms, uint64_t wait_ms)
{
    if (wait_ms == 0) wait_ms = 1;
    return wait_ms >= RP_NEVER_MS - now_ms ? RP_NEVER_MS : now_ms + wait_ms;
}

void rp_deadlines_init(struct rp_deadlines *deadlines, unsigned count, const uint64_t wait_ms[])
{
    assert(count <= RP_DEADLINES_LISTS_MAX);
    deadlines->count = count;
    for (unsigned i = 0; i < count; i++) {
        rp_list_init(&deadlines->lists[i]);
        deadlines->wait_ms[i] = wait_ms[i];
    }
}

void rp_deadlines_place(struct rp_deadlines *deadlines, struct rp_deadline *entry, unsigned list,
                        uint64_t now_ms)
{
    assert(list < deadlines->count);
    rp_list_remove(&entry->node);
    entry->at_ms = after(now_ms, deadlines->wait_ms[list]);
    rp_list_append(&deadlines->lists[list], &entry->node);
}

void rp_deadlines_shorten(struct rp_deadlines *deadlines, unsigned list, uint64_t wait_ms, uint64_t now_ms)
{
    assert(list < deadlines->count);
    if (wait_ms >= deadlines->wait_ms[list]) return;
    deadlines->wait_ms[list] = wait_ms;
    struct rp_list *head = &deadlines->lists[list];
    for (struct rp_list *node = head->next; node != head; node = node->next) {
        struct rp_deadline *entry = entry_of(node);
        if (entry->at_ms > after(now_ms, wait_ms)) entry->at_ms = after(now_ms, wait_ms);
    }
}

uint64_t rp_deadlines_next(const struct rp_deadlines *deadlines)
{
    uint64_t next_ms = RP_NEVER_MS;
    for (unsigned i = 0; i < deadlines->count; i++) {
        const struct rp_list *head = &deadlines->lists[i];
        if (rp_list_empty(head)) continue;
        uint64_t at_ms = entry_of(head->next)->at_ms;
        if (at_ms < next_ms) next_ms = at_ms;
    }
    return next_ms;
}

struct rp_deadline *rp_deadlines_expire(struct rp_deadlines *deadlines, uint64_t now_ms)
{
    for (unsigned i = 0; i < deadlines->count; i++) {
        struct rp_list *head = &deadlines->lists[i];
        if (rp_list_empty(head)) continue;
        struct rp_deadline *entry = entry_of(head->next);
        if (entry->at_ms > now_ms) continue;
        rp_list_remove(&entry->node);
        return entry;
    }
    return NULL;
}
