/* How many connections each process holds: counted on demand, on a thread of libuv's pool.
 *
 * A count walks through sock_diag and /proc (50 ms for 10,000 connections), so it is no job: the steering
 * must not wait for it. However many ask, one count runs at a time, and one more waits at most: who asks
 * while one runs is answered by the next, for that one may have missed what the asker has seen. Owns nothing
 * but the count that runs; the figures stand in the instances. */
#ifndef RPCTL_CENSUS_H
#define RPCTL_CENSUS_H

#include "shell/control_server.h"
#include <stdbool.h>
#include <stdint.h>

struct rpctl_census_count;

struct rpctl_census {
    struct rpctl_census_count *count; /* that runs, or NULL */
    struct rpctl_control_client *asking[RPCTL_CONTROL_CLIENTS_MAX];
    size_t asking_count;
    size_t answered_count; /* the first of them are answered by the count that runs */
    uint64_t ended_ms;     /* uv_now, of the last one */
    uint64_t took_ms;
    bool failed; /* the last one: said once in the log */
};

#endif
