/* Turns a forked child into a process that goes on without whoever started it. */
#ifndef RPCTL_BACKGROUND_H
#define RPCTL_BACKGROUND_H

#include <stddef.h>

#define RPCTL_BACKGROUND_KEEP_MAX 16

/* A session of its own; stdin from /dev/null; stdout and stderr to `log_fd`. Every other descriptor is
 * closed, but for those of `keep` (negative ones are passed over), so that no lock and no pipe of the starter
 * is held; on a kernel before 5.9 they stay open. `log_fd` is closed. Returns 0 or a negative errno. */
int rpctl_background_enter(int log_fd, const int *keep, size_t count);

#endif
