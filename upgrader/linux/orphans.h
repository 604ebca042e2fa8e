/* Processes that a release has left behind: those that outlived, or ran away from, the process we launched.
 *
 * We are a subreaper, so every descendant whose parent has died is our child now. It belongs to a generation
 * if it is still in the session of one of its processes, or says so in its environment (RP_SERVICE,
 * RP_GENERATION). */
#ifndef RPCTL_ORPHANS_H
#define RPCTL_ORPHANS_H

#include <rp/error.h>
#include <stddef.h>
#include <sys/types.h>

#define RPCTL_ORPHANS_MAX 256

struct rpctl_orphan_owner {
    const char *service;
    unsigned generation;
    const pid_t *leaders; /* the processes that were launched for it, dead or alive: they led sessions */
    size_t leader_count;
};

/* The descendants of this process that belong to `owner`, its leaders left out; at most RPCTL_ORPHANS_MAX.
 * Dead ones that are not reaped yet are not counted. */
int rpctl_orphans_find(const struct rpctl_orphan_owner *owner, pid_t pids[RPCTL_ORPHANS_MAX],
                       size_t *ret_count, struct rp_error *error);

/* Signals those that are still the same descendants. They are our children, or children of our children,
 * which we have found just now; each is opened as a pidfd and found again before it is signalled. */
int rpctl_orphans_signal(const struct rpctl_orphan_owner *owner, int signal_number, size_t *ret_count,
                         struct rp_error *error);

#endif
