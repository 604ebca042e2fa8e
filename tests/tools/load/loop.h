/* The event loop of a run: clients, commands on standard input, signals, the end. */
#ifndef LOAD_LOOP_H
#define LOAD_LOOP_H

#include "options.h"

#include <stdint.h>

/* Runs until it is told to stop and every request under way has ended, then prints the result.
 * Returns 0 and the number of failed requests, or a negative errno when the run could not be set up. */
int load_loop_run(const struct load_options *options, uint64_t *ret_failures);

#endif
