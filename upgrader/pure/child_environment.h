/* The environment of one server process: the supervisor's own, the service's --env entries, and the process
 * contract's variables, the later of two with one name winning. Pure but for the heap. */
#ifndef RPCTL_CHILD_ENVIRONMENT_H
#define RPCTL_CHILD_ENVIRONMENT_H

/* Builds a NULL-terminated array: `base` without any variable of the process contract (RP_…, NOTIFY_SOCKET,
 * LISTEN_…), then `extra` (may be NULL), then `contract`; all three NULL-terminated "K=V". One allocation for
 * the array; the strings stay the callers'. NULL when memory is short. */
char **rpctl_child_environment(char *const *base, char *const *extra, char *const *contract);

#endif
