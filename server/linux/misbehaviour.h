/* Bad releases to order: the demo server can be told to start late, to be sick, to die, and not to stop, so
 * that an upgrade's way back can be tried out.
 *
 * Owns the process's SIGALRM and real-time interval timer when asked to exit. */
#ifndef RP_LINUX_MISBEHAVIOUR_H
#define RP_LINUX_MISBEHAVIOUR_H

#include "pure/options.h"

#include <stdbool.h>
#include <stdint.h>

struct rp_misbehaviour {
    uint32_t start_delay_ms;
    uint32_t fail_health_after_ms; /* only if fail_health */
    uint32_t exit_after_ms;        /* 0: never */
    bool fail_health;
    bool ignore_term;
    uint64_t began_ms; /* when rp_misbehaviour_begin returned */
};

struct rp_option_group rp_misbehaviour_options(struct rp_misbehaviour *misbehaviour);

/* Waits for the start delay, arms the exit, blocks SIGTERM. Before any thread is started. */
void rp_misbehaviour_begin(struct rp_misbehaviour *misbehaviour);

/* Any thread. */
bool rp_misbehaviour_is_sick(const struct rp_misbehaviour *misbehaviour);

#endif
