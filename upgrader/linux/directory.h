/* Makes directories that belong to their maker alone (0700, whatever the umask). */
#ifndef RPCTL_DIRECTORY_H
#define RPCTL_DIRECTORY_H

#include <rp/error.h>

/* Makes what is missing of an absolute path; what exists stays as it is. The message names the part that
 * failed. */
int rpctl_directory_make_path(const char *path, struct rp_error *error);

/* Makes `name` in `parent_fd`; one that exists, of whatever kind, is left to the caller's open to judge.
 * `shown_path` is for the message. */
int rpctl_directory_make_at(int parent_fd, const char *name, const char *shown_path, struct rp_error *error);

/* The kernel answers ENOTDIR when O_DIRECTORY | O_NOFOLLOW meets a symlink; returns -ELOOP in that case and
 * `code` in every other. */
int rpctl_directory_open_errno(int parent_fd, const char *name, int code);

#endif
