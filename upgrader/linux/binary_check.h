/* The check before launch: is this file a program that can be run? */
#ifndef RPCTL_BINARY_CHECK_H
#define RPCTL_BINARY_CHECK_H

#include <rp/error.h>

/* `path` is absolute. 0, or a negative errno with one line that names the path, the reason and the remedy: no
 * such file, a symlink to nothing, a directory or another kind of file, empty, not executable. */
int rpctl_binary_check(const char *path, struct rp_error *error);

#endif
