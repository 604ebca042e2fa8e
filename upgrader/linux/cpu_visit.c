#include "linux/cpu_visit.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CPUS_MAX 8192 /* the largest CONFIG_NR_CPUS there is */

/* Returns how many CPUs let this thread run on them; the caller restores its affinity. */
static long visit_each(cpu_set_t *set, size_t set_bytes)
{
    long visited = 0;

    for (int cpu = 0; cpu < CPUS_MAX; cpu++) {
        CPU_ZERO_S(set_bytes, set);
        CPU_SET_S((size_t)cpu, set_bytes, set);
        if (sched_setaffinity(0, set_bytes, set) == 0) visited++;
    }
    return visited;
}

int rpctl_cpu_visit_all(struct rp_error *error)
{
    size_t set_bytes = CPU_ALLOC_SIZE(CPUS_MAX);
    cpu_set_t *before = CPU_ALLOC(CPUS_MAX);
    cpu_set_t *set = CPU_ALLOC(CPUS_MAX);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    int result = 0;

    if (!before || !set)
        result = rp_error_set(error, -ENOMEM, "cannot wait for packets under way: out of memory");
    else if (sched_getaffinity(0, set_bytes, before) != 0)
        result = rp_error_set(error, -errno, "cannot read the CPU affinity: %s", strerror(errno));
    else {
        long visited = visit_each(set, set_bytes);

        if (sched_setaffinity(0, set_bytes, before) != 0)
            result = rp_error_set(error, -errno, "cannot restore the CPU affinity: %s", strerror(errno));
        else if (visited < online)
            result =
                rp_error_set(error, -ENOTSUP,
                             "cannot wait for packets under way: no membarrier(2) here, and only %ld of %ld "
                             "CPUs are open to rpctl: let it use all CPUs",
                             visited, online);
    }
    CPU_FREE(before);
    CPU_FREE(set);
    return result;
}
