/* Waits until something in a directory is written to, or appears. */
#ifndef RPCTL_DIRECTORY_WATCH_H
#define RPCTL_DIRECTORY_WATCH_H

#include <rp/error.h>

/* Opens a watch (inotify) on the directory; blocking, close-on-exec, the caller's to close. -ENOSPC or
 * -EMFILE with the limit to raise. */
int rpctl_directory_watch_open(int dir_fd, int *ret_fd, struct rp_error *error);

/* Blocks until something has happened since the last call, then forgets it. */
int rpctl_directory_watch_wait(int fd, struct rp_error *error);

#endif
