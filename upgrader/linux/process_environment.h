/* The environment that a process was started with: /proc/PID/environ.
 *
 * What the process itself wrote over it (many servers put their title there) is what is found. */
#ifndef RPCTL_PROCESS_ENVIRONMENT_H
#define RPCTL_PROCESS_ENVIRONMENT_H

#include <stddef.h>
#include <sys/types.h>

struct rpctl_process_environment {
    char *entries; /* "K=V", each with its terminator */
    size_t length;
};

/* -ESRCH: it is gone; -EACCES: another user's; -ENOMEM. At most 256 KiB are read. */
int rpctl_process_environment_read(pid_t pid, struct rpctl_process_environment *ret_environment);
void rpctl_process_environment_free(struct rpctl_process_environment *environment);

/* The value of a variable, or NULL. */
const char *rpctl_process_environment_get(const struct rpctl_process_environment *environment,
                                          const char *name);

#endif
