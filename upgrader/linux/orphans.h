/* Processes that a release has left behind: those that outlived, or ran away from, the process we launched.
 *
 * We are a subreaper, so every descendant whose parent has died is our child now. It belongs to a generation
 * if it is still in the session of one of its processes (and was started before that ended), or says so in
 * its environment (RP_SERVICE, RP_GENERATION). One may have neither: a daemon makes a session of its own, and
 * many servers write their title over their environment (nginx) or clear it. Such a one counts if it was
 * started after the generation, comes from no process of another one, and listens where the service does. */
#ifndef RPCTL_ORPHANS_H
#define RPCTL_ORPHANS_H

#include <rp/address.h>
#include <rp/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RPCTL_ORPHANS_MAX         256
#define RPCTL_ORPHANS_LEADERS_MAX 64
#define RPCTL_ORPHANS_OTHERS_MAX  512

/* Launched for the generation, dead or alive: it led a session. A dead one's pid is free for others when its
 * session has no member left, so whoever was started after its end is not known to be in the same session. */
struct rpctl_orphan_leader {
    pid_t pid;
    uint64_t ended; /* in clock ticks since boot; UINT64_MAX = it lives */
};

/* A value, but for the texts. */
struct rpctl_orphan_owner {
    const char *service;
    const char *notify_path;
    unsigned generation;
    bool taken_over; /* from a former supervisor: they are no descendants of ours, so all processes of this
                        user are looked at, and only a mark counts */
    struct rpctl_orphan_leader leaders[RPCTL_ORPHANS_LEADERS_MAX];
    size_t leader_count;
    uint64_t since;                         /* start time of the first of them, in clock ticks since boot */
    pid_t others[RPCTL_ORPHANS_OTHERS_MAX]; /* launched for all other generations, dead or alive */
    size_t other_count;
    struct rp_address addresses[2 * RP_ADDRESS_LIST_MAX]; /* where the service listens */
    size_t address_count;
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
