/* What the clients of one run share: options, the poll set, deadlines, tallies.
 *
 * Owned by loop.c; clients write through the functions below. One thread. */
#ifndef LOAD_RUN_H
#define LOAD_RUN_H

#include "deadlines.h"
#include "options.h"
#include "windows.h"

#include <stdbool.h>
#include <stdint.h>

#define LOAD_DETAILS_MAX 20 /* failures described on standard error, one line each */

struct load_client;

struct load_run {
    const struct load_options *options;
    int epoll_fd;
    uint64_t start_ns;
    struct load_deadlines deadlines;
    struct load_windows windows;
    uint64_t ended;     /* requests that came to an end, well or badly */
    uint64_t frozen_ns; /* how long this process itself did not run, see loop.c */
    size_t busy;        /* requests under way */
    size_t untried;     /* clients without an ended request */
    unsigned details;
    bool stopping; /* no more requests are begun */
    uint32_t random_state;
};

uint64_t load_now_ns(void); /* CLOCK_MONOTONIC */

/* A think time within the options' range. */
uint64_t load_run_think_ns(struct load_run *run);

/* Book an ended request on the window in which it began. */
void load_run_answer(struct load_run *run, const struct load_client *client);
void load_run_failure(struct load_run *run, const struct load_client *client, enum load_failure failure,
                      const char *reason);

#endif
