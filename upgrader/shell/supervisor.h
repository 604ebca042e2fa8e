/* The long-lived process of one service: parent of its generations, owner of its steering, runs every
 * upgrade.
 *
 * Owns the event loop and everything on it. Decides nothing itself: the pure machines (rollout, drain) get
 * events and return actions, which are executed here. */
#ifndef RPCTL_SUPERVISOR_H
#define RPCTL_SUPERVISOR_H

#include "linux/service_dir.h"
#include "pure/policy.h"

struct rpctl_handoff;

struct rpctl_supervisor_config {
    const char *name;
    struct rpctl_service_dir *dir; /* open and locked by the supervisor; stays the caller's */
    const char *binary;            /* absolute path of the first release */
    char **args;                   /* NULL-terminated, without argv[0] */
    char **env;                    /* NULL-terminated "K=V", added to the environment of every generation */
    struct rpctl_policy policy;
    const char *program;                 /* path of rpctl itself; NULL = not known */
    const struct rpctl_handoff *handoff; /* of the program in whose place this one goes on; or NULL */
    bool foreground; /* rpctl run: prints the start's events, relays the logs, drains at Ctrl-C */
    bool json;
    bool quiet;
    int ready_fd; /* -1, or: gets "ok\n" when the control socket is bound, or one line of error text */
};

/* Runs until the service has stopped. Returns the exit code of the process (DESIGN.md's table). Call it from
 * a process without threads and without another loop; it blocks. */
int rpctl_supervisor_main(const struct rpctl_supervisor_config *config);

#endif
