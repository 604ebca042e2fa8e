/* The clients that want a status at every change, and what they were told last. */
#ifndef RPCTL_WATCH_H
#define RPCTL_WATCH_H

#include "shell/control_server.h"
#include <stdbool.h>

struct rpctl_watcher {
    struct rpctl_control_client *client;
    bool counted; /* a count of connections has ended since it came */
    bool has_one; /* a status */
};

struct rpctl_watch {
    struct rpctl_watcher watchers[RPCTL_CONTROL_CLIENTS_MAX];
    size_t count;
    char *last; /* what all were told, but for the running time of the phase; NULL = nothing yet */
};

#endif
